//! What the model or a limit does not allow is refused: with the byte, the object, the field, what was found, and what was
//! expected.

use std::sync::Arc;

use federation::change::{Batch, Delta, Epoch, MemberChanges};
use federation::model::{Namespace, NamespaceObject, Service, ServiceKey, Slice};
use federation::testing::make;
use prost::encoding::{WireType, encode_key, encode_varint};

use crate::codec::limits::{MAX_ITEMS, MAX_TEXT_BYTES};
use crate::codec::{self, Value};

fn services(services: Vec<Service>) -> Batch {
    let changes = MemberChanges::Services(Delta::full(services));
    Batch::Member { cluster: make::cluster("eu-1"), epoch: Epoch(1), changes }
}

/// A length-delimited field.
fn field(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(tag, WireType::LengthDelimited, &mut bytes);
    encode_varint(value.len() as u64, &mut bytes);
    bytes.extend(value);
    bytes
}

fn number(tag: u32, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_key(tag, WireType::Varint, &mut bytes);
    encode_varint(value, &mut bytes);
    bytes
}

fn refused<T: Value + std::fmt::Debug>(bytes: &[u8]) -> String {
    codec::from_bytes::<T>(bytes, 100).expect_err("what must be refused").to_string()
}

/// `shop/web`, as the key of an object.
fn key() -> Vec<u8> {
    field(1, &[field(1, b"shop"), field(2, b"web")].concat())
}

#[test]
fn a_wrong_value_is_named_with_its_object() {
    let mut good = codec::to_bytes(&services(vec![make::service("shop/web", "http:80", "10.96.0.1")])).expect("bytes");
    // The port number of the only port: the protobuf key of field 2 and the number 80.
    let at = good.windows(2).position(|pair| pair == [2 << 3, 80]).expect("the port");
    good[at + 1] = 0xff; // a varint of two bytes, of which the next field's key is the second
    let text = codec::from_bytes::<Batch>(&good, 0).expect_err("what must be refused").to_string();
    assert!(text.contains("Service shop/web: member.services.objects[0].ports[0]"), "{text}");
    assert!(text.starts_with(&format!("at byte {}", at + 1)), "{at}: {text}");
}

#[test]
fn names_are_checked_by_the_model() {
    let text = refused::<Namespace>(b"Shop");
    assert_eq!(
        text,
        "at byte 100: is \"Shop\"; expected lower-case letters, digits and '-', starting and ending with a letter or digit"
    );
    let text = refused::<ServiceKey>(&[field(1, b"shop"), field(2, b"")].concat());
    assert!(text.starts_with("at byte 100: \"shop\"/\"\": one of the two is empty; expected"), "{text}");
    let text = refused::<NamespaceObject>(b"");
    assert!(text.starts_with("at byte 100: name is empty; expected"), "{text}");
    assert!(refused::<NamespaceObject>(&field(1, &[b'a'; 64])).contains("name has 64 bytes; expected at most 63"));
    assert_eq!(refused::<NamespaceObject>(&field(1, &[0xff])), "at byte 102: name is no UTF-8; expected text");
}

#[test]
fn numbers_and_enums_are_checked() {
    let port = |value| [key(), field(9, &number(2, value))].concat();
    assert_eq!(refused::<Service>(&port(65_536)), "at byte 116: ports[0].port is 65536; expected at most 65535");
    assert_eq!(
        refused::<Service>(&[key(), number(6, 3)].concat()),
        "at byte 114: kind is 3; expected one of 0 (ClusterIp), 1 (Headless), 2 (ExternalName)"
    );
    assert_eq!(
        refused::<Service>(&[key(), field(11, &number(1, 1))].concat()),
        "at byte 115: owner is a mirror without a mark; expected field 2, the mark"
    );
    assert_eq!(
        refused::<Service>(&[key(), field(7, &[10, 0, 0])].concat()),
        "at byte 115: cluster_ips[0] is of 3 bytes; expected an address of 4 or 16 bytes"
    );
    assert_eq!(
        refused::<Service>(&[key(), number(2, 7)].concat()),
        "at byte 114: uid has wire type varint; expected length-delimited"
    );
}

#[test]
fn numbers_of_zones_and_nodes_are_checked() {
    let head = [key(), field(2, &[field(1, b"shop"), field(2, b"web")].concat())].concat();
    let endpoint = field(5, &[field(1, &[10, 0, 0, 1]), number(2, 2)].concat());
    let text = refused::<Slice>(&[head.clone(), field(4, b"z1"), endpoint].concat());
    assert!(text.ends_with("endpoints[0].zone is zone number 2; expected at most 1"), "{text}");
    let endpoint = field(5, &field(1, &[10, 0, 0, 1]));
    let node = |index| field(6, &[number(1, index), field(2, b"n1")].concat());
    let text = refused::<Slice>(&[head.clone(), endpoint.clone(), node(1)].concat());
    assert!(text.ends_with("nodes is endpoint number 1; expected numbers of 1 endpoints in ascending order"), "{text}");
    let text = refused::<Slice>(&[head, endpoint, node(0), node(0)].concat());
    assert!(text.ends_with("nodes is endpoint number 0; expected numbers of 1 endpoints in ascending order"), "{text}");
}

#[test]
fn a_batch_of_nothing_is_refused() {
    assert_eq!(
        refused::<Batch>(b""),
        "at byte 100: holds nothing that this version knows; expected one of hub (1), member (2)"
    );
    let text = refused::<Batch>(&field(2, &[field(1, b"eu-1"), field(99, b"")].concat()));
    assert!(
        text.starts_with("at byte 102: member holds nothing that this version knows; expected one of link (3)"),
        "{text}"
    );
}

#[test]
fn lists_and_texts_are_bounded_in_both_directions() {
    let mut service = make::service("shop/web", "", "");
    service.hint = Some(Arc::from("x".repeat(MAX_TEXT_BYTES)));
    assert!(codec::to_bytes(&services(vec![service.clone()])).is_ok());
    service.hint = Some(Arc::from("x".repeat(MAX_TEXT_BYTES + 1)));
    let text = codec::to_bytes(&services(vec![service.clone()])).expect_err("too long").to_string();
    assert_eq!(text, "member.services.objects[0].hint has 262145 bytes; expected at most 262144");
    service.hint = None;
    service.cluster_ips = vec![make::ip("10.0.0.1"); MAX_ITEMS + 1];
    let text = codec::to_bytes(&services(vec![service])).expect_err("too many").to_string();
    assert_eq!(text, "member.services.objects[0].cluster_ips has more than 65536 items; expected at most as many");

    let text = refused::<Service>(&[key(), field(14, &vec![b'x'; MAX_TEXT_BYTES + 1])].concat());
    assert!(text.ends_with("hint has 262145 bytes; expected at most 262144"), "{text}");
    let many: Vec<u8> = std::iter::repeat_n(field(7, &[10, 0, 0, 1]), MAX_ITEMS + 1).flatten().collect();
    let text = refused::<Service>(&[key(), many].concat());
    assert!(text.ends_with("cluster_ips has more than 65536 items; expected at most as many"), "{text}");
}

#[test]
fn a_payload_that_grows_out_of_proportion_is_refused() {
    let ports: Vec<u8> = std::iter::repeat_n(field(9, b""), 60_000).flatten().collect();
    let text = refused::<Service>(&[key(), ports].concat());
    assert!(text.contains("of memory when decoded; expected at most 32 for each byte of the payload"), "{text}");
}
