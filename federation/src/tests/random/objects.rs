//! What a member holds.

use std::fmt;
use std::sync::Arc;

use proptest::prelude::*;

use super::hub::{labels, own_pods, own_services};
use super::{CLUSTERS, NAMESPACES, SERVICES, Spec, TIMES, of, sometimes};
use crate::model::{
    Affinity, Export, Families, Family, Mark, Namespace, NamespaceObject, Node, Owner, Service, ServiceCidr,
    ServiceKey, ServiceKind, Slice, SliceKey,
};
use crate::testing::make;

#[derive(Clone)]
pub(in crate::tests) struct NamespaceSpec {
    name: &'static str,
    labels: &'static str,
    terminating: bool,
    hint: Option<&'static str>,
    helm: &'static str,
}

#[derive(Clone)]
pub(in crate::tests) struct ServiceSpec {
    key: &'static str,
    ports: &'static str,
    ips: &'static str,
    labels: &'static str,
    sticky: bool,
    /// `ipFamilies`, where it has more than the ClusterIPs show.
    families: Option<Families>,
    created: i64,
    version: u8,
    owner: OwnerSpec,
    node_local: bool,
    derived_by: Option<&'static str>,
    hint: Option<&'static str>,
    /// The Helm release that it, or the mirror, names.
    helm: &'static str,
}

#[derive(Clone, Debug)]
enum OwnerSpec {
    User,
    /// An ExternalName service of a user.
    External,
    Adopted,
    Ours(&'static str),
    /// A mirror of this hub, but a user changed its type to ExternalName.
    OursExternal(&'static str),
    /// A mirror of this hub, with a Helm release that another program wrote.
    OursClaimed(&'static str),
    /// A mirror that this hub wrote.
    OtherHubs(&'static str, &'static str),
    /// A mirror that came back from a backup of this hub.
    Restored(&'static str, &'static str),
    Lookalike,
}

/// Releases; mostly none.
const HELM: [&str; 5] = ["", "", "", "shop/web", "shop/api"];

#[derive(Clone)]
pub(in crate::tests) struct SliceSpec {
    key: &'static str,
    name: &'static str,
    ports: &'static str,
    endpoints: Vec<&'static str>,
}

#[derive(Clone)]
pub(in crate::tests) struct NodeSpec {
    name: &'static str,
    cidrs: &'static str,
    addresses: &'static str,
    zone: &'static str,
}

#[derive(Clone)]
pub(in crate::tests) struct CidrSpec {
    name: &'static str,
    cidrs: &'static str,
}

#[derive(Clone)]
pub(in crate::tests) struct ExportSpec {
    key: &'static str,
    created: i64,
}

const PORTS: [&str; 12] = [
    "http:80",
    "http:80",
    "http:80",
    "http:8080",
    "alt:8080",
    ":80",
    ":81",
    "http:80 dns:53/UDP dns-tcp:53",
    "tcp-81:80",
    "http:80=grpc",
    "dns:53/SCTP",
    "a:81 http:80",
];
const SLICE_PORTS: [&str; 8] = [
    "http:8080",
    "http:8080",
    "http:9090",
    ":8080",
    "dns:5353/UDP dns-tcp:5353 http:8080",
    "alt:1",
    "tcp-81:2",
    "a:3 http:8080",
];
/// `+`: an address of the cluster's own ranges; after `::` one of IPv6 that is its alone, though in no range.
const CLUSTER_IPS: [&str; 7] = ["+9", "+9", "+10", "", "+9 fd00:98::9", "+9 fd00:98::9", "fd00:98::9 +9"];
/// With pods (`=p1`) that have an address of each family, in one slice or another, and with zones that only Nodes know.
const ENDPOINTS: [&str; 38] = [
    "fd00:ee::5@z1",
    "fd00:ee::+5@z1=p1",
    "fd00:ee::+5@z1=p1",
    "fd00:ee::+5=p1",
    "fd00:ee::+6@z2=p2",
    "fd00:ee::+6=p1",
    "fd00:ee::+7=p3!",
    "fd00:ee::7@node:n2",
    "+5@z1",
    "+5@z1=p1",
    "+5@z1=p1",
    "+5@z2!",
    "+5",
    "+5@z1#",
    "+5@node:n1=p1",
    "+6@z1~",
    "+6@z2",
    "+6=p2",
    "+6@node:n1=p2~",
    "+7",
    "+7@z2!",
    "+7@node:n2=p3",
    "+7=p1",
    "+8@z2~",
    "+8@z1#",
    "+8@node:gone",
    "10.0.0.5@z1",
    "10.1.0.5",
    "10.2.0.5@z1",
    "10.96.0.9",
    "172.16.0.1@z1",
    "172.16.0.1",
    "172.16.0.1",
    "172.16.0.1@z2",
    "172.16.0.2!",
    "127.0.0.5",
    "fd00:1:0:8000::5",
    "fd00:2::5@z1",
];
const NODES: [&str; 2] = ["n1", "n2"];
/// The same few names in every cluster, and now and then another one.
const MOSTLY: [&str; 10] = [
    "shop/web",
    "shop/web",
    "shop/web",
    "shop/web",
    "shop/api",
    "shop/api",
    "dev/web",
    "dev/db",
    "kube-system/dns",
    "default/kubernetes",
];
const SLICES: [&str; 12] = [
    "shop/web/1",
    "shop/web/1",
    "shop/web/1",
    "shop/web/1",
    "shop/web/1",
    "shop/web/1",
    "shop/web/2",
    "shop/web/2",
    "shop/api/1",
    "dev/web/1",
    "dev/db/1",
    "kube-system/dns/1",
];

/// `+7@z1` → `10.2.0.7@z1` in a cluster whose range is `10.2.0.0/16 fd00:2::/64`.
fn in_own(text: &str, ranges: &str) -> String {
    let base = ranges.split_once("0/").map_or("", |(base, _)| base);
    text.replace('+', base)
}

impl Spec for NamespaceSpec {
    type Model = NamespaceObject;
    fn build(&self, _: &str) -> NamespaceObject {
        let (helm, hint) = (make::helm(self.helm), self.hint.map(Arc::from));
        NamespaceObject { terminating: self.terminating, helm, hint, ..make::namespace(self.name, self.labels) }
    }
    fn key(text: &'static str) -> Namespace {
        make::ns(text)
    }
}

impl fmt::Debug for NamespaceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, labels, terminating, hint, helm } = self;
        write!(f, "namespace {name} {labels:?} terminating={terminating} {helm} hint={hint:?}")
    }
}

impl Spec for ServiceSpec {
    type Model = Service;
    fn build(&self, cluster: &str) -> Service {
        let mut service = make::service(self.key, self.ports, &in_own(self.ips, own_services(cluster)));
        service.labels = make::labels(self.labels);
        service.created = make::at(self.created);
        service.resource_version = Arc::from(self.version.to_string());
        service.node_local = self.node_local;
        service.derived_by = self.derived_by;
        service.hint = self.hint.map(Arc::from);
        service.families = self.families.or(service.families);
        if self.sticky {
            service.affinity = Affinity::ClientIp { timeout_s: 30 };
        }
        service.owner = match self.owner {
            OwnerSpec::User | OwnerSpec::External => Owner::User,
            OwnerSpec::Adopted => Owner::Adopted,
            OwnerSpec::Ours(sources) | OwnerSpec::OursExternal(sources) => {
                Owner::Mirror(make::mark(sources, make::HUB, self.helm))
            }
            OwnerSpec::OursClaimed(sources) => {
                Owner::Mirror(Box::new(Mark { helm_claimed: true, ..*make::mark(sources, make::HUB, self.helm) }))
            }
            OwnerSpec::OtherHubs(sources, hub) => Owner::Mirror(make::mark(sources, hub, self.helm)),
            OwnerSpec::Restored(sources, hub) => Owner::Restored(make::mark(sources, hub, self.helm)),
            OwnerSpec::Lookalike => Owner::Lookalike,
        };
        if service.owner == Owner::User {
            service.helm = make::helm(self.helm);
        }
        if matches!(self.owner, OwnerSpec::External | OwnerSpec::OursExternal(_)) {
            service.kind = ServiceKind::ExternalName;
            service.cluster_ips.clear();
        }
        service
    }
    fn key(text: &'static str) -> ServiceKey {
        make::key(text)
    }
}

impl fmt::Debug for ServiceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            ports,
            ips,
            labels,
            sticky,
            families,
            created,
            version,
            owner,
            helm,
            node_local,
            derived_by,
            hint,
        } = self;
        write!(
            f,
            "service {key} [{ports}] ips={ips:?} {labels:?} {owner:?} created={created} v{version} helm={helm:?} \
             node_local={node_local} derived_by={derived_by:?} hint={hint:?}"
        )?;
        if let Some(families) = families {
            write!(f, " families={families}")?;
        }
        if *sticky { write!(f, " sticky") } else { Ok(()) }
    }
}

impl Spec for SliceSpec {
    type Model = Slice;
    fn build(&self, cluster: &str) -> Slice {
        let endpoints: Vec<String> = self.endpoints.iter().map(|text| in_own(text, own_pods(cluster))).collect();
        let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
        make::slice(self.key, self.name, self.ports, &endpoints)
    }
    /// `namespace/service/number`; a slice that changes hands keeps its name.
    fn key(text: &'static str) -> SliceKey {
        let (namespace, name) = text.split_once('/').unwrap_or_default();
        SliceKey { namespace: make::ns(namespace), name: Arc::from(name) }
    }
}

impl fmt::Debug for SliceSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slice {} of {} [{}] {:?}", self.name, self.key, self.ports, self.endpoints)
    }
}

impl Spec for NodeSpec {
    type Model = Node;
    fn build(&self, cluster: &str) -> Node {
        let own: Vec<&str> = own_pods(cluster).split(' ').collect();
        let cidrs = match self.cidrs {
            "own" => own.join(" "),
            "own backwards" => own.into_iter().rev().collect::<Vec<_>>().join(" "),
            other => other.to_owned(),
        };
        let node = make::addressed_node(self.name, &cidrs, self.addresses);
        Node { zone: (!self.zone.is_empty()).then(|| make::zone(self.zone)), ..node }
    }
    fn key(text: &'static str) -> Arc<str> {
        Arc::from(text)
    }
}

impl fmt::Debug for NodeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {} {} at {:?} zone={:?}", self.name, self.cidrs, self.addresses, self.zone)
    }
}

impl Spec for CidrSpec {
    type Model = ServiceCidr;
    fn build(&self, cluster: &str) -> ServiceCidr {
        make::service_cidr(self.name, if self.cidrs == "own" { own_services(cluster) } else { self.cidrs })
    }
    fn key(text: &'static str) -> Arc<str> {
        Arc::from(text)
    }
}

impl fmt::Debug for CidrSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service cidr {} {}", self.name, self.cidrs)
    }
}

impl Spec for ExportSpec {
    type Model = Export;
    fn build(&self, _: &str) -> Export {
        make::export(self.key, self.created)
    }
    fn key(text: &'static str) -> ServiceKey {
        make::key(text)
    }
}

impl fmt::Debug for ExportSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "export {} created={}", self.key, self.created)
    }
}

pub(super) fn namespace() -> impl Strategy<Value = NamespaceSpec> + Clone {
    let rest = (of(&HELM), hint());
    (of(&NAMESPACES), labels(), sometimes(15), rest)
        .prop_map(|(name, labels, terminating, (helm, hint))| NamespaceSpec { name, labels, terminating, helm, hint })
}

pub(super) fn service() -> impl Strategy<Value = ServiceSpec> + Clone {
    let sources = of(&["a1", "a2", "a1 a2", "b1 c1", "gone", ""]);
    let owner = prop_oneof![
        20 => Just(OwnerSpec::User),
        1 => Just(OwnerSpec::External),
        1 => Just(OwnerSpec::Adopted),
        4 => sources.clone().prop_map(OwnerSpec::Ours),
        1 => sources.clone().prop_map(OwnerSpec::OursExternal),
        1 => sources.clone().prop_map(OwnerSpec::OursClaimed),
        1 => (sources.clone(), of(&["hub", "other"])).prop_map(|(sources, hub)| OwnerSpec::OtherHubs(sources, hub)),
        1 => (sources, of(&["hub", "other"])).prop_map(|(sources, hub)| OwnerSpec::Restored(sources, hub)),
        1 => Just(OwnerSpec::Lookalike),
    ];
    let what = (of(&MOSTLY), of(&PORTS), of(&CLUSTER_IPS), labels());
    let (v4, v6) = (Family::V4, Family::V6);
    let families =
        [None, Some(Families::Only(v4)), Some(Families::Only(v6)), Some(Families::Both(v4)), Some(Families::Both(v6))];
    let families = prop_oneof![2 => Just(None), 1 => proptest::sample::select(families.to_vec())];
    let rest = (of(&HELM), of(&[None, None, None, None, None, None, None, Some("Linkerd")]), hint(), sometimes(5));
    (what, sometimes(10), families, TIMES, 1..3_u8, owner, rest).prop_map(
        |(
            (key, ports, ips, labels),
            sticky,
            families,
            created,
            version,
            owner,
            (helm, derived_by, hint, node_local),
        )| {
            ServiceSpec {
                key,
                ports,
                ips,
                labels,
                sticky,
                families,
                created,
                version,
                owner,
                node_local,
                derived_by,
                hint,
                helm,
            }
        },
    )
}

fn hint() -> impl Strategy<Value = Option<&'static str>> + Clone {
    of(&[None, None, None, None, None, None, None, None, Some("one"), Some("two")])
}

pub(super) fn slice() -> impl Strategy<Value = SliceSpec> + Clone {
    // What several members have in common, and what serves both families, would else hardly ever be there.
    let endpoints = prop_oneof![
        10 => proptest::collection::vec(of(&ENDPOINTS), 0..7),
        5 => Just(vec!["+5", "172.16.0.1"]),
        4 => Just(vec!["+6@z1", "fd00:ee::+6@z1", "+7"]),
        1 => Just(vec!["10.96.0.9", "10.97.0.9", "10.98.0.9"]),
    ];
    (of(&SLICES), of(&SERVICES), sometimes(10), of(&SLICE_PORTS), endpoints).prop_map(
        |(slice, other, moved, ports, endpoints)| {
            let (namespace, name) = slice.split_once('/').unwrap_or_default();
            let (service, _) = slice.rsplit_once('/').unwrap_or_default();
            // A slice may be relabelled to another service, but only of its own namespace.
            let stays_inside = other.split_once('/').is_some_and(|(inside, _)| inside == namespace);
            SliceSpec { key: if moved && stays_inside { other } else { service }, name, ports, endpoints }
        },
    )
}

pub(super) fn node() -> impl Strategy<Value = NodeSpec> + Clone {
    let addresses = of(&["", "", "172.16.0.1", "172.16.0.1 172.16.0.2", "172.16.0.2"]);
    let rest = (addresses, of(&["", "z1", "z2"]));
    (of(&NODES), of(&["own", "own", "own backwards", "10.0.1.0/24", "10.2.128.0/17", ""]), rest)
        .prop_map(|(name, cidrs, (addresses, zone))| NodeSpec { name, cidrs, addresses, zone })
}

pub(super) fn service_cidr() -> impl Strategy<Value = CidrSpec> + Clone {
    (of(&NODES), of(&["own", "own", "own", "10.97.0.0/16", ""])).prop_map(|(name, cidrs)| CidrSpec { name, cidrs })
}

pub(super) fn export() -> impl Strategy<Value = ExportSpec> + Clone {
    (of(&SERVICES), TIMES).prop_map(|(key, created)| ExportSpec { key, created })
}

pub(super) const SLICE_KEYS: &[&str] = &SLICES;
pub(super) const NODE_KEYS: &[&str] = &NODES;
pub(super) const CLUSTER_KEYS: &[&str] = &CLUSTERS;
