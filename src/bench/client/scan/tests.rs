use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig};
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, DiscoveryResponse, Resource};
use envoy_types::pb::google::protobuf::Any;
use proptest::prelude::*;
use prost::Message;

use super::*;

fn cluster(name: &str, kind: DiscoveryType) -> Any {
    let cluster_discovery_type = Some(ClusterDiscoveryType::Type(kind.into()));
    let service_name = if name.starts_with("vip|") { "other".to_owned() } else { String::new() };
    let eds_cluster_config = Some(EdsClusterConfig { service_name, ..EdsClusterConfig::default() });
    let message = Cluster { name: name.to_owned(), cluster_discovery_type, eds_cluster_config, ..Cluster::default() };
    Any { type_url: ResourceType::Cluster.url().to_owned(), value: message.encode_to_vec() }
}

fn delta() -> Vec<u8> {
    let resource = |name: &str, version: &str, kind| Resource {
        name: name.to_owned(),
        version: version.to_owned(),
        resource: Some(cluster(name, kind)),
        ..Resource::default()
    };
    DeltaDiscoveryResponse {
        system_version_info: "s".to_owned(),
        resources: vec![
            resource("a", "00000000000000ff", DiscoveryType::Eds),
            resource("b", "1", DiscoveryType::Static),
            resource("vip|x", "2", DiscoveryType::Eds),
        ],
        type_url: ResourceType::Cluster.url().to_owned(),
        removed_resources: vec!["c".to_owned(), "d".to_owned()],
        nonce: "7".to_owned(),
        ..DeltaDiscoveryResponse::default()
    }
    .encode_to_vec()
}

#[test]
fn a_delta_response_is_read() {
    let message = delta();
    let response = Response::scan(Variant::Delta, &message).expect("a response");
    assert_eq!((response.resource_type, response.version, response.nonce), (ResourceType::Cluster, "s", "7"));
    let found: Vec<_> = response.resources().map(|found| found.expect("a resource")).collect();
    let seen: Vec<_> = found.iter().map(|f| (f.name, f.version, load_of(f).expect("a cluster"))).collect();
    assert_eq!(seen, [("a", 0xff, Some("a")), ("b", 1, None), ("vip|x", 2, Some("other"))]);
    assert_eq!(response.removed().collect::<Result<Vec<_>, _>>(), Ok(vec!["c", "d"]));
}

#[test]
fn a_whole_state_is_read_and_its_versions_are_those_of_delta() {
    let any = cluster("a", DiscoveryType::Eds);
    let version = xxh3_64(&any.value);
    let message = DiscoveryResponse {
        version_info: "v".to_owned(),
        resources: vec![any],
        type_url: ResourceType::Cluster.url().to_owned(),
        nonce: "7".to_owned(),
        ..DiscoveryResponse::default()
    }
    .encode_to_vec();
    let response = Response::scan(Variant::Sotw, &message).expect("a response");
    assert_eq!((response.version, response.nonce), ("v", "7"));
    let found: Vec<_> = response.resources().map(|f| f.map(|f| (f.name, f.version))).collect();
    assert_eq!(found, [Ok(("a", version))]);
    assert_eq!(response.removed().count(), 0);
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let scan = |message: &[u8]| Response::scan(Variant::Delta, message).map(|_| ());
    assert_eq!(scan(&[]), Err(ScanError::Type(String::new())));
    assert_eq!(scan(&[0x0a, 0x05, b'a']), Err(Malformed("a field that ends after its message")));
    assert_eq!(scan(&[0x0b]), Err(Malformed("an unknown wire type")));
    assert_eq!(scan(&[0x80]), Err(Malformed("a number that is cut off")));
    assert_eq!(resource(&[0x0a, 0x01, b'x']), Err(ScanError::Version("x".to_owned())));
    assert_eq!(whole(&[]), Err(Malformed("a resource without a name")));
}

/// Looks at everything that can be looked at.
fn read_all(message: &[u8]) {
    for variant in [Variant::Delta, Variant::Sotw] {
        if let Ok(response) = Response::scan(variant, message) {
            for found in response.resources().flatten() {
                let _ = (load_of(&found), collections(found.body));
            }
            response.removed().for_each(drop);
        }
    }
    let found = Found { name: "x", version: 1, body: message };
    let _ = (resource(message), whole(message), load_of(&found), collections(message));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(message in proptest::collection::vec(any::<u8>(), 0..256)) {
        read_all(&message);
    }

    #[test]
    fn nor_does_a_response_with_something_wrong(at in 0usize..1_000, byte: u8, end in 0usize..1_000) {
        let mut message = delta();
        let length = message.len();
        message[at % length] = byte;
        message.truncate(end % (length + 1));
        read_all(&message);
    }
}
