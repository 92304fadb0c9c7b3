//! What is encoded is decoded as it was.

use federation::testing::{TestFederation, make};
use proptest::prelude::*;

use crate::{decode, encode, frame, testing};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_batch_is_decoded_as_it_was(batch in testing::batch()) {
        let bytes = encode(&batch).expect("within the limits");
        prop_assert_eq!(&decode(&bytes).expect("what was encoded"), &batch);
        // Equal batches have equal bytes: replicas and recordings can be compared by them.
        prop_assert_eq!(encode(&batch.clone()).expect("as before"), bytes);
    }

    #[test]
    fn frames_that_follow_each_other_are_read_one_by_one(batches in proptest::collection::vec(testing::batch(), 0..5)) {
        let bytes: Vec<u8> = batches.iter().flat_map(|batch| encode(batch).expect("within the limits")).collect();
        let mut reader = frame::Reader::new(&*bytes);
        for batch in &batches {
            let frame = reader.next_frame().expect("whole").expect("one more");
            let decoded = crate::codec::from_bytes(frame.payload, frame.payload_at).expect("a batch");
            prop_assert_eq!(batch, &decoded);
        }
        prop_assert!(reader.next_frame().expect("the end").is_none());
    }
}

#[test]
fn all_that_a_federation_consists_of_is_decoded_as_it_was() {
    let federation = TestFederation::new()
        .region("eu", &["us"])
        .member("eu-1", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .service("eu-1", "shop/web", &[80, 443])
        .endpoints("eu-1", "shop/web", &["10.0.0.1@z1=web-0", "10.0.0.2@node:n1", "fd00::1@z2!"])
        .service_object("eu-1", make::mirror("shop/api", "http:80=grpc", "10.96.0.9", "us-1"))
        .export("eu-1", "shop/web", 12);
    for batch in federation.batches() {
        let bytes = encode(&batch).expect("within the limits");
        assert_eq!(decode(&bytes).expect("what was encoded"), batch);
    }
}

/// Equal zones share one text after decoding, however they were before: there may be millions of endpoints.
#[test]
fn the_zones_of_a_slice_share_their_texts() {
    let slice = make::slice("shop/web", "web-1", "http:80", &["10.0.0.1@z1", "10.0.0.2@z2", "10.0.0.3@z1"]);
    let bytes = crate::codec::to_bytes(&slice).expect("within the limits");
    let decoded: federation::model::Slice = crate::codec::from_bytes(&bytes, 0).expect("a slice");
    let texts: Vec<_> = decoded.endpoints.iter().filter_map(|e| e.zone.as_ref()).map(|z| z.as_str().as_ptr()).collect();
    assert_eq!(texts.first(), texts.last());
    assert_eq!(decoded, slice);
}

/// What the bound on a payload is made from.
#[test]
fn an_endpoint_of_ipv4_has_about_20_bytes() {
    let texts: Vec<String> = (0..100).map(|n| format!("10.0.0.{n}@zone-a=pod-{n}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let many = crate::codec::to_bytes(&make::slice("shop/web", "web-1", "http:80", &texts)).expect("within the limits");
    let none = crate::codec::to_bytes(&make::slice("shop/web", "web-1", "http:80", &[])).expect("within the limits");
    let each = (many.len() - none.len()) / 100;
    assert!((10..=20).contains(&each), "{each}");
}
