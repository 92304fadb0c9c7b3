//! Fuzz targets: frames, payloads and recordings of any bytes.

use federation::change::Batch;
use fuzzing::{any_bytes, run, spliced};
use proptest::prelude::*;

use crate::frame::{self, Kind};
use crate::recording::Reader;
use crate::{codec, decode, testing};

/// What payloads consist of: names, and keys of fields with lengths that are too large.
const WORDS: [&str; 6] = ["eu-1", "shop", "\u{0}", "\n\u{7f}", "\u{12}\u{2}\u{8}\u{1}", "z1"];

fn payload() -> impl Strategy<Value = Vec<u8>> {
    spliced(testing::batch().prop_map(|batch| codec::to_bytes(&batch).expect("within the limits")), &WORDS)
}

#[test]
fn fuzz_wire_frames() {
    let whole = testing::batch().prop_map(|batch| crate::encode(&batch).expect("within the limits"));
    run("wire frames", prop_oneof![1 => any_bytes(200), 4 => spliced(whole, &["ISTH", "ISTH\u{1}\u{0}"])], |bytes| {
        let whole = decode(&bytes).is_ok();
        let mut reader = frame::Reader::new(&*bytes);
        let read =
            matches!(reader.next_frame(), Ok(Some(frame)) if codec::from_bytes::<Batch>(frame.payload, 0).is_ok());
        assert!(!whole || read, "what is a frame is read as one");
    });
}

/// Behind a checksum that is right.
#[test]
fn fuzz_wire_payloads() {
    run("wire payloads", prop_oneof![1 => any_bytes(400), 4 => payload()], |bytes| {
        let sealed = frame::encode(Kind::BATCH, &bytes).expect("within the limits");
        match decode(&sealed) {
            Ok(batch) => {
                let again = crate::encode(&batch).expect("what was decoded is within the limits");
                assert_eq!(decode(&again).expect("what was encoded"), batch);
            }
            Err(error) => assert!(error.to_string().contains("at byte "), "{error}"),
        }
    });
}

#[test]
fn fuzz_wire_recordings() {
    let whole = proptest::collection::vec(testing::batch(), 0..3).prop_map(|batches| super::recording::whole(&batches));
    run("wire recordings", spliced(whole, &["ISTH"]), |bytes| {
        let Ok((mut reader, _)) = Reader::new(&*bytes) else { return };
        while let Ok(Some(_)) = reader.next_entry() {}
    });
}
