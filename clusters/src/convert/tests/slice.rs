use federation::model::{Health, PodId, Protocol, Slice, Zone};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::{convert, read, reject, taken};
use crate::convert::{Convert as _, MAX_ENDPOINTS_PER_SLICE, MAX_PORTS_PER_SLICE, remote_slice};

const GOOD: &str = r#"
metadata:
  namespace: shop
  name: web-x7k2p
  labels: {kubernetes.io/service-name: web}
addressType: IPv4
ports:
- {name: http, port: 8080}
- {name: sctp, port: 9, protocol: SCTP}
endpoints:
- {addresses: [10.8.0.1, 10.8.0.2], zone: eu-a, conditions: {ready: true}}
- {addresses: [10.8.0.3]}
"#;

#[test]
fn a_good_one() {
    let slice = convert::<EndpointSlice>(GOOD).unwrap().unwrap();
    assert_eq!((slice.key.namespace.as_str(), &*slice.key.name), ("shop", "web-x7k2p"));
    assert_eq!(slice.service.to_string(), "shop/web");
    let ports: Vec<_> = slice.ports.iter().map(|p| (&*p.name, p.port, p.protocol)).collect();
    assert_eq!(ports, [("http", 8080, Protocol::Tcp), ("sctp", 9, Protocol::Sctp)], "in order");
    let endpoints: Vec<_> = slice
        .endpoints
        .iter()
        .map(|e| (e.ip.to_string(), e.zone.as_ref().map(ToString::to_string), e.health))
        .collect();
    let expected = [("10.8.0.1".into(), Some("eu-a".into()), Health::Ready), ("10.8.0.3".into(), None, Health::Ready)];
    assert_eq!(endpoints, expected, "only the first address counts");
}

#[test]
fn health() {
    for (conditions, health) in [
        ("{}", Health::Ready),
        ("{ready: true}", Health::Ready),
        ("{ready: false}", Health::NotReady),
        ("{ready: false, serving: true, terminating: false}", Health::NotReady),
        ("{ready: false, serving: true, terminating: true}", Health::Draining),
        ("{ready: false, serving: false, terminating: true}", Health::Ended),
        ("{ready: false, terminating: true}", Health::Draining),
        ("{serving: false, terminating: true}", Health::Ended),
        ("{ready: false, serving: true}", Health::NotReady),
        ("{serving: false}", Health::Ready),
        ("{ready: true, serving: false, terminating: true}", Health::Ready),
        ("{terminating: true}", Health::Draining),
        ("{ready: true, terminating: true}", Health::Ready),
    ] {
        let slice = convert::<EndpointSlice>(&GOOD.replace("{ready: true}", conditions)).unwrap().unwrap();
        assert_eq!(slice.endpoints[0].health, health, "{conditions}");
    }
}

#[test]
fn those_not_for_us_are_passed_over_without_a_word() {
    for (from, to) in [
        ("kubernetes.io/service-name: web", "app: web"),
        ("{kubernetes.io/", "{endpointslice.kubernetes.io/managed-by: isthmus, kubernetes.io/"),
        ("{kubernetes.io/", "{isthmus.dev/mirror: \"true\", kubernetes.io/"),
        ("{kubernetes.io/", "{multicluster.kubernetes.io/source-cluster: us-1, kubernetes.io/"),
        ("{kubernetes.io/", "{multicluster.kubernetes.io/service-name: web, kubernetes.io/"),
        ("addressType: IPv4", "addressType: FQDN"),
    ] {
        assert!(GOOD.contains(from));
        let nonsense = GOOD.replace(from, to).replace("8080", "0");
        assert_eq!(convert::<EndpointSlice>(&nonsense), Ok(None), "{from} -> {to}");
    }
    let others = GOOD.replace("{kubernetes.io/", "{endpointslice.kubernetes.io/managed-by: by-hand, kubernetes.io/");
    assert!(convert::<EndpointSlice>(&others).unwrap().is_some());
}

#[test]
fn bad_ones() {
    const NOT_USED: &str = "the endpoint is not used";
    let zone_64 = format!("zone: {}", "z".repeat(64));
    let zone_63 = format!("zone: {}", "z".repeat(63));
    let name_254 = "n".repeat(254);
    let name_cut = crate::foreign::cut_name(&name_254, 253).into_owned();
    let unicast = "expected a unicast address that other hosts can reach: not unspecified, link-local, \
                   multicast, broadcast or IPv4-mapped";
    let unusable = |ip: &str| {
        format!("EndpointSlice shop/web-x7k2p: endpoints[1].addresses[0]: found {ip}; {unicast}; {NOT_USED}")
    };
    reject::<EndpointSlice>(
        GOOD,
        &[
            ("10.8.0.3", "0.0.0.0", &unusable("0.0.0.0")),
            ("10.8.0.3", "169.254.169.254", &unusable("169.254.169.254")),
            ("10.8.0.3", "224.0.0.1", &unusable("224.0.0.1")),
            ("10.8.0.3", "\"::ffff:10.8.0.3\"", &unusable("::ffff:10.8.0.3")),
            (
                "10.8.0.3",
                "\"fd00::1\"",
                "EndpointSlice shop/web-x7k2p: endpoints[1].addresses[0]: found fd00::1; expected an IPv4 address, as addressType says; the endpoint is not used",
            ),
            (
                "10.8.0.3",
                "010.8.0.3",
                "EndpointSlice shop/web-x7k2p: endpoints[1].addresses[0]: found \"010.8.0.3\"; expected an IP address such as 10.8.0.1 or fd00::1; the endpoint is not used",
            ),
            (
                "[10.8.0.3]",
                "[]",
                "EndpointSlice shop/web-x7k2p: endpoints[1].addresses: found no address; expected at least one address; the endpoint is not used",
            ),
            ("IPv4", "IPv5", "EndpointSlice shop/web-x7k2p: addressType: found \"IPv5\"; expected IPv4, IPv6 or FQDN"),
            (
                "port: 8080",
                "port: 70000",
                "EndpointSlice shop/web-x7k2p: ports[0].port: found 70000; expected a number from 1 to 65535; the port is not used",
            ),
            (
                "port: 8080",
                "port: -1",
                "EndpointSlice shop/web-x7k2p: ports[0].port: found -1; expected a number from 1 to 65535; the port is not used",
            ),
            (
                "SCTP",
                "QUIC",
                "EndpointSlice shop/web-x7k2p: ports[1].protocol: found \"QUIC\"; expected TCP, UDP or SCTP; the port is not used",
            ),
            ("zone: eu-a", &zone_63, "accepted"),
            (
                "zone: eu-a",
                &zone_64,
                "EndpointSlice shop/web-x7k2p: endpoints[0].zone: found 64 bytes; expected at most 63 bytes; the endpoint is used without its own zone",
            ),
            ("zone: eu-a", "zone: \"\"", "accepted"),
            (
                "service-name: web",
                "service-name: Web",
                "EndpointSlice shop/web-x7k2p: metadata.labels[\"kubernetes.io/service-name\"]: found \"Web\"; expected an RFC 1123 label: lower-case letters, digits and '-', starting and ending with a letter or digit",
            ),
            ("name: web-x7k2p", &format!("name: {}", "n".repeat(253)), "accepted"),
            (
                "name: web-x7k2p",
                &format!("name: {name_254}"),
                &format!("EndpointSlice shop/{name_cut}: metadata.name: found 254 bytes; expected at most 253 bytes"),
            ),
        ],
    );
}

#[test]
fn lists_are_bounded() {
    let with = |endpoints: usize, ports: usize| {
        let endpoints: Vec<_> =
            (0..endpoints).map(|n| format!("{{addresses: [10.9.{}.{}]}}", n / 250, n % 250 + 1)).collect();
        let ports: Vec<_> = (1..=ports).map(|n| format!("{{name: p{n}, port: {n}}}")).collect();
        read::<EndpointSlice>(&format!(
            "{{metadata: {{namespace: a, name: b, labels: {{kubernetes.io/service-name: b}}}}, addressType: IPv4, \
             endpoints: [{}], ports: [{}]}}",
            endpoints.join(", "),
            ports.join(", ")
        ))
        .convert()
    };
    let slice = with(MAX_ENDPOINTS_PER_SLICE, MAX_PORTS_PER_SLICE).unwrap().object.unwrap();
    assert_eq!((slice.endpoints.len(), slice.ports.len()), (MAX_ENDPOINTS_PER_SLICE, MAX_PORTS_PER_SLICE));
    let many = with(10_000, 1_001).unwrap();
    let reported: Vec<String> = many.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        reported,
        [
            "EndpointSlice a/b: ports: found 1001 ports; expected at most 1000; the ports after these are not used",
            "EndpointSlice a/b: endpoints: found 10000 endpoints; expected at most 1000; the endpoints after these are not used",
        ]
    );
    let slice = many.object.unwrap();
    assert_eq!((slice.endpoints.len(), slice.ports.len()), (MAX_ENDPOINTS_PER_SLICE, MAX_PORTS_PER_SLICE));
}

/// As little as possible is lost, and all that is left is used as if nothing were wrong.
#[test]
fn one_bad_field_costs_no_more_than_itself() {
    let shown = |slice: &Slice| {
        let ports: Vec<_> = slice.ports.iter().map(|port| format!("{}:{}", port.name, port.port)).collect();
        let zone = |zone: &Option<Zone>| zone.as_ref().map_or("-".to_owned(), ToString::to_string);
        let endpoints: Vec<_> = slice.endpoints.iter().map(|e| format!("{}@{}", e.ip, zone(&e.zone))).collect();
        format!("{} | {}", ports.join(" "), endpoints.join(" "))
    };
    let good = "http:8080 sctp:9 | 10.8.0.1@eu-a 10.8.0.3@-";
    assert_eq!(shown(&taken::<EndpointSlice>(GOOD)), good);
    for (from, to, left) in [
        ("zone: eu-a", format!("zone: {}", "z".repeat(64)), "http:8080 sctp:9 | 10.8.0.1@- 10.8.0.3@-"),
        ("10.8.0.3", "host.example.org".into(), "http:8080 sctp:9 | 10.8.0.1@eu-a"),
        ("[10.8.0.1, 10.8.0.2]", "[\"fd00::1\"]".into(), "http:8080 sctp:9 | 10.8.0.3@-"),
        ("[10.8.0.1, 10.8.0.2]", "[10.8.0.1, nonsense]".into(), good),
        ("port: 8080", "port: 0".into(), "sctp:9 | 10.8.0.1@eu-a 10.8.0.3@-"),
        ("name: http", "name: Http".into(), "sctp:9 | 10.8.0.1@eu-a 10.8.0.3@-"),
        ("{name: http, port: 8080}", "{name: http}".into(), "sctp:9 | 10.8.0.1@eu-a 10.8.0.3@-"),
        ("protocol: SCTP", "protocol: QUIC".into(), "http:8080 | 10.8.0.1@eu-a 10.8.0.3@-"),
        ("conditions: {ready: true}", "nodeName: Odd_Node".into(), good),
    ] {
        assert!(GOOD.contains(from));
        let slice = taken::<EndpointSlice>(&GOOD.replacen(from, &to, 1));
        assert_eq!(shown(&slice), left, "{from} -> {to}");
    }
    // Where nothing would be left, what was there before is better than nothing.
    for nothing in
        [GOOD.replace("10.8.0.1", "224.0.0.1").replace("10.8.0.3", "224.0.0.3"), GOOD.replace("port: ", "port: 9999")]
    {
        assert!(read::<EndpointSlice>(&nothing).convert().is_err(), "{nothing}");
    }
    let nothing = GOOD.replace("{name: sctp, port: 9, protocol: SCTP}", "{}").replace(", port: 8080", "");
    assert_eq!(taken::<EndpointSlice>(&nothing).ports, [], "any port, as the API has it");
}

#[test]
fn loopback_addresses_are_for_folders() {
    let local = GOOD.replace("10.8.0.3", "127.0.0.1");
    assert_eq!(taken::<EndpointSlice>(&local).endpoints.len(), 2);
    let remote = remote_slice(&read(&local)).unwrap();
    let expected = "EndpointSlice shop/web-x7k2p: endpoints[1].addresses[0]: found 127.0.0.1; expected an address that other \
                    hosts can reach: not a loopback address; the endpoint is not used";
    assert_eq!(remote.problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    assert_eq!(remote.object.unwrap().endpoints.len(), 1);
}

#[test]
fn endpoints_say_which_pod_they_are_and_where() {
    let pods = |endpoints: &str| -> Vec<PodId> {
        let yaml = GOOD.split("endpoints:").next().unwrap().to_owned() + "endpoints:\n" + endpoints;
        taken::<EndpointSlice>(&yaml).endpoints.iter().map(|endpoint| endpoint.pod).collect()
    };
    let found = pods(
        "- {addresses: [10.8.0.1], targetRef: {kind: Pod, name: web-0, uid: u-0}}\n\
         - {addresses: [10.8.0.2], targetRef: {kind: Pod, name: web-1, uid: u-0}}\n\
         - {addresses: [10.8.0.3], targetRef: {kind: Pod, name: web-0}, hostname: a}\n\
         - {addresses: [10.8.0.4], targetRef: {kind: Pod, name: web-0}, hostname: b}\n\
         - {addresses: [10.8.0.5], hostname: web-0}\n\
         - {addresses: [10.8.0.6], hostname: web-0, nodeName: n1}\n\
         - {addresses: [10.8.0.7], nodeName: n1}\n",
    );
    let same = |a: usize, b: usize| found[a] == found[b];
    assert!(same(0, 1) && same(2, 3) && same(4, 5), "by UID, by name, by hostname: {found:?}");
    assert!(!same(0, 2) && !same(2, 4) && found[..6].iter().all(|pod| pod.is_known()));
    assert!(!found[6].is_known(), "a Node is no pod");

    let slice = taken::<EndpointSlice>(
        &(GOOD.split("endpoints:").next().unwrap().to_owned()
            + "endpoints:\n- {addresses: [nonsense], nodeName: n1}\n- {addresses: [10.8.0.1], nodeName: n1}\n\
               - {addresses: [10.8.0.2], nodeName: n1, zone: eu-a}\n- {addresses: [10.8.0.3], nodeName: n2}\n"),
    );
    let nodes: Vec<_> = (0..4).map(|index| slice.node_of(index).map(|node| &**node)).collect();
    assert_eq!(nodes, [Some("n1"), None, Some("n2"), None], "of those that say no zone");
}

#[test]
fn a_rejected_slice_still_has_its_key() {
    let object: EndpointSlice = read(&GOOD.replace("IPv4", "IPv5"));
    assert!(object.convert().is_err());
    let key = EndpointSlice::key_of(&object.metadata).unwrap();
    assert_eq!((key.namespace.as_str(), &*key.name), ("shop", "web-x7k2p"));
}
