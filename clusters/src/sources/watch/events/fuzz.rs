//! Fuzz targets: lists and watch events of any bytes, as an API server may send them.

use fuzzing::{any_bytes, edited, run};
use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use proptest::prelude::*;

use super::testing::{line, page};
use crate::api::ServiceExport;
use crate::sources::watch::{Plain, RemoteSlices};

const LISTS: [&str; 4] = [
    r#"{"kind":"ServiceList","metadata":{"resourceVersion":"7","continue":"next"},"items":[{"metadata":{"name":"web","namespace":"shop","uid":"u","resourceVersion":"7","labels":{"a":"b"}},"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[{"name":"http","port":80,"protocol":"TCP"}]}}]}"#,
    r#"{"kind":"EndpointSliceList","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"web-1","namespace":"shop","resourceVersion":"7","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"conditions":{"ready":true},"zone":"z1","targetRef":{"uid":"p"}}],"ports":[{"name":"http","port":8080}]}]}"#,
    r#"{"kind":"NodeList","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"n1","resourceVersion":"7"},"spec":{"podCIDRs":["10.0.1.0/24"]},"status":{"addresses":[{"type":"InternalIP","address":"172.16.0.1"}]}}]}"#,
    r#"{"metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"shop","resourceVersion":"7","managedFields":[{"manager":"m","fieldsV1":{"f:spec":{}}}]}}]}"#,
];
const EVENTS: [&str; 4] = [
    r#"{"type":"ADDED","object":{"metadata":{"name":"web","namespace":"shop","uid":"u","resourceVersion":"8"},"spec":{"clusterIP":"None","ports":[{"port":80}]}}}"#,
    r#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}"#,
    r#"{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}"#,
    r#"{"type":"DELETED","object":{"metadata":{"name":"web-1","namespace":"shop","resourceVersion":"8","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv6","endpoints":[{"addresses":["fd00::1"]}],"ports":null}}"#,
];
const WORDS: [&str; 14] = [
    "null",
    "[]",
    "{}",
    "\"\"",
    "1e999",
    "-0",
    "\\ud800",
    "\"metadata\":",
    "\"items\":[",
    "{\"a\":",
    "\"code\":410",
    "]}",
    "\u{feff}",
    "$serde_json::private::RawValue",
];

fn inputs(seeds: &[&str]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    prop_oneof![1 => any_bytes(1_000), 8 => edited(seeds, &WORDS)]
}

macro_rules! each {
    ($read:ident, $text:expr) => {
        _ = $read::<Plain<Namespace>>($text);
        _ = $read::<Plain<Service>>($text);
        _ = $read::<RemoteSlices>($text);
        _ = $read::<Plain<Node>>($text);
        _ = $read::<Plain<ServiceExport>>($text);
    };
}

#[test]
fn fuzz_kubernetes_lists() {
    run("Kubernetes lists", inputs(&LISTS), |text| {
        each!(page, text.clone());
    });
}

#[test]
fn fuzz_kubernetes_watch_events() {
    run("Kubernetes watch events", inputs(&EVENTS), |text| {
        each!(line, &text);
    });
}
