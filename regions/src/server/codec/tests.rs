use bytes::Buf;
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::service::discovery::v3::{self as discovery, DeltaDiscoveryResponse, DiscoveryResponse};
use proptest::prelude::*;
use prost::Name;

use super::*;
use crate::resource::ResourceType;

fn writer(variant: Variant, sizes: &[usize], ttl: Option<Duration>) -> Writer {
    let resources = sizes.iter().enumerate().map(|(i, size)| {
        let name = format!("c{i}");
        let cluster = Cluster { name: name.clone(), alt_stat_name: "x".repeat(*size), ..Cluster::default() };
        Resource::encode(ResourceType::Cluster, &name, &cluster)
    });
    let response = Response {
        resource_type: ResourceType::Cluster,
        nonce: 0x1f,
        version: 7,
        resources: resources.collect(),
        ttl,
        removed: vec![Arc::from("gone")],
        missing: if variant == Variant::Sotw { vec![Arc::from("unknown")] } else { Vec::new() },
    };
    Writer::new(variant, response, Arc::from("eu/0"))
}

/// Each in a buffer of its own.
fn pieces(writer: &mut Writer) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    loop {
        let mut piece = BytesMut::new();
        let written = writer.write(&mut piece);
        pieces.push(piece.freeze());
        match written {
            Written::All => return pieces,
            Written::Full => {}
            Written::Large(large) => pieces.push(large),
        }
    }
}

/// All pieces, without the head.
fn write(variant: Variant, sizes: &[usize]) -> Bytes {
    write_expiring(variant, sizes, None)
}

fn write_expiring(variant: Variant, sizes: &[usize], ttl: Option<Duration>) -> Bytes {
    let mut writer = writer(variant, sizes, ttl);
    let len = writer.message_len();
    let mut bytes = BytesMut::new();
    for piece in pieces(&mut writer) {
        assert!(piece.len() <= CHUNK_LEN + 64 || sizes.iter().any(|size| *size >= CHUNK_LEN / 2), "{}", piece.len());
        bytes.put_slice(&piece);
    }
    assert_eq!(bytes.get_u8(), 0, "not compressed");
    assert_eq!(bytes.get_u32() as usize, len, "the length announced");
    assert_eq!(bytes.len(), len, "is the length written");
    bytes.freeze()
}

#[test]
fn c30_a_delta_response_reads_as_it_was_meant() {
    let read = DeltaDiscoveryResponse::decode(write(Variant::Delta, &[0, 1])).expect("a response");
    assert_eq!(read.type_url, ResourceType::Cluster.url());
    assert_eq!((&*read.nonce, &*read.system_version_info), ("1f", ""));
    assert_eq!(read.control_plane.expect("c04: a control plane").identifier, "eu/0");
    assert_eq!(read.removed_resources, ["gone"]);
    let names: Vec<_> = read.resources.iter().map(|r| &*r.name).collect();
    assert_eq!(names, ["c0", "c1"]);
    for resource in &read.resources {
        let any = resource.resource.as_ref().expect("an Any");
        assert_eq!(any.type_url, read.type_url);
        assert_eq!(Cluster::decode(&*any.value).expect("a Cluster").name, resource.name);
    }
}

#[test]
fn c30_a_state_of_the_world_response_reads_as_it_was_meant() {
    let read = DiscoveryResponse::decode(write(Variant::Sotw, &[0, 1])).expect("a response");
    assert_eq!(read.type_url, ResourceType::Cluster.url());
    assert_eq!((&*read.nonce, &*read.version_info), ("1f", "0000000000000007"));
    assert_eq!(read.control_plane.as_ref().expect("c04: a control plane").identifier, "eu/0");
    let names = read.resources.iter().map(|any| Cluster::decode(&*any.value).expect("a Cluster").name);
    assert_eq!(names.collect::<Vec<_>>(), ["c0", "c1"]);
    assert!(read.resources.iter().all(|any| any.type_url == read.type_url));
    let [error] = &read.resource_errors[..] else { panic!("{read:?}") };
    assert_eq!(error.resource_name.as_ref().map(|name| &*name.name), Some("unknown"), "C48");
    assert_eq!(error.error_detail.as_ref().map(|detail| detail.code), Some(5));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_put_together_are_the_message(sizes in prop::collection::vec(prop_oneof![0..200usize, 30_000..70_000usize], 0..40)) {
        let delta = DeltaDiscoveryResponse::decode(write(Variant::Delta, &sizes)).expect("a response");
        prop_assert_eq!(delta.resources.len(), sizes.len());
        let sotw = DiscoveryResponse::decode(write(Variant::Sotw, &sizes)).expect("a response");
        for (any, size) in sotw.resources.iter().zip(&sizes) {
            prop_assert_eq!(Cluster::decode(&*any.value).expect("a Cluster").alt_stat_name.len(), *size);
        }
    }

    #[test]
    fn c42_resources_that_expire_say_when(sizes in prop::collection::vec(prop_oneof![0..200usize, 30_000..70_000usize], 0..20)) {
        let ttl = Some(Duration::from_secs(90));
        let delta = DeltaDiscoveryResponse::decode(write_expiring(Variant::Delta, &sizes, ttl)).expect("a response");
        let sotw = DiscoveryResponse::decode(write_expiring(Variant::Sotw, &sizes, ttl)).expect("a response");
        let unwrapped = sotw.resources.iter().map(|any| {
            assert_eq!(any.type_url, discovery::Resource::type_url());
            discovery::Resource::decode(&*any.value).expect("a Resource")
        });
        prop_assert_eq!(unwrapped.collect::<Vec<_>>(), delta.resources.clone());
        prop_assert_eq!(delta.removed_resources, ["gone"]);
        prop_assert_eq!(delta.resources.len(), sizes.len());
        for (resource, size) in delta.resources.iter().zip(&sizes) {
            prop_assert_eq!(resource.ttl.as_ref().map(|ttl| (ttl.seconds, ttl.nanos)), Some((90, 0)));
            let any = resource.resource.as_ref().expect("an Any");
            prop_assert_eq!(Cluster::decode(&*any.value).expect("a Cluster").alt_stat_name.len(), *size);
        }
    }
}

#[test]
fn c42_a_heartbeat_has_no_body() {
    for variant in [Variant::Sotw, Variant::Delta] {
        let mut writer = writer(variant, &[1], Some(Duration::from_secs(30)));
        let version = version_text(writer.response.resources[0].version());
        writer.response.resources = writer.response.resources.iter().map(Resource::heartbeat).collect();
        let mut bytes = BytesMut::new();
        for piece in pieces(&mut writer) {
            bytes.put_slice(&piece);
        }
        bytes.advance(GRPC_HEAD_LEN);
        let resource = match variant {
            Variant::Delta => DeltaDiscoveryResponse::decode(bytes).expect("a response").resources.remove(0),
            Variant::Sotw => {
                let any = DiscoveryResponse::decode(bytes).expect("a response").resources.remove(0);
                discovery::Resource::decode(&*any.value).expect("a Resource")
            }
        };
        assert_eq!((&*resource.name, resource.version, resource.resource), ("c0", version, None));
        assert_eq!(resource.ttl.map(|ttl| ttl.seconds), Some(30));
    }
}
