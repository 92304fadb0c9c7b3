//! Any bytes are decoded or refused, without a panic, and in memory that their length justifies.

use federation::change::Batch;
use federation::model::{NamespaceObject, Service, Slice};
use proptest::prelude::*;

use crate::codec::limits::{BASE_MEMORY, MAX_EXPANSION};
use crate::codec::{self, Value};
use crate::{decode, testing};

/// Decodes; fails if that takes more memory than the length justifies. What an error says is counted as well.
fn within_memory<T: Value>(payload: &[u8]) -> Result<T, codec::DecodeError> {
    let mut result = None;
    let info = allocation_counter::measure(|| result = Some(codec::from_bytes(payload, 0)));
    let allowed = (payload.len() * MAX_EXPANSION + 2 * BASE_MEMORY) as u64;
    assert!(info.bytes_max <= allowed, "{} bytes of memory for a payload of {}", info.bytes_max, payload.len());
    result.expect("it was decoded")
}

/// Payloads that are a little wrong: valid ones with bytes that were changed, left out, doubled or put in.
fn nearly_valid() -> impl Strategy<Value = Vec<u8>> {
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..5_u8), 0..6);
    (testing::batch(), edits).prop_map(|(batch, edits)| {
        let mut bytes = codec::to_bytes(&batch).expect("within the limits");
        for (at, byte, how) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                3 => drop(bytes.remove(at)),
                _ => {
                    let part = bytes[at..(at + usize::from(byte)).min(bytes.len())].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_no_frame_or_one(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn any_payload_is_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = within_memory::<Batch>(&bytes);
    }

    #[test]
    fn what_is_decoded_can_be_encoded(bytes in nearly_valid()) {
        if let Ok(batch) = within_memory::<Batch>(&bytes) {
            let again = codec::to_bytes(&batch).expect("what was decoded is within the limits");
            prop_assert_eq!(codec::from_bytes::<Batch>(&again, 0).expect("what was encoded"), batch);
        }
    }

    #[test]
    fn every_batch_is_decoded_within_its_memory(batch in testing::batch()) {
        let payload = codec::to_bytes(&batch).expect("within the limits");
        prop_assert!(within_memory::<Batch>(&payload).is_ok());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Without the bound of the budget this is where a few bytes would become many.
    #[test]
    fn lists_of_small_items_stay_within_their_memory(
        tag in 1..16_u32,
        length in 0..4_usize,
        count in 0..20_000_usize,
        fill in any::<u8>(),
    ) {
        let mut payload = Vec::new();
        for _ in 0..count {
            prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut payload);
            payload.push(length as u8);
            payload.extend(std::iter::repeat_n(fill, length));
        }
        let _ = within_memory::<Service>(&payload);
        let _ = within_memory::<Slice>(&payload);
        let _ = within_memory::<NamespaceObject>(&payload);
    }
}
