//! Recordings are complete or refused, and never larger than allowed.

use std::sync::Arc;

use federation::change::Batch;
use federation::testing::{TestFederation, make};
use federation::{Authority, Awaits};
use proptest::prelude::*;

use crate::recording::{EndReason, Entry, Origin, ReadError, Reader, Start, Writer};
use crate::testing;

fn start() -> Start {
    Start {
        at: make::at(1),
        version: Arc::from("0.1.0"),
        origin: Origin::Folder,
        authority: Authority::Own,
        awaits: Awaits::NotRefused,
        own_namespace: make::ns("isthmus-system"),
        hub: None,
        region: Some(make::region_id("eu")),
    }
}

fn recorded(rounds: &[Vec<Batch>], max_bytes: u64) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, max_bytes, &start()).expect("memory");
    for (at, round) in (2..).zip(rounds) {
        writer.round(make::at(at), round).expect("memory");
    }
    let full = writer.has_ended();
    writer.end(make::at(99), EndReason::Stopped).expect("memory");
    (bytes, full)
}

/// One round of these, from the start to the end.
pub(super) fn whole(batches: &[Batch]) -> Vec<u8> {
    recorded(&[batches.to_vec()], u64::MAX).0
}

fn read(bytes: &[u8]) -> Result<(Start, Vec<Entry>, EndReason), ReadError> {
    let (mut reader, start) = Reader::new(bytes)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        entries.push(entry);
    }
    let end = reader.end().expect("it was complete").clone();
    assert_eq!(end.entries, entries.len() as u64);
    Ok((start, entries, end.reason))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_recorded_is_read(
        rounds in proptest::collection::vec(proptest::collection::vec(testing::batch(), 1..3), 0..4),
    ) {
        let (bytes, full) = recorded(&rounds, u64::MAX);
        prop_assert!(!full);
        let (found, entries, reason) = read(&bytes).expect("a complete recording");
        prop_assert_eq!(found, start());
        prop_assert_eq!(reason, EndReason::Stopped);
        let expected: Vec<Entry> = (2..)
            .zip(&rounds)
            .flat_map(|(at, round)| round.iter().enumerate().map(move |(index, batch)| (at, index, batch)))
            .map(|(at, index, batch)| Entry { at: make::at(at), begins_round: index == 0, batch: batch.clone() })
            .collect();
        prop_assert_eq!(entries, expected);
    }

    #[test]
    fn no_recording_is_larger_than_allowed(
        rounds in proptest::collection::vec(proptest::collection::vec(testing::batch(), 1..3), 0..6),
        max in 200_u64..4_000,
    ) {
        let (whole, _) = recorded(&rounds, u64::MAX);
        let (bytes, full) = recorded(&rounds, max);
        prop_assert!(bytes.len() as u64 <= max, "{} of {max}", bytes.len());
        let (_, _, reason) = read(&bytes).expect("a complete recording");
        prop_assert_eq!(reason, if full { EndReason::Full } else { EndReason::Stopped });
        prop_assert!(full || bytes == whole);
    }
}

#[test]
fn a_recording_that_was_cut_is_refused() {
    let federation = TestFederation::new().region("eu", &[]).member("eu-1", "eu", "10.0.0.0/16", "10.96.0.0/16");
    let (whole, _) = recorded(&[federation.hub(), federation.listing("eu-1", 1)], u64::MAX);
    assert_eq!(read(&whole).expect("whole").1.len(), 10);
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_err(), "{length} of {}", whole.len());
    }
    let end = whole.len() - crate::frame::encode(crate::frame::Kind::RECORDING_END, &[0; 9]).expect("bytes").len();
    let texts: Vec<String> =
        (end - 8..end + 8).map(|length| read(&whole[..length]).expect_err("cut").to_string()).collect();
    assert!(
        texts
            .iter()
            .any(|text| text
                .ends_with("the end, after 10 batches; expected the frame that ends a recording: it was cut")),
        "{texts:?}"
    );
    assert!(read(&[whole.clone(), whole].concat()).is_err());
}
