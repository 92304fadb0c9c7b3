//! A later version may add fields, and this one reads what it knows; an earlier one may lack them.

use federation::change::{Batch, Delta, Epoch, MemberChanges};
use federation::model::{Export, Time};
use federation::testing::make;
use proptest::prelude::*;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::codec::{self, Value};

/// Fields that this version does not know, of every wire type.
fn unknown_fields() -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(1_000, WireType::Varint, &mut bytes);
    encode_varint(u64::MAX, &mut bytes);
    encode_key(1_001, WireType::LengthDelimited, &mut bytes);
    bytes.extend([3, b'n', b'e', b'w']);
    encode_key(1_002, WireType::ThirtyTwoBit, &mut bytes);
    bytes.extend([1; 4]);
    encode_key(1_003, WireType::SixtyFourBit, &mut bytes);
    bytes.extend([1; 8]);
    bytes
}

#[test]
fn unknown_fields_are_skipped_at_every_depth() {
    let service = make::service("shop/web", "http:80", "10.96.0.1");
    let inner = [codec::to_bytes(&service).expect("bytes"), unknown_fields()].concat();
    let nest = |tag: u32, inner: &[u8]| {
        let mut bytes = unknown_fields();
        encode_key(tag, WireType::LengthDelimited, &mut bytes);
        encode_varint(inner.len() as u64, &mut bytes);
        bytes.extend(inner);
        bytes.extend(unknown_fields());
        bytes
    };
    // A complete list (1) of objects (1), as services (5) of a member (2) whose name is field 1.
    let mut member = nest(5, &nest(1, &nest(1, &inner)));
    member.extend([1 << 3 | 2, 4]);
    member.extend(b"eu-1");
    let found: Batch = codec::from_bytes(&nest(2, &member), 0).expect("what is known of it");
    let changes = MemberChanges::Services(Delta::full(vec![service]));
    assert_eq!(found, Batch::Member { cluster: make::cluster("eu-1"), epoch: Epoch(0), changes });
}

#[test]
fn fields_that_are_absent_have_their_defaults() {
    let key = [0x0a, 0x0b, 0x0a, 4, b's', b'h', b'o', b'p', 0x12, 3, b'w', b'e', b'b'];
    let export: Export = codec::from_bytes(&key, 0).expect("an export");
    assert_eq!(export, Export { key: make::key("shop/web"), created: Time::default() });
}

#[test]
fn groups_are_refused() {
    let mut bytes = Vec::new();
    encode_key(1_000, WireType::StartGroup, &mut bytes);
    let text = codec::from_bytes::<Batch>(&bytes, 0).expect_err("a group").to_string();
    assert!(text.contains("has wire type group"), "{text}");
}

proptest! {
    /// As protobuf demands, fields may come in any order.
    #[test]
    fn the_order_of_fields_is_free(batch in crate::testing::batch()) {
        if let Batch::Member { changes: MemberChanges::Slices(Delta::Full { objects, .. }), .. } = batch {
            for slice in objects {
                let bytes = codec::to_bytes(&slice).expect("bytes");
                let mut fields = fields(&bytes);
                // Of one tag, the order stays.
                fields.sort_by_key(|(tag, _)| std::cmp::Reverse(*tag));
                let rotated: Vec<u8> = fields.into_iter().flat_map(|(_, field)| field.to_vec()).collect();
                prop_assert_eq!(federation::model::Slice::take_body(&mut reader(&rotated)).expect("a slice"), slice);
            }
        }
    }
}

fn reader(bytes: &[u8]) -> codec::Reader<'_> {
    let budget = Box::leak(Box::new(codec::Budget::new(usize::MAX)));
    codec::Reader::new(bytes, 0, budget)
}

/// Each field with its tag.
fn fields(bytes: &[u8]) -> Vec<(u32, &[u8])> {
    let mut reader = reader(bytes);
    let mut fields = Vec::new();
    let mut start = 0;
    while let Some((tag, wire_type)) = reader.key().expect("a key") {
        reader.skip(wire_type).expect("a field");
        let end = bytes.len() - reader.rest().len();
        fields.push((tag, &bytes[start..end]));
        start = end;
    }
    fields
}
