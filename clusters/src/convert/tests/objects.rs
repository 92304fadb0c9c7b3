use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::api::networking::v1::ServiceCIDR;

use super::{convert, reject, taken};
use crate::api::ServiceExport;
use crate::convert::{CidrError, parse_cidr};

#[test]
fn ranges() {
    for good in ["10.8.0.0/14", "0.0.0.0/0", "10.8.0.1/32", "fd00:8::/32", "::/0"] {
        assert_eq!(parse_cidr(good).unwrap().to_string(), good);
    }
    for (bad, error) in [
        ("10.8.1.0/14", CidrError::HostBits { expected: "10.8.0.0/14".parse().unwrap() }),
        ("fd00:8::1/32", CidrError::HostBits { expected: "fd00:8::/32".parse().unwrap() }),
        ("::ffff:10.8.0.0/110", CidrError::Mapped),
        ("10.8.0.0", CidrError::NotARange),
        ("10.8.0.0/33", CidrError::NotARange),
        ("10.8.0.0/-1", CidrError::NotARange),
        ("10.8.0/14", CidrError::NotARange),
        (" 10.8.0.0/14", CidrError::NotARange),
        // 010 is 8 for some programs, 10 for others.
        ("010.64.0.0/14", CidrError::LeadingZeros),
        ("10.064.0.0/14", CidrError::LeadingZeros),
        ("10.64.00.0/14", CidrError::LeadingZeros),
        ("10.64.0.0/014", CidrError::LeadingZeros),
        ("fd00::/08", CidrError::LeadingZeros),
        ("::ffff:010.8.0.0/112", CidrError::LeadingZeros),
        ("", CidrError::NotARange),
    ] {
        assert_eq!(parse_cidr(bad), Err(error), "{bad:?}");
    }
}

#[test]
fn namespaces() {
    let good = "{metadata: {name: shop, uid: u, labels: {a: b}}}";
    let namespace = convert::<Namespace>(good).unwrap().unwrap();
    assert_eq!((namespace.name.as_str(), &*namespace.uid, namespace.terminating), ("shop", "u", false));
    assert_eq!((namespace.labels.get("a"), namespace.helm), (Some("b"), None));
    for leaving in [
        "{metadata: {name: shop}, status: {phase: Terminating}}",
        "{metadata: {name: shop, deletionTimestamp: \"2026-11-01T00:00:00Z\"}}",
    ] {
        assert!(convert::<Namespace>(leaving).unwrap().unwrap().terminating, "{leaving}");
    }
    let long = "u".repeat(129);
    reject::<Namespace>(
        good,
        &[
            (
                "name: shop",
                "name: shop-",
                "Namespace shop-: metadata.name: found \"shop-\"; expected an RFC 1123 label: lower-case letters, digits and '-', starting and ending with a letter or digit",
            ),
            ("name: shop, ", "", "Namespace: metadata.name: found nothing; expected a name such as \"eu-1\""),
            (
                "uid: u",
                &format!("uid: {long}"),
                "Namespace shop: metadata.uid: found 129 bytes; expected at most 128 bytes",
            ),
        ],
    );
    let labels = |count: usize| {
        let labels: Vec<_> = (0..count).map(|n| format!("l{n}: v")).collect();
        convert::<Namespace>(&format!("{{metadata: {{name: shop, labels: {{{}}}}}}}", labels.join(", ")))
    };
    assert!(labels(1_024).is_ok());
    let problems = labels(1_025).unwrap_err();
    assert!(problems[0].to_string().starts_with(
        "Namespace shop: metadata.labels: found 1025 labels; expected at most 1024; the object is not used"
    ));
}

#[test]
fn nodes() {
    let good = "{metadata: {name: node-1.example.org}, spec: {podCIDR: 10.8.0.0/24, podCIDRs: [10.8.0.0/24, \"fd00:8::/64\"]}}";
    let node = convert::<Node>(good).unwrap().unwrap();
    assert_eq!(node.pod_cidrs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.8.0.0/24", "fd00:8::/64"]);
    let singular = convert::<Node>("{metadata: {name: node}, spec: {podCIDR: 10.8.0.0/24}}").unwrap().unwrap();
    assert_eq!(singular.pod_cidrs.len(), 1);
    assert_eq!(convert::<Node>("{metadata: {name: node}}").unwrap().unwrap().pod_cidrs, []);
    reject::<Node>(
        good,
        &[
            (
                "podCIDRs: [10.8.0.0/24",
                "podCIDRs: [10.8.0.1/24",
                "Node node-1.example.org: spec.podCIDRs[0]: found \"10.8.0.1/24\"; expected 10.8.0.0/24 (host bits are set); the range is not counted among the member's",
            ),
            (
                "\"fd00:8::/64\"]",
                "10.8.0.0/24]",
                "Node node-1.example.org: spec.podCIDRs[1]: found 10.8.0.0/24 again; expected each range once; it counts once",
            ),
            (
                "name: node-1.example.org",
                "name: Node_1",
                "Node Node_1: metadata.name: found \"Node_1\"; expected lower-case letters, digits, '-' and '.', starting and ending with a letter or digit",
            ),
        ],
    );
}

#[test]
fn one_bad_range_or_label_costs_no_more_than_itself() {
    let node = |from: &str, to: &str| {
        let good = "{metadata: {name: n1, labels: {topology.kubernetes.io/zone: eu-a}}, \
                    spec: {podCIDRs: [10.8.0.0/24, \"fd00:8::/64\"]}}";
        assert!(good.contains(from));
        let node = taken::<Node>(&good.replace(from, to));
        let zone = node.zone.map_or("-".to_owned(), |zone| zone.to_string());
        format!("{zone} {}", node.pod_cidrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(node("eu-a", "eu-a"), "eu-a 10.8.0.0/24 fd00:8::/64");
    assert_eq!(node("10.8.0.0/24", "10.8.0.1/24"), "eu-a fd00:8::/64");
    assert_eq!(node("\"fd00:8::/64\"", "nonsense"), "eu-a 10.8.0.0/24");
    assert_eq!(node("eu-a", &"z".repeat(64)), "- 10.8.0.0/24 fd00:8::/64");
    assert_eq!(node("eu-a", "\"\""), "- 10.8.0.0/24 fd00:8::/64");
    let cidr = taken::<ServiceCIDR>("{metadata: {name: kubernetes}, spec: {cidrs: [10.12.0.0/20, 10.13.0.1/20]}}");
    assert_eq!(cidr.cidrs.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.12.0.0/20"]);
    let namespace = format!("{{metadata: {{name: shop, labels: {{a: b, c: {}}}}}}}", "x".repeat(64));
    assert_eq!(taken::<Namespace>(&namespace).labels.iter().collect::<Vec<_>>(), [("a", "b")]);
}

#[test]
fn service_cidrs() {
    let good = "{metadata: {name: kubernetes}, spec: {cidrs: [10.12.0.0/20]}}";
    let cidr = convert::<ServiceCIDR>(good).unwrap().unwrap();
    assert_eq!((&*cidr.name, cidr.cidrs[0].to_string().as_str()), ("kubernetes", "10.12.0.0/20"));
    reject::<ServiceCIDR>(
        good,
        &[
            (
                "10.12.0.0/20",
                "10.12.0.0",
                "ServiceCIDR kubernetes: spec.cidrs[0]: found \"10.12.0.0\"; expected a range in CIDR notation such as 10.8.0.0/14 or fd00:8::/32",
            ),
            (
                "10.12.0.0/20",
                "\"::ffff:10.12.0.0/116\"",
                "ServiceCIDR kubernetes: spec.cidrs[0]: found \"::ffff:10.12.0.0/116\"; expected the IPv4 range itself, not its IPv4-mapped form",
            ),
        ],
    );
}

#[test]
fn exports() {
    let good = "{metadata: {namespace: shop, name: web, creationTimestamp: \"2026-11-01T00:00:00Z\"}, status: {conditions: []}}";
    let export = convert::<ServiceExport>(good).unwrap().unwrap();
    assert_eq!((export.key.to_string().as_str(), export.created.unix_ms), ("shop/web", 1_793_491_200_000));
    reject::<ServiceExport>(
        good,
        &[(
            "namespace: shop, ",
            "",
            "ServiceExport web: metadata.namespace: found nothing; expected a name such as \"eu-1\"",
        )],
    );
}
