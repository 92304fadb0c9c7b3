use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DiscoveryRequest};
use envoy_types::pb::google::rpc::Status;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::resource::version_text;
use crate::testing::memory::allocated;

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(".{0,12}", 0..6)
}

fn error() -> impl Strategy<Value = Option<Status>> {
    prop::option::of(".{0,12}".prop_map(|message| Status { code: 3, message, details: Vec::new() }))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Against prost, which decodes everything.
    #[test]
    fn a_request_is_read_as_it_was_written(
        (subscribe, unsubscribe) in (names(), names()),
        known in prop::collection::hash_map(".{0,12}", any::<u64>(), 0..6),
        (type_url, nonce) in (".{1,12}", ".{0,12}"),
        error in error(),
        version in ".{0,3}",
        id in ".{1,12}",
    ) {
        let node = Some(Node { id, ..Node::default() });
        let texts = known.iter().map(|(name, version)| (name.clone(), version_text(*version))).collect();
        let delta = DeltaDiscoveryRequest {
            node: node.clone(), type_url: type_url.clone(), response_nonce: nonce.clone(), error_detail: error.clone(),
            resource_names_subscribe: subscribe.clone(), resource_names_unsubscribe: unsubscribe.clone(),
            initial_resource_versions: texts, ..<_>::default()
        };
        let known = Known::new(known.iter().map(|(name, version)| (&**name, Some(*version))));
        let error_text = error.as_ref().map(|status| status.message.clone());
        let ask = Ask::Delta { subscribe: subscribe.clone(), unsubscribe, known };
        let expected = RawRequest { node: node.clone(), type_url: type_url.clone(), nonce: nonce.clone(), error: error_text, ask };
        let read = RawRequest::read(Variant::Delta, &delta.encode_to_vec());
        prop_assert_eq!(read.as_ref(), Ok(&expected));
        let sotw = DiscoveryRequest {
            node, type_url, response_nonce: nonce, error_detail: error, version_info: version.clone(),
            resource_names: subscribe.clone(), ..<_>::default()
        };
        let expected = RawRequest { ask: Ask::Sotw { names: subscribe, returning: !version.is_empty() }, ..expected };
        prop_assert_eq!(RawRequest::read(Variant::Sotw, &sotw.encode_to_vec()), Ok(expected));
    }

    #[test]
    fn no_bytes_are_more_than_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for variant in [Variant::Sotw, Variant::Delta] {
            let _ = RawRequest::read(variant, &bytes);
        }
    }
}

/// A length-delimited field, as many times.
fn repeated(number: u8, content: &[u8], times: usize) -> Vec<u8> {
    let len = u8::try_from(content.len()).expect("short");
    [&[(number << 3) | 2, len], content].concat().repeat(times)
}

fn nested(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![(number << 3) | 2];
    prost::encode_length_delimiter(content.len(), &mut out).expect("room");
    out.extend_from_slice(content);
    out
}

/// The worst that can be made of about a megabyte, for each field whose decoded form is larger than its bytes.
fn worst() -> Vec<(&'static str, Vec<u8>)> {
    const TIMES: usize = 500_000;
    let distinct = |number: u8, inner: bool| -> Vec<u8> {
        let name = |i: u32| {
            let key = i.to_be_bytes().map(|byte| byte & 0x7f);
            if inner { nested(number, &nested(1, &key[1..])) } else { nested(number, &key[1..]) }
        };
        (0..150_000).flat_map(name).collect()
    };
    let node = |content: &[u8]| nested(1, content);
    vec![
        ("empty names", repeated(3, b"", TIMES)),
        ("short names", distinct(3, false)),
        ("empty names to drop", repeated(4, b"", TIMES)),
        ("empty versions", repeated(5, b"", TIMES)),
        ("short versions", distinct(5, true)),
        ("empty nodes", repeated(1, b"", TIMES)),
        ("extensions of a node", node(&repeated(9, b"", TIMES))),
        ("addresses of a node", node(&repeated(11, b"", TIMES))),
        ("metadata", node(&nested(3, &repeated(1, b"", TIMES)))),
        ("metadata that is read", node(&nested(3, &repeated(1, &nested(1, b"NETWORK"), TIMES / 5)))),
        ("values", node(&nested(3, &nested(1, &[nested(1, b"NETWORK"), repeated(2, b"", TIMES)].concat())))),
        ("lists in values", {
            let list = nested(2, &nested(6, &repeated(1, b"", TIMES)));
            node(&nested(3, &nested(1, &[nested(1, b"NETWORK"), list].concat())))
        }),
        ("details of an error", nested(7, &repeated(3, b"", TIMES))),
        ("a long error", nested(7, &nested(2, &vec![b'x'; 1 << 20]))),
        ("locators", repeated(8, b"", TIMES)),
        ("unknown fields", repeated(15, b"", TIMES)),
    ]
}

#[test]
fn no_message_costs_more_than_sixteen_times_its_bytes() {
    for (name, message) in worst() {
        // In the fields of the other variant as well: then most of it is skipped.
        for variant in [Variant::Delta, Variant::Sotw] {
            let (read, most) = allocated(|| RawRequest::read(variant, &message));
            // To the other variant some of it is no message.
            assert!(read.is_ok() || variant == Variant::Sotw, "{name}: {:?}", read.err());
            let allowed = 16 * message.len() + (1 << 20);
            assert!(
                most <= allowed,
                "{name}, {variant:?}: {} bytes cost {most}, expected at most {allowed}",
                message.len()
            );
        }
    }
    // And the measure sees what a decoder that decodes everything costs.
    let (_, message) = worst().remove(6);
    let (_, most) = allocated(|| DeltaDiscoveryRequest::decode(&*message));
    assert!(most > 16 * message.len() + (1 << 20), "prost needs {most} bytes for {}", message.len());
}

#[test]
fn no_more_names_are_collected_than_it_takes_to_refuse_them() {
    for (message, field) in [(repeated(3, b"", 3 * MAX_NAMES), 0), (repeated(4, b"", 3 * MAX_NAMES), 1)] {
        let Ok(RawRequest { ask: Ask::Delta { subscribe, unsubscribe, .. }, .. }) =
            RawRequest::read(Variant::Delta, &message)
        else {
            panic!("a request")
        };
        assert_eq!([subscribe.len(), unsubscribe.len()][field], MAX_NAMES + 1);
    }
}
