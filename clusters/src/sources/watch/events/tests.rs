//! No text costs more than its length justifies, however it is made.

use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use proptest::prelude::*;

use super::testing::{line, page};
use super::*;
use crate::api::ServiceExport;
use crate::sources::watch::{Plain, RemoteSlices};

/// Bytes that a text of one byte may cost, and what may be spent besides.
const FACTOR: u64 = 16;
const BESIDES: u64 = 1 << 20;
/// Longest text that is tried.
const MOST: usize = 256 << 10;

/// The most memory that was held while one text was read as one kind's list and as one kind's watch event.
fn cost(text: &[u8]) -> u64 {
    let mut most = 0;
    let mut measure = |read: &mut dyn FnMut()| most = allocation_counter::measure(read).bytes_max.max(most);
    macro_rules! each {
        ($($kind:ty),*) => {$(
            measure(&mut || drop(page::<$kind>(text.to_vec())));
            measure(&mut || _ = line::<$kind>(text));
        )*};
    }
    each!(Plain<Namespace>, Plain<Service>, RemoteSlices, Plain<Node>, Plain<ServiceExport>);
    most
}

fn check(text: &[u8]) {
    let (cost, allowed) = (cost(text), FACTOR * text.len() as u64 + BESIDES);
    let begin = String::from_utf8_lossy(text.get(..200).unwrap_or(text));
    assert!(cost <= allowed, "{} bytes cost {cost}, more than {allowed}: {begin}", text.len());
}

/// Where many small values may be: `@` is replaced by them. In a list of their own, or as the entries of a map.
const PLACES: [&str; 15] = [
    "[@]",
    "{@}",
    r#"{"metadata":{"name":"a","namespace":"b","managedFields":[@]}}"#,
    r#"{"metadata":{"name":"a","namespace":"b","managedFields":[{"fieldsV1":{"a":[@]}}]}}"#,
    r#"{"metadata":{"name":"a","namespace":"b","managedFields":[{"fieldsV1":{@}}]}}"#,
    r#"{"metadata":{"name":"a","namespace":"b","labels":{@}}}"#,
    r#"{"metadata":{"name":"a","namespace":"b","annotations":{@}}}"#,
    r#"{"metadata":{"name":"a","namespace":"b","ownerReferences":[@]}}"#,
    r#"{"metadata":{"name":"a","namespace":"b","finalizers":[@]}}"#,
    r#"{"metadata":{"name":"a","namespace":"b"},"spec":{"ports":[@],"clusterIPs":["10.0.0.1"]}}"#,
    r#"{"metadata":{"name":"a","namespace":"b"},"spec":{"podCIDRs":[@]},"status":{"images":[@],"conditions":[@]}}"#,
    r#"{"metadata":{"name":"a","namespace":"b","labels":{"kubernetes.io/service-name":"w"}},"addressType":"IPv4","endpoints":[@],"ports":[@]}"#,
    r#"{"metadata":{"name":"a","namespace":"b"},"addressType":"IPv4","endpoints":[{"addresses":[@]},{"addresses":["10.0.0.1"],"deprecatedTopology":{@}}]}"#,
    r#"{"metadata":{"name":"a","namespace":"b"},"status":{"conditions":[@],"loadBalancer":{"ingress":[@]}}}"#,
    r#"{"metadata":{"name":"a","namespace":"b","managedFields":[{"fieldsV1":{"$serde_json::private::RawValue":"[@]"}}]}}"#,
];

const ELEMENTS: [&str; 14] = [
    "{}",
    "[]",
    "\"\"",
    "0",
    "null",
    "{\"a\":{}}",
    "{\"\":\"\"}",
    "[[]]",
    "[0]",
    "{\"port\":1}",
    "{\"addresses\":[\"\"]}",
    "{\"fieldsV1\":{\"a\":{\"b\":{}}}}",
    "\"\\u0024\"",
    "{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"}}",
];

fn many(element: &str, length: usize, entries: bool) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < length {
        if entries {
            text.push_str(&format!("\"{number:x}\":"));
        }
        text.push_str(element);
        text.push(',');
        number += 1;
    }
    text.pop();
    text
}

/// As a list of one object, and as an event.
fn wrapped(object: &str, list: bool) -> String {
    if list {
        format!(r#"{{"metadata":{{"resourceVersion":"1"}},"items":[{object}]}}"#)
    } else {
        format!(r#"{{"type":"ADDED","object":{object}}}"#)
    }
}

#[test]
fn many_small_values_cost_no_more_than_their_length_justifies() {
    for (number, place) in PLACES.into_iter().enumerate() {
        for (other, element) in ELEMENTS.into_iter().enumerate() {
            let entries = place.contains("{@}");
            let object = place.replace('@', &many(element, MOST / 8, entries));
            check(wrapped(&object, (number + other) % 2 == 0).as_bytes());
        }
    }
}

/// What the tests here would find without the budget.
#[test]
fn without_the_budget_short_texts_would_cost_much() {
    let text = PLACES
        .iter()
        .find(|place| place.contains("\"ports\""))
        .expect("a place")
        .replace('@', &many("{}", MOST, false));
    let read = || _ = serde_json::from_str::<Service>(&text);
    let cost = allocation_counter::measure(read).bytes_max;
    assert!(cost > 2 * (FACTOR * text.len() as u64 + BESIDES), "{cost} for {} bytes", text.len());
}

#[test]
fn many_small_objects_cost_no_more_than_their_length_justifies() {
    for element in ELEMENTS {
        check(wrapped(&many(element, MOST / 16, false), true).as_bytes());
    }
}

#[test]
fn long_texts_and_deep_nesting_cost_no_more_than_their_length_justifies() {
    let long = "x".repeat(MOST);
    for object in [
        format!("\"{long}\""),
        format!(r#"{{"metadata":{{"name":"{long}","namespace":"b","resourceVersion":"1"}}}}"#),
        format!(r#"{{"metadata":{{"name":"a","namespace":"{long}"}}}}"#),
        format!(r#"{{"metadata":{{"name":"a","namespace":"b","annotations":{{"{long}":"{long}"}}}}}}"#),
        format!("{}{}", "[".repeat(MOST / 2), "]".repeat(MOST / 2)),
        "[".repeat(MOST),
        "{\"a\":".repeat(MOST / 5),
    ] {
        for list in [true, false] {
            check(wrapped(&object, list).as_bytes());
        }
        check(object.as_bytes());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn no_text_costs_more_than_its_length_justifies(
        parts in proptest::collection::vec((0..PLACES.len(), 0..ELEMENTS.len(), 1_usize..30_000), 1..5),
        list in any::<bool>(),
        cut in 0.5_f64..3.0,
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let object = |(place, element, length): (usize, usize, usize)| {
            let place = PLACES.get(place).copied().unwrap_or("[@]");
            place.replace('@', &many(ELEMENTS.get(element).copied().unwrap_or("0"), length, place.contains("{@}")))
        };
        let objects: Vec<String> = parts.into_iter().map(object).collect();
        let mut text = wrapped(&objects.join(","), list).into_bytes();
        for (at, byte) in flips {
            let at = at.index(text.len());
            text[at] = byte;
        }
        text.truncate((text.len() as f64 * cut) as usize);
        check(&text);
    }

    #[test]
    fn noise_is_read_without_harm(text in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        check(&text);
    }
}

/// The budget must not refuse what is real.
#[test]
fn dense_real_objects_are_read() {
    let endpoint = |number: usize| {
        format!(r#"{{"addresses":["10.{}.{}.1"],"conditions":{{"ready":true}}}}"#, number / 250, number % 250)
    };
    let endpoints: Vec<String> = (0..1_000).map(endpoint).collect();
    let slice = format!(
        r#"{{"metadata":{{"name":"w-1","namespace":"b","resourceVersion":"1","labels":{{"kubernetes.io/service-name":"w"}}}},"addressType":"IPv4","endpoints":[{}],"ports":[{{"port":80}}]}}"#,
        endpoints.join(",")
    );
    assert_eq!(page::<RemoteSlices>(wrapped(&slice, true).into_bytes()), Ok(1));
    assert!(line::<RemoteSlices>(wrapped(&slice, false).as_bytes()));
    let ports: Vec<String> = (1..=1_000).map(|port| format!(r#"{{"name":"p{port}","port":{port}}}"#)).collect();
    let fields: Vec<String> = (0..400)
        .map(|number| format!(r#""k:{{\"port\":{number}}}":{{".":{{}},"f:name":{{}},"f:port":{{}}}}"#))
        .collect();
    let service = format!(
        r#"{{"metadata":{{"name":"w","namespace":"b","resourceVersion":"1","managedFields":[{{"manager":"m","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{{"f:spec":{{"f:ports":{{{}}}}}}}}}]}},"spec":{{"clusterIP":"10.0.0.1","ports":[{}]}}}}"#,
        fields.join(","),
        ports.join(",")
    );
    assert_eq!(page::<Plain<Service>>(wrapped(&service, true).into_bytes()), Ok(1));
    assert!(line::<Plain<Service>>(wrapped(&service, false).as_bytes()));
    let slices: EndpointSlice = serde_json::from_str(&slice).expect("a slice");
    assert_eq!(slices.endpoints.map(|endpoints| endpoints.len()), Some(1_000));
}

#[test]
fn what_is_wrong_is_reported_and_nothing_of_it_repeated() {
    const SECRET: &str = "the-token";
    let cases: [(&[u8], &str); 12] = [
        (b"{\"items\":[the-token", "the list is not JSON (line 1, column 12)"),
        (b"<html>the-token</html>", "the list is HTML and not JSON"),
        (b"\n  <!doctype html>the-token", "the list is HTML and not JSON"),
        (b"the-token", "the list is not JSON"),
        (b"{\"items\":[{\"the-token\":\"\xff\"}]}", "the list is not UTF-8 text (byte 24)"),
        (
            b"{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"the-token\":",
            "the list ends in the middle, after 58 bytes",
        ),
        (b"", "the list ends in the middle, after 0 bytes"),
        (b"[\"the-token\"]", "another kind of object"),
        (b"{\"items\":\"the-token\"}", "expected a ServiceList"),
        (
            b"{\"kind\":\"the-token\",\"items\":[]}",
            "another kind of object than it was asked for; expected a ServiceList",
        ),
        (b"{\"kind\":\"Status\",\"message\":\"the-token\"}", "another kind of object"),
        (b"{\"metadata\":{\"continue\":[\"the-token\"]},\"items\":[]}", "the list does not have the form"),
    ];
    for (text, expected) in cases {
        let fault = page::<Plain<Service>>(text.to_vec()).expect_err("it cannot be read").to_string();
        assert!(fault.contains(expected), "{expected:?} is not in {fault:?}");
        assert!(!fault.contains(SECRET), "{fault}");
    }
    let long = format!(r#"{{"metadata":{{"continue":"{}"}},"items":[]}}"#, "x".repeat(5_000));
    assert!(matches!(page::<Plain<Service>>(long.into_bytes()), Err(Fault::TooLong { limit: 4_096, .. })));
}

#[test]
fn objects_are_found_one_by_one_whatever_is_between_them() {
    for (items, expected) in [
        ("[]", 0),
        ("null", 0),
        (" [ ] ", 0),
        (r#"[ {"metadata":{"name":"a"}} ,{"metadata":{"name":"b"}}]"#, 2),
        (
            r#"[{"metadata":{"name":"a","annotations":{"x":"],[{\"}"}}},1,true,null,"x",[],{"metadata":{"name":"b"}}]"#,
            2,
        ),
    ] {
        let text = format!(r#"{{"kind":"NamespaceList","items":{items},"metadata":{{"resourceVersion":"1"}}}}"#);
        assert_eq!(page::<Plain<Namespace>>(text.into_bytes()), Ok(expected), "{items}");
    }
}
