use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::protobuf::Any;
use prost::{Message, Name};

use super::*;

fn sample() -> (Cluster, Resource) {
    let cluster = Cluster { name: "outbound|80||web".into(), ..Cluster::default() };
    let resource = Resource::encode(ResourceType::Cluster, &cluster.name, &cluster);
    (cluster, resource)
}

#[test]
fn the_prebuilt_bytes_are_what_prost_would_have_written() {
    let (cluster, resource) = sample();
    let decoded = discovery::Resource::decode(resource.delta_bytes().clone()).expect("a Resource message");
    assert_eq!(decoded.name, cluster.name);
    assert_eq!(decoded.version, version_text(resource.version()));
    let any = decoded.resource.clone().expect("an Any");
    assert_eq!(any.type_url, Cluster::type_url());
    assert_eq!(Cluster::decode(&*any.value).expect("a Cluster"), cluster);
    assert_eq!(decoded.encode_to_vec(), *resource.delta_bytes());
    assert_eq!(Any::decode(resource.any_bytes()).expect("an Any"), any);
}

#[test]
fn c13_the_version_is_the_hash_of_the_content() {
    let (cluster, first) = sample();
    let again = Resource::encode(ResourceType::Cluster, &cluster.name, &cluster);
    assert_eq!(first, again);
    let other = Cluster { alt_stat_name: "x".into(), ..cluster.clone() };
    let changed = Resource::encode(ResourceType::Cluster, &cluster.name, &other);
    assert_ne!(first.version(), changed.version());
    assert_ne!(first.digest(), changed.digest());
}
