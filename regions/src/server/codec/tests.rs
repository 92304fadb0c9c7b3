use bytes::BytesMut;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, DiscoveryResponse};

use super::*;
use crate::resource::ResourceType;

fn sample() -> Outgoing {
    let resources = ["a", "b"].map(|name| {
        let cluster = Cluster { name: name.to_owned(), ..Cluster::default() };
        Resource::encode(ResourceType::Cluster, name, &cluster)
    });
    let response = Response {
        resource_type: ResourceType::Cluster,
        nonce: 0x1f,
        version: 7,
        resources: resources.to_vec(),
        removed: vec![Arc::from("gone")],
    };
    Outgoing { response, identifier: Arc::from("eu/0") }
}

fn encode(variant: Variant) -> BytesMut {
    let item = sample();
    let mut bytes = BytesMut::new();
    write(variant, &item, &mut bytes);
    assert_eq!(bytes.len(), encoded_len(variant, &item), "the length reserved is the length written");
    bytes
}

#[test]
fn c30_a_delta_response_reads_as_it_was_meant() {
    let read = DeltaDiscoveryResponse::decode(encode(Variant::Delta)).expect("a response");
    assert_eq!(read.type_url, ResourceType::Cluster.url());
    assert_eq!((&*read.nonce, &*read.system_version_info), ("1f", "0000000000000007"));
    assert_eq!(read.control_plane.expect("c04: a control plane").identifier, "eu/0");
    assert_eq!(read.removed_resources, ["gone"]);
    let names: Vec<_> = read.resources.iter().map(|r| &*r.name).collect();
    assert_eq!(names, ["a", "b"]);
    for resource in &read.resources {
        let any = resource.resource.as_ref().expect("an Any");
        assert_eq!(any.type_url, read.type_url);
        assert_eq!(Cluster::decode(&*any.value).expect("a Cluster").name, resource.name);
    }
}

#[test]
fn c30_a_state_of_the_world_response_reads_as_it_was_meant() {
    let read = DiscoveryResponse::decode(encode(Variant::Sotw)).expect("a response");
    assert_eq!(read.type_url, ResourceType::Cluster.url());
    assert_eq!((&*read.nonce, &*read.version_info), ("1f", "0000000000000007"));
    assert_eq!(read.control_plane.expect("c04: a control plane").identifier, "eu/0");
    let names = read.resources.iter().map(|any| Cluster::decode(&*any.value).expect("a Cluster").name);
    assert_eq!(names.collect::<Vec<_>>(), ["a", "b"]);
    assert!(read.resources.iter().all(|any| any.type_url == read.type_url));
}
