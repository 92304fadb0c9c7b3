//! Damage and truncation are found.

use proptest::prelude::*;

use crate::frame::{CHECKSUM_BYTES, FrameError, HEADER_BYTES, VERSION};
use crate::{Error, decode, encode, frame, testing};

/// The error of a frame that must be refused.
fn refused(bytes: &[u8]) -> String {
    decode(bytes).expect_err("a frame that must be refused").to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_damaged_byte_is_found(batch in testing::batch(), flip in 1..=u8::MAX) {
        let whole = encode(&batch).expect("within the limits");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            prop_assert!(decode(&damaged).is_err(), "byte {at} of {} changed by {flip:#x}", whole.len());
            let mut reader = frame::Reader::new(&*damaged);
            prop_assert!(reader.next_frame().is_err(), "byte {at} of {} changed by {flip:#x}", whole.len());
        }
    }

    #[test]
    fn every_truncation_is_found(batch in testing::batch()) {
        let whole = encode(&batch).expect("within the limits");
        for length in 0..whole.len() {
            let cut = &whole[..length];
            prop_assert!(matches!(decode(cut), Err(Error::Frame(FrameError::Cut { .. }))), "{length} of {}", whole.len());
            let next = frame::Reader::new(cut).next_frame().map(|frame| frame.is_none());
            // Nothing at all is the end of a stream.
            prop_assert!(if length == 0 { next.expect("the end") } else { next.is_err() }, "{length} of {}", whole.len());
        }
    }

    #[test]
    fn bytes_that_follow_are_found(batch in testing::batch(), more in proptest::collection::vec(any::<u8>(), 1..20)) {
        let mut bytes = encode(&batch).expect("within the limits");
        bytes.extend(more);
        let found = matches!(decode(&bytes), Err(Error::Frame(FrameError::More { .. })));
        prop_assert!(found);
    }
}

/// A whole frame around these bytes, with a checksum that is right, whatever the header says.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(xxhash_rust::xxh3::xxh3_64(&bytes).to_le_bytes());
    bytes
}

#[test]
fn another_version_is_refused_and_named() {
    let whole = frame::encode(frame::Kind::BATCH, b"").expect("within the limits");
    for version in (0..=u16::MAX).filter(|version| *version != VERSION) {
        let mut bytes = whole[..HEADER_BYTES].to_vec();
        bytes[4..6].copy_from_slice(&version.to_le_bytes());
        let text = refused(&sealed(bytes));
        let expected = format!("at byte 0: has version {version} of the format; expected 1:");
        assert!(text.starts_with(&expected), "{text}");
    }
}

#[test]
fn errors_say_where_and_what() {
    let whole = frame::encode(frame::Kind::BATCH, b"payload").expect("within the limits");
    assert_eq!(
        refused(b"GIF89a"),
        "at byte 0: begins with [47, 49, 46, 38]; expected [49, 53, 54, 48], with which every frame of Isthmus begins"
    );
    assert_eq!(refused(&whole[..20]), "at byte 0: a frame that ends after 20 of 27 bytes: it was cut");
    let mut large = whole.clone();
    large[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(refused(&large), "at byte 0: says that its payload has 4294967295 bytes; expected at most 134217728");
    let mut damaged = whole.clone();
    damaged[15] ^= 1;
    assert!(
        refused(&damaged).starts_with("at byte 0: a frame of 27 bytes whose checksum is "),
        "{}",
        refused(&damaged)
    );
    let start = frame::encode(frame::Kind::RECORDING_START, b"").expect("within the limits");
    assert_eq!(refused(&start), "at byte 0: a frame of kind 2; expected 1 (a batch)");
    let mut second = whole.clone();
    second.extend(&whole[..whole.len() - CHECKSUM_BYTES]);
    let mut reader = frame::Reader::new(&*second);
    assert!(reader.next_frame().is_ok());
    let text = reader.next_frame().expect_err("cut").to_string();
    assert_eq!(text, "at byte 27: a frame that ends after 19 of 27 bytes: it was cut");
}

/// A header that claims much must not cost much.
#[test]
fn a_length_that_is_not_there_allocates_nothing() {
    let mut bytes = frame::encode(frame::Kind::BATCH, b"payload").expect("within the limits");
    let most = u32::try_from(crate::codec::limits::MAX_PAYLOAD_BYTES).expect("32 bits");
    bytes[8..12].copy_from_slice(&most.to_le_bytes());
    let info = allocation_counter::measure(|| {
        let mut reader = frame::Reader::new(&*bytes);
        assert!(matches!(reader.next_frame(), Err(FrameError::Cut { .. })));
    });
    assert!(info.bytes_max < 64 << 10, "{} bytes", info.bytes_max);
}
