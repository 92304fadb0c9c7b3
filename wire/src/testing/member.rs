//! Objects of a member.

use federation::change::{LinkChange, LinkFailure, MemberKind};
use federation::model::{
    Affinity, ClusterUid, Digest, Endpoint, Export, Families, Family, Health, Mark, NamespaceObject, Node, Owner,
    PodId, Protocol, Service, ServiceCidr, ServiceKind, ServicePort, Slice, SlicePort, product,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::values::{cluster, helm, ip, key, labels, maybe_text, name, namespace, ranges, slice_key, text, time, zone};

pub(super) fn link() -> impl Strategy<Value = LinkChange> {
    let reasons = vec![
        LinkFailure::SecretMissing,
        LinkFailure::KubeconfigInvalid,
        LinkFailure::CredentialRefused,
        LinkFailure::Unreachable,
    ];
    prop_oneof![
        (text(), text()).prop_map(|(uid, version)| LinkChange::Up { uid: ClusterUid(uid), version }),
        (select(reasons), text()).prop_map(|(reason, message)| LinkChange::Down { reason, message }),
    ]
}

pub(super) fn kind() -> impl Strategy<Value = MemberKind> {
    use MemberKind::{Exports, Namespaces, Nodes, ServiceCidrs, Services, Slices};
    select(vec![Namespaces, Services, Slices, Exports, Nodes, ServiceCidrs])
}

pub(super) fn namespace_object() -> impl Strategy<Value = NamespaceObject> + Clone {
    (namespace(), text(), text(), labels(), any::<bool>(), maybe_text(), helm()).prop_map(
        |(name, uid, resource_version, labels, terminating, hint, helm)| NamespaceObject {
            name,
            uid,
            resource_version,
            labels,
            terminating,
            hint,
            helm,
        },
    )
}

pub(super) fn service() -> impl Strategy<Value = Service> + Clone {
    let kind = select(vec![ServiceKind::ClusterIp, ServiceKind::Headless, ServiceKind::ExternalName]);
    let affinity = option::of(any::<u32>())
        .prop_map(|timeout| timeout.map_or(Affinity::None, |timeout_s| Affinity::ClientIp { timeout_s }));
    let derived_by = option::of(select(product::ALL.into_iter().chain([product::OTHER]).collect::<Vec<_>>()));
    let meta = (key(), text(), text(), time(), labels());
    let network = (kind, vec(ip(), 0..3), option::of(families()), vec(service_port(), 0..4), affinity);
    let rest = (owner(), any::<bool>(), derived_by, maybe_text(), helm());
    (meta, network, rest).prop_map(
        |(
            (key, uid, resource_version, created, labels),
            (kind, cluster_ips, families, ports, affinity),
            (owner, node_local, derived_by, hint, helm),
        )| Service {
            key,
            uid,
            resource_version,
            created,
            labels,
            kind,
            cluster_ips,
            families,
            ports,
            affinity,
            owner,
            node_local,
            derived_by,
            hint,
            helm,
        },
    )
}

fn families() -> impl Strategy<Value = Families> + Clone {
    let (v4, v6) = (Family::V4, Family::V6);
    select(vec![Families::Only(v4), Families::Only(v6), Families::Both(v4), Families::Both(v6)])
}

fn protocol() -> impl Strategy<Value = Protocol> + Clone {
    select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp])
}

fn service_port() -> impl Strategy<Value = ServicePort> + Clone {
    (text(), any::<u16>(), protocol(), maybe_text()).prop_map(|(name, port, protocol, app_protocol)| ServicePort {
        name,
        port,
        protocol,
        app_protocol,
    })
}

fn owner() -> impl Strategy<Value = Owner> + Clone {
    let mark = (vec(cluster(), 0..3), any::<u64>(), any::<u64>(), any::<bool>()).prop_map(
        |(sources, hub, helm, helm_claimed)| {
            let (hub, helm) = (Digest::from_bits(hub), Digest::from_bits(helm));
            Box::new(Mark { sources, hub, helm, helm_claimed })
        },
    );
    prop_oneof![
        Just(Owner::User),
        mark.clone().prop_map(Owner::Mirror),
        mark.prop_map(Owner::Restored),
        Just(Owner::Lookalike),
        Just(Owner::Adopted),
    ]
}

pub(super) fn slice() -> impl Strategy<Value = Slice> + Clone {
    let port = (text(), any::<u16>(), protocol()).prop_map(|(name, port, protocol)| SlicePort { name, port, protocol });
    let nodes = btree_map(0_u32..6, text(), 0..4);
    (slice_key(), key(), vec(port, 0..3), vec(endpoint(), 0..6), nodes).prop_map(
        |(key, service, ports, endpoints, nodes)| {
            let count = endpoints.len();
            let nodes = nodes.into_iter().filter(|(index, _)| (*index as usize) < count).collect();
            Slice { key, service, ports, endpoints, nodes }
        },
    )
}

fn endpoint() -> impl Strategy<Value = Endpoint> + Clone {
    let health = select(vec![Health::Ready, Health::Draining, Health::NotReady, Health::Ended]);
    let pod = prop_oneof![Just(PodId::default()), any::<[u8; 6]>().prop_map(PodId::from_bytes)];
    (ip(), option::of(zone()), health, pod).prop_map(|(ip, zone, health, pod)| Endpoint { ip, zone, health, pod })
}

pub(super) fn node() -> impl Strategy<Value = Node> + Clone {
    (name(), ranges(), vec(ip(), 0..3), option::of(zone())).prop_map(|(name, pod_cidrs, addresses, zone)| Node {
        name,
        pod_cidrs,
        addresses,
        zone,
    })
}

pub(super) fn service_cidr() -> impl Strategy<Value = ServiceCidr> + Clone {
    (name(), ranges()).prop_map(|(name, cidrs)| ServiceCidr { name, cidrs })
}

pub(super) fn export() -> impl Strategy<Value = Export> + Clone {
    (key(), time()).prop_map(|(key, created)| Export { key, created })
}
