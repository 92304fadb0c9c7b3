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
    Client::from_node(node, &RegionId::new("eu").expect("a region"))
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
    assert_eq!(class.profile, Profile::Envoy { listen: "127.0.0.9".parse().expect("an address") });
}

#[test]
fn what_is_missing_has_a_default() {
    let client = parse(&Node { id: "x".into(), ..Node::default() }).expect("a client");
    assert_eq!(client.class.client.region.as_str(), "eu", "the control plane's own region");
    assert_eq!(client.class.client.zone, None);
    assert_eq!(client.class.client.network.as_str(), "default");
    assert_eq!(client.class.client.cluster, None);
    assert!(!client.class.network_named);
    assert_eq!(client.class.profile, Profile::Envoy { listen: IpAddr::V4(Ipv4Addr::UNSPECIFIED) });
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
