use envoy_types::pb::envoy::config::core::v3::Node as PbNode;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest};
use prost::Message;

use super::*;

/// Without gRPC's prefix, which must be right.
fn bare(message: &Bytes) -> &[u8] {
    let (prefix, rest) = message.split_at(PREFIX);
    assert_eq!(prefix[0], 0);
    assert_eq!(prefix[1..], u32::try_from(rest.len()).expect("a length").to_be_bytes());
    rest
}

#[test]
fn requests_are_what_the_protocol_says() {
    let node = Node { id: "n".to_owned(), cluster: 1, region: 2, zone: 0, on_demand: true, leds: false }.encode();
    let request = Request {
        node: &node,
        names: &["*", "a"],
        unsubscribe: &["b"],
        known: &[("c", 0xab)],
        version: "v",
        nonce: "7",
        error: Some("no"),
    };
    let delta = request.encode(Variant::Delta, ResourceType::Cluster);
    let delta = DeltaDiscoveryRequest::decode(bare(&delta)).expect("a request");
    assert_eq!(delta.type_url, ResourceType::Cluster.url());
    assert_eq!(
        (delta.resource_names_subscribe, delta.resource_names_unsubscribe),
        (vec!["*".into(), "a".into()], vec!["b".into()])
    );
    assert_eq!(delta.initial_resource_versions["c"], regions::resource::version_text(0xab));
    assert_eq!((delta.response_nonce.as_str(), delta.error_detail.expect("an error").message.as_str()), ("7", "no"));
    let node = delta.node.expect("a node");

    let sotw = request.encode(Variant::Sotw, ResourceType::Assignment);
    let sotw = DiscoveryRequest::decode(bare(&sotw)).expect("a request");
    assert_eq!((sotw.version_info.as_str(), sotw.response_nonce.as_str()), ("v", "7"));
    assert_eq!(
        (sotw.type_url.as_str(), sotw.resource_names),
        (ResourceType::Assignment.url(), vec!["*".into(), "a".into()])
    );
    assert_eq!(sotw.error_detail.expect("an error").code, 3);
    assert_eq!(sotw.node, Some(node));
}

#[test]
fn a_node_is_understood_by_the_server_and_as_large_as_envoys() {
    let encoded = Node { id: "n".to_owned(), cluster: 1, region: 2, zone: 0, on_demand: true, leds: false }.encode();
    assert!((55_000..70_000).contains(&encoded.len()), "{}", encoded.len());
    let node = PbNode::decode(&*encoded).expect("a node");
    let region = federation::model::RegionId::new("other").expect("a region");
    let defaults = regions::class::Defaults { region, on_demand: false };
    let client = regions::class::Client::from_node(&node, &defaults, true).expect("a client");
    assert_eq!(client.node_id, "n");
    let class = client.class;
    assert_eq!(
        (class.client.region.as_str(), class.client.zone.as_ref().map(federation::model::Zone::as_str)),
        ("region-2", Some("region-2-zone-0"))
    );
    assert_eq!(class.client.cluster.as_ref().map(federation::model::ClusterId::as_str), Some("cluster-1"));
    let regions::class::Profile::Envoy(envoy) = class.profile else { panic!("not an Envoy") };
    assert!(envoy.on_demand && envoy.interception == regions::class::Interception::Redirect);
}

#[test]
fn a_prebuilt_response_is_one_and_has_the_size_that_was_asked_for() {
    for bytes in [300, 1_000, 20_000] {
        let message = pushed(ResourceType::Assignment, "a", 9, bytes);
        assert!(message.len().abs_diff(bytes) < 24, "{} for {bytes}", message.len());
        let response = DeltaDiscoveryResponse::decode(bare(&message)).expect("a response");
        assert_eq!(response.type_url, ResourceType::Assignment.url());
        let resource = response.resources.first().expect("a resource");
        assert_eq!(
            (resource.name.as_str(), resource.version.as_str()),
            ("a", regions::resource::version_text(9).as_str())
        );
    }
}
