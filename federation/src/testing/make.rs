//! Model values from short texts. A text that cannot be read is a mistake in the test, and stops it.
#![allow(clippy::expect_used, reason = "only tests come here: a text that cannot be read must stop them at once")]

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::model::{
    Admission, Affinity, ClusterId, ClusterUid, Digest, Endpoint, Export, Failover, Families, Family, Federate, Health,
    HelmRelease, Labels, Mark, Member, Namespace, NamespaceObject, NamespacePattern, Network, Node, Owner, PodId,
    Policy, Protocol, Region, RegionId, Selector, Service, ServiceCidr, ServiceKey, ServiceKind, ServicePort, Slice,
    SliceKey, SlicePort, Time, Traffic, Zone,
};

/// Seconds since the epoch.
pub fn at(seconds: i64) -> Time {
    Time::from_unix_ms(seconds * 1_000)
}

pub fn cluster(text: &str) -> ClusterId {
    ClusterId::new(text).expect("a cluster id")
}

/// `"a b"`: several clusters, in this order.
pub fn clusters(text: &str) -> Vec<ClusterId> {
    text.split_whitespace().map(cluster).collect()
}

pub fn region_id(text: &str) -> RegionId {
    RegionId::new(text).expect("a region id")
}

pub fn ns(text: &str) -> Namespace {
    Namespace::new(text).expect("a namespace")
}

pub fn network(text: &str) -> Network {
    Network::new(text).expect("a network")
}

pub fn zone(text: &str) -> Zone {
    Zone::new(text).expect("a zone")
}

pub fn uid(text: &str) -> ClusterUid {
    ClusterUid(Arc::from(text))
}

/// `"namespace/name"`.
pub fn key(text: &str) -> ServiceKey {
    let (namespace, name) = text.split_once('/').expect("namespace/name");
    ServiceKey::new(namespace, name).expect("a service key")
}

pub fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// `"10.0.0.1 fd00::1"`.
pub fn ips(text: &str) -> Vec<IpAddr> {
    text.split_whitespace().map(ip).collect()
}

pub fn net(text: &str) -> IpNet {
    text.parse().expect("a range")
}

/// `"10.0.0.0/16 fd00::/48"`.
pub fn nets(text: &str) -> Vec<IpNet> {
    text.split_whitespace().map(net).collect()
}

/// `"team=a tier=front"`.
pub fn labels(text: &str) -> Labels {
    text.split_whitespace().map(|pair| pair.split_once('=').expect("key=value")).collect()
}

pub fn selector(text: &str) -> Selector {
    Selector { match_labels: labels(text) }
}

/// `"team-a shop-*"`.
pub fn patterns(text: &str) -> Vec<NamespacePattern> {
    text.split_whitespace().map(|pattern| NamespacePattern::new(pattern).expect("a pattern")).collect()
}

fn protocol(text: &str) -> Protocol {
    match text {
        "" | "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        other => [Protocol::Sctp].into_iter().find(|known| known.as_str() == other).expect("TCP, UDP or SCTP"),
    }
}

/// `"http:80 dns:53/UDP :9000=grpc"`: name, number, protocol (TCP if left out), `appProtocol` (none if left out).
pub fn ports(text: &str) -> Vec<ServicePort> {
    let port = |text: &str| {
        let (text, app) = text.split_once('=').map_or((text, None), |(text, app)| (text, Some(Arc::from(app))));
        let (text, wire) = text.split_once('/').unwrap_or((text, ""));
        let (name, number) = text.split_once(':').expect("name:number");
        ServicePort {
            name: Arc::from(name),
            port: number.parse().expect("a port number"),
            protocol: protocol(wire),
            app_protocol: app,
        }
    };
    text.split_whitespace().map(port).collect()
}

/// As [`ports`], for the backends' own numbers.
pub fn slice_ports(text: &str) -> Vec<SlicePort> {
    let port = |ServicePort { name, port, protocol, .. }| SlicePort { name, port, protocol };
    ports(text).into_iter().map(port).collect()
}

/// `"10.0.0.1@z1=web-0"`: address, zone and pod. (A zone `node:n1` is that of a Node: see [`slice`].) At the end `!` means not ready, `~` draining, `#` ended; else it is ready.
pub fn endpoint(text: &str) -> Endpoint {
    let marks = [('!', Health::NotReady), ('~', Health::Draining), ('#', Health::Ended)];
    let marked = marks.into_iter().find_map(|(mark, health)| Some((text.strip_suffix(mark)?, health)));
    let (text, health) = marked.unwrap_or((text, Health::Ready));
    let (text, pod) = text.split_once('=').map_or((text, PodId::default()), |(text, pod)| (text, PodId::of(pod)));
    let (address, place) = text.split_once('@').map_or((text, None), |(address, name)| (address, Some(name)));
    let in_zone = place.filter(|name| !name.starts_with(NODE)).map(zone);
    Endpoint { ip: ip(address), zone: in_zone, health, pod }
}

pub fn region(name: &str, failover: &[&str]) -> Region {
    Region { name: region_id(name), failover: failover.iter().map(|name| region_id(name)).collect() }
}

/// A member with declared ranges; an empty text means "to be discovered".
pub fn member(id: &str, region: &str, pods: &str, services: &str) -> Member {
    let declared = |text: &str| (!text.is_empty()).then(|| nets(text));
    Member {
        id: cluster(id),
        region: region_id(region),
        network: Network::default_network(),
        pods: declared(pods),
        services: declared(services),
        exports: None,
        traffic: Traffic::Active,
        weight: None,
        created: at(0),
        generation: 0,
        recorded: None,
    }
}

pub fn admission(seconds: i64, uid: &str, pods: &str, services: &str) -> Admission {
    Admission { at: at(seconds), uid: self::uid(uid), pods: nets(pods), services: nets(services) }
}

/// A policy that selects everything.
pub fn policy(name: &str, federate: Federate) -> Policy {
    Policy {
        name: Arc::from(name),
        created: at(0),
        namespaces: Selector::default(),
        services: Selector::default(),
        federate,
        reserved: Vec::new(),
        strict_cidrs: false,
        failover: Failover::default(),
    }
}

/// A user's Service with ports as in [`ports`] and ClusterIPs as in [`ips`]; none makes it headless.
pub fn service(name: &str, port_text: &str, ip_text: &str) -> Service {
    Service {
        key: key(name),
        uid: Arc::from(format!("uid-{name}")),
        resource_version: Arc::from("1"),
        created: at(0),
        labels: Labels::default(),
        kind: if ip_text.is_empty() { ServiceKind::Headless } else { ServiceKind::ClusterIp },
        cluster_ips: ips(ip_text),
        families: Families::new(ips(ip_text).into_iter().map(Family::of)),
        ports: ports(port_text),
        affinity: Affinity::None,
        owner: Owner::User,
        node_local: false,
        derived_by: None,
        hint: None,
        helm: None,
    }
}

/// The identity of the hub that writes mirrors in tests.
pub const HUB: &str = "hub";

/// `"namespace/name"`; an empty text is no release.
pub fn helm(text: &str) -> Option<Arc<HelmRelease>> {
    let (namespace, name) = text.split_once('/')?;
    Some(Arc::new(HelmRelease { name: Arc::from(name), namespace: Arc::from(namespace) }))
}

/// The annotations of a mirror that a hub made for these clusters and a Helm release.
pub fn mark(sources: &str, hub: &str, release: &str) -> Box<Mark> {
    let helm = HelmRelease::digest(helm(release).as_deref());
    Box::new(Mark { sources: clusters(sources), hub: Digest::of(hub), helm, helm_claimed: false })
}

/// A mirror that this hub made for these clusters.
pub fn mirror(name: &str, port_text: &str, ip_text: &str, sources: &str) -> Service {
    Service { owner: Owner::Mirror(mark(sources, HUB, "")), ..service(name, port_text, ip_text) }
}

pub fn namespace(name: &str, label_text: &str) -> NamespaceObject {
    NamespaceObject {
        name: ns(name),
        uid: Arc::from(format!("uid-{name}")),
        resource_version: Arc::from("1"),
        labels: labels(label_text),
        terminating: false,
        hint: None,
        helm: None,
    }
}

/// A slice of `namespace/name`, itself called `namespace/slice`.
pub fn slice(service: &str, slice: &str, port_text: &str, endpoints: &[&str]) -> Slice {
    let service = key(service);
    Slice {
        key: SliceKey { namespace: service.namespace.clone(), name: Arc::from(slice) },
        service,
        ports: slice_ports(port_text),
        endpoints: endpoints.iter().map(|text| endpoint(text)).collect(),
        nodes: (0..).zip(endpoints).filter_map(|(index, text)| Some((index, node_of(text)?))).collect(),
    }
}

/// Begins the name of a Node where a zone could be.
const NODE: &str = "node:";

fn node_of(text: &str) -> Option<Arc<str>> {
    let (_, node) = text.split_once('@')?.1.split_once(NODE)?;
    Some(Arc::from(node.split(['=', '!', '~', '#']).next()?))
}

pub fn export(name: &str, seconds: i64) -> Export {
    Export { key: key(name), created: at(seconds) }
}

pub fn node(name: &str, pod_cidrs: &str) -> Node {
    Node { name: Arc::from(name), pod_cidrs: nets(pod_cidrs), zone: None, addresses: Vec::new() }
}

/// A Node with addresses of its own, as in [`ips`].
pub fn addressed_node(name: &str, pod_cidrs: &str, addresses: &str) -> Node {
    let mut addresses = ips(addresses);
    addresses.sort_unstable();
    Node { addresses, ..node(name, pod_cidrs) }
}

pub fn node_in(in_zone: &str, name: &str, pod_cidrs: &str) -> Node {
    Node { zone: Some(zone(in_zone)), ..node(name, pod_cidrs) }
}

pub fn service_cidr(name: &str, cidrs: &str) -> ServiceCidr {
    ServiceCidr { name: Arc::from(name), cidrs: nets(cidrs) }
}
