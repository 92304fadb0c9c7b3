use envoy_types::pb::envoy::config::core::v3::Locality;
use envoy_types::pb::google::protobuf::{Struct, Value};

use super::*;

fn node(id: &str, locality: (&str, &str), metadata: &[(&str, Kind)]) -> Node {
    let fields = metadata.iter().map(|(key, kind)| ((*key).to_owned(), Value { kind: Some(kind.clone()) })).collect();
    Node {
        id: id.to_owned(),
        locality: Some(Locality { region: locality.0.into(), zone: locality.1.into(), sub_zone: String::new() }),
        metadata: Some(Struct { fields }),
        ..Node::default()
    }
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

fn parse(node: &Node) -> Result<Client, NodeError> {
    Client::from_node(node, &crate::testing::defaults(), true)
}

#[test]
fn a_full_node_is_read() {
    let metadata = [
        ("CLUSTER_ID", text("us-1")),
        ("NAMESPACE", text("shop")),
        ("NETWORK", text("vpc-b")),
        ("LISTEN", text("127.0.0.9")),
        ("OTHER", Kind::NumberValue(1.0)),
    ];
    let client = parse(&node("web-1", ("us", "us-a"), &metadata)).expect("a client");
    assert_eq!(client.node_id, "web-1");
    assert_eq!(client.namespace, Namespace::new("shop").ok());
    let class = client.class;
    assert_eq!(class.client.region.as_str(), "us");
    assert_eq!(class.client.zone, Zone::new("us-a").ok());
    assert_eq!(class.client.network.as_str(), "vpc-b");
    assert_eq!(class.client.cluster, ClusterId::new("us-1").ok());
    assert!(class.network_named);
    let listen = "127.0.0.9".parse().expect("an address");
    let expected =
        EnvoyProfile { listen, interception: Interception::Redirect, on_demand: true, leds: false, vhds: false };
    assert_eq!(class.profile, Profile::Envoy(expected));
}

#[test]
fn what_is_missing_has_a_default() {
    let client = parse(&Node { id: "x".into(), ..Node::default() }).expect("a client");
    assert_eq!(client.class.client.region.as_str(), "eu", "the control plane's own region");
    assert_eq!(client.class.client.zone, None);
    assert_eq!(client.class.client.network.as_str(), "default");
    assert_eq!(client.class.client.cluster, None);
    assert!(!client.class.network_named);
    let listen = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let expected =
        EnvoyProfile { listen, interception: Interception::Unset, on_demand: false, leds: false, vhds: false };
    assert_eq!(client.class.profile, Profile::Envoy(expected), "no member, no VIPs to recognise");
}

#[test]
fn interception_is_what_the_node_sets_or_else_follows_from_its_member() {
    let of = |mode: &str, cluster: &str| {
        let metadata = [("INTERCEPTION_MODE", text(mode)), ("CLUSTER_ID", text(cluster))];
        match parse(&node("x", ("", ""), &metadata)).expect("a client").class.profile {
            Profile::Envoy(envoy) => envoy.interception,
            Profile::Grpc => panic!("an Envoy"),
        }
    };
    for cluster in ["", "eu-1", "unknown"] {
        assert_eq!(of("REDIRECT", cluster), Interception::Redirect, "{cluster:?}");
        assert_eq!(of("NONE", cluster), Interception::None, "{cluster:?}");
    }
    assert_eq!((of("", "eu-1"), of("", "")), (Interception::Redirect, Interception::Unset));
}

#[test]
fn unusable_values_name_field_found_and_expected() {
    let cases = [
        (node("", ("", ""), &[]), vec!["node.id", "empty"]),
        (node(&"x".repeat(254), ("", ""), &[]), vec!["node.id", "254", "253"]),
        (node("x", ("EU", ""), &[]), vec!["node.locality.region", "\"EU\"", "lower-case"]),
        (node("x", ("", &"z".repeat(64)), &[]), vec!["node.locality.zone", "64", "63"]),
        (node("x", ("", ""), &[("CLUSTER_ID", text("eu_1"))]), vec!["CLUSTER_ID", "\"eu_1\"", "lower-case"]),
        (node("x", ("", ""), &[("CLUSTER_ID", Kind::BoolValue(true))]), vec!["CLUSTER_ID", "boolean", "string"]),
        (node("x", ("", ""), &[("LISTEN", text("localhost"))]), vec!["LISTEN", "\"localhost\"", "IP address"]),
        (node("x", ("", ""), &[("CLUSTERS", text("lazy"))]), vec!["CLUSTERS", "\"lazy\"", "on-demand", "eager"]),
        (node("x", ("", ""), &[("TTL", text("29"))]), vec!["TTL", "\"29\"", "30", "86400"]),
        (node("x", ("", ""), &[("TTL", text("1m"))]), vec!["TTL", "\"1m\"", "30", "86400"]),
        (node("x", ("", ""), &[("TTL", Kind::NumberValue(60.0))]), vec!["TTL", "number", "string"]),
        (node("x", ("", ""), &[("ROUTES", text("lazy"))]), vec!["ROUTES", "\"lazy\"", "on-demand", "eager"]),
        (node("x", ("", ""), &[("INTERCEPTION_MODE", text("TPROXY"))]), vec!["INTERCEPTION_MODE", "TPROXY", "NONE"]),
    ];
    for (node, words) in cases {
        let message = parse(&node).expect_err("an error").to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message:?} lacks one of {words:?}");
    }
}

#[test]
fn errors_do_not_echo_endless_input() {
    let long = format!("127.{}", "é".repeat(10_000));
    let message = parse(&node("x", ("", ""), &[("LISTEN", text(&long))])).expect_err("an error").to_string();
    assert!(message.len() < 300, "{} bytes", message.len());
}

fn profile(metadata: &[(&str, &str)], incremental: bool) -> Profile {
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, text(value))).collect();
    let node = node("x", ("", ""), &metadata);
    Client::from_node(&node, &crate::testing::defaults(), incremental).expect("a client").class.profile
}

#[test]
fn sidecars_fetch_clusters_on_demand_unless_something_prevents_it() {
    let on_demand = |metadata: &[(&str, &str)], incremental| match profile(metadata, incremental) {
        Profile::Envoy(envoy) => envoy.on_demand,
        Profile::Grpc => panic!("expected an Envoy"),
    };
    let sidecar = ("CLUSTER_ID", "eu-1");
    assert!(on_demand(&[sidecar], true));
    assert!(!on_demand(&[sidecar], false), "state of the world cannot");
    assert!(!on_demand(&[sidecar, ("CLUSTERS", "on-demand")], false));
    assert!(!on_demand(&[sidecar, ("CLUSTERS", "eager")], true));
    assert!(!on_demand(&[sidecar, ("INTERCEPTION_MODE", "NONE")], true), "no sidecar");
    assert!(on_demand(&[("CLUSTERS", "on-demand")], true), "but a client that asks for it gets it");
}

#[test]
fn virtual_hosts_are_fetched_by_clients_that_ask_for_that_on_the_plain_port() {
    let vhds = |metadata: &[(&str, &str)], incremental| match profile(metadata, incremental) {
        Profile::Envoy(envoy) => envoy.vhds,
        Profile::Grpc => panic!("expected an Envoy"),
    };
    let routes = ("ROUTES", "on-demand");
    assert!(vhds(&[routes], true));
    assert!(!vhds(&[routes], false), "state of the world cannot");
    assert!(!vhds(&[], true) && !vhds(&[("ROUTES", "eager")], true));
    assert!(!vhds(&[routes, ("CLUSTER_ID", "eu-1")], true), "VIPs have their scopes");
    assert!(vhds(&[routes, ("CLUSTER_ID", "eu-1"), ("INTERCEPTION_MODE", "NONE")], true));
}

#[test]
fn resources_never_expire_unless_a_proxy_sets_a_time_to_live() {
    let ttl = |metadata: &[(&str, Kind)]| parse(&node("x", ("", ""), metadata)).expect("a client").ttl;
    assert_eq!(ttl(&[]), None);
    assert_eq!(ttl(&[("TTL", text("30"))]), Some(Duration::from_secs(30)));
    assert_eq!(ttl(&[("TTL", text("86400"))]), Some(Duration::from_secs(86_400)));
    assert_eq!(ttl(&[("TTL", text("30")), ("GENERATOR", text("grpc"))]), None, "gRPC has no such thing");
}

#[test]
fn grpc_clients_are_known_by_their_generator_or_user_agent() {
    assert_eq!(profile(&[("GENERATOR", "grpc")], false), Profile::Grpc);
    let agent = |name: &str| {
        let node = Node { user_agent_name: name.to_owned(), ..node("x", ("", ""), &[]) };
        parse(&node).expect("a client").class.profile == Profile::Grpc
    };
    assert!(agent("gRPC C-core linux") && agent("gRPC Go") && agent("grpc-java"));
    assert!(!agent("envoy") && !agent("") && !agent("gré"));
}
