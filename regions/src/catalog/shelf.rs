//! Resources of one type for one audience, kept current service by service. Classes of clients that must be sent the
//! same bytes take them from the same shelf, so each is encoded once, however many classes there are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use federation::model::{AppProtocol, Backend, ClusterId, Health, Host, Merged, Protocol, SecondAddresses, ServiceKey};
use federation::view::{Assignment, ClientClass, Locality, Reach};

use super::label::{Dialect, Label};
use super::listeners::{Listeners, Use, Uses};
use super::world::{Dirty, Face, World};
use crate::interest::Topic;
use crate::resource::{Resource, ResourceType};
use crate::snapshot::{Change, Part, Was};
use crate::stats::CatalogStats;
use crate::translate::route::RoutedPort;
use crate::translate::{cluster, endpoint, grpc, leds, listener, names, outbound, route, vhds};

pub(super) struct Shelf {
    label: Label,
    part: Part,
    /// What changed since the last commit.
    pending: Vec<Change>,
    /// What stands for a service, unless it follows from the service's key and ports alone.
    names: HashMap<ServiceKey, Vec<Arc<str>>>,
    /// Where interception leads, on a shelf of a member's listeners.
    listeners: Option<Listeners>,
    /// What endpoints were derived from.
    merged: HashMap<ServiceKey, Arc<Merged>>,
}

impl Shelf {
    /// Fills a shelf with what there is at commit `seq`.
    pub(super) fn new(label: Label, world: &World, seq: u64, stats: &CatalogStats) -> Self {
        let listeners = match &label {
            Label::VipListeners { listen, on_demand, .. } => Some(Listeners::new(*listen, *on_demand)),
            _ => None,
        };
        let mut shelf = Self {
            label,
            part: Part::starting_at(seq),
            pending: Vec::new(),
            names: HashMap::new(),
            listeners,
            merged: HashMap::new(),
        };
        for resource in shelf.label.constants() {
            shelf.put(resource, stats);
        }
        let keys: Vec<ServiceKey> = match shelf.label.member() {
            Some(member) => world.known_in(member).cloned().collect(),
            None => world.services.keys().cloned().collect(),
        };
        shelf.set_ranges(world);
        match shelf.label {
            Label::Endpoints { .. } => shelf.derive_endpoints(&keys.into_iter().collect(), world, stats),
            _ => shelf.derive(keys.iter(), world, stats),
        }
        // All of this is the state that the log begins with.
        shelf.pending.clear();
        shelf
    }

    pub(super) fn part(&self) -> &Part {
        &self.part
    }

    /// Derives anew what the change concerns.
    pub(super) fn update(&mut self, dirty: &Dirty, world: &World, stats: &CatalogStats) {
        match &self.label {
            Label::Loads { .. } if dirty.topology => self.derive(world.services.keys(), world, stats),
            Label::Loads { .. } => self.derive(dirty.services.iter(), world, stats),
            Label::Endpoints { .. } => self.derive_endpoints(&dirty.services, world, stats),
            label => {
                let local = label.member().and_then(|member| dirty.local.get(member));
                if label.member().is_some() && dirty.topology {
                    self.set_ranges(world);
                }
                let keys: BTreeSet<&ServiceKey> = dirty.faces.iter().chain(local.into_iter().flatten()).collect();
                self.derive(keys.iter().copied(), world, stats);
            }
        }
    }

    /// Makes what changed part of commit `seq`, and says whom it concerns. `None`: nothing changed.
    pub(super) fn commit(&mut self, seq: u64) -> Option<Committed> {
        if self.pending.is_empty() {
            return None;
        }
        let changes = std::mem::take(&mut self.pending);
        let names = changes.iter().map(|change| change.name.clone()).collect();
        let all = self.part.commit(seq, changes);
        Some(Committed { resource_type: self.label.resource_type(), names, all })
    }

    fn set_ranges(&mut self, world: &World) {
        if let (Some(listeners), Some(member)) = (&mut self.listeners, self.label.member()) {
            listeners.set_ranges(world.topology.members.get(member).map_or(&[], |place| &*place.services));
        }
    }

    fn derive<'a>(&mut self, keys: impl Iterator<Item = &'a ServiceKey> + Clone, world: &World, stats: &CatalogStats) {
        let mut given_up = Vec::new();
        for key in keys.clone() {
            stats.derived.inc();
            if let (Some(listeners), Some(member)) = (&mut self.listeners, self.label.member())
                && listeners.is_on_demand()
            {
                listeners.set(key, uses_of(member, key, world));
                continue;
            }
            let resources = resources(&self.label, key, world);
            let names: Vec<Arc<str>> = resources.iter().map(|resource| resource.name().clone()).collect();
            resources.into_iter().for_each(|resource| self.put(resource, stats));
            let old = match names.is_empty() {
                true => self.names.remove(key),
                false if self.names.get(key) == Some(&names) => None,
                false => self.names.insert(key.clone(), names.clone()),
            };
            given_up.extend(old.into_iter().flatten().filter(|name| !names.contains(name)));
        }
        if !given_up.is_empty() {
            // A VIP that moves is a name that one service gives up and another takes.
            let taken: HashSet<Arc<str>> = keys.filter_map(|key| self.names.get(key)).flatten().cloned().collect();
            for name in given_up.iter().filter(|name| !taken.contains(*name)) {
                self.remove(name, stats);
            }
        }
        let changes = self.listeners.as_mut().map(Listeners::settle).unwrap_or_default();
        for (name, listener) in changes {
            match listener {
                Some(listener) => self.put(listener, stats),
                None => self.remove(name, stats),
            }
        }
    }

    /// Only those endpoints that changed: there may be a hundred thousand of them.
    fn derive_endpoints(&mut self, keys: &BTreeSet<ServiceKey>, world: &World, stats: &CatalogStats) {
        let Label::Endpoints { families } = self.label else { return };
        for key in keys {
            stats.derived.inc();
            let new = world.services.get(key).cloned();
            let old = match &new {
                Some(new) => self.merged.insert(key.clone(), new.clone()),
                None => self.merged.remove(key),
            };
            let leds::Difference { put, gone } = leds::difference(families, old.as_deref(), new.as_deref());
            put.into_iter().for_each(|endpoint| self.put(endpoint, stats));
            gone.iter().for_each(|name| self.remove(name, stats));
        }
    }

    fn put(&mut self, resource: Resource, stats: &CatalogStats) {
        stats.encoded.inc();
        if self.part.get(resource.name()) == Some(&resource) {
            stats.unchanged.inc();
            return;
        }
        stats.changed.inc();
        let name = resource.name().clone();
        let change = match self.part.put(resource) {
            Some(old) => Change { name: old.name().clone(), was: Was::Version(old.version()) },
            None => {
                stats.resources_of(self.label.resource_type()).add(1);
                Change { name, was: Was::Nothing }
            }
        };
        self.pending.push(change);
    }

    fn remove(&mut self, name: &str, stats: &CatalogStats) {
        let Some(old) = self.part.remove(name) else { return };
        stats.changed.inc();
        stats.resources_of(self.label.resource_type()).add(-1);
        self.pending.push(Change { name: old.name().clone(), was: Was::There(old) });
    }

    /// Takes its share out of the gauges.
    pub(super) fn forget(&self, stats: &CatalogStats) {
        let held = i64::try_from(self.part.len()).unwrap_or(0);
        stats.resources_of(self.label.resource_type()).add(-held);
    }
}

/// What a commit changed on one shelf.
#[derive(Debug)]
pub(super) struct Committed {
    resource_type: ResourceType,
    names: Vec<Arc<str>>,
    /// Everybody has to look, because the log is about to forget.
    pub(super) all: bool,
}

impl Committed {
    /// The names, for streams that take them under a wildcard (`star`) or only by name.
    pub(super) fn topics(&self, star: bool) -> impl Iterator<Item = Topic> {
        self.names.iter().map(move |name| match self.resource_type {
            ResourceType::Endpoint => Topic::new(self.resource_type, &leds::collection_of(name), star),
            _ => Topic::new(self.resource_type, name, star),
        })
    }
}

/// What stands for one service on a shelf.
fn resources(label: &Label, key: &ServiceKey, world: &World) -> Vec<Resource> {
    let faces = || world.faces(key).into_iter();
    match label {
        Label::BuiltIn
        | Label::EgressListener { .. }
        | Label::Passthrough { .. }
        | Label::EgressTable
        | Label::NoHosts
        | Label::Endpoints { .. } => Vec::new(),
        Label::Clusters => {
            faces().map(|face| cluster::federated(key, face.port.port, face.port.app, face.balancing)).collect()
        }
        Label::Routes => faces().map(|face| route::table(key, face.port.port, face.balancing.by_source)).collect(),
        Label::EgressScopes => route::egress_scopes(key, &faces().map(|face| face.port).collect::<Vec<_>>()),
        Label::EgressHosts => vhds::hosts(key, &faces().map(|face| face.port).collect::<Vec<_>>()),
        Label::GrpcListeners => faces().map(|face| grpc::listener(key, face.port.port)).collect(),
        Label::GrpcClusters => {
            faces().map(|face| grpc::cluster(key, face.port.port, face.balancing.by_source)).collect()
        }
        Label::Loads { client, dialect } => loads(client, *dialect, key, world),
        Label::KeptLoads { member, dialect } => kept_loads(member, *dialect, key, world),
        Label::VipListeners { member, listen, .. } => vip_listeners(member, *listen, key, world),
        Label::VipClusters(member) => {
            let vips = federated_vips(member, key, world);
            let of = |face: Face, vip: &IpAddr| {
                cluster::vip(SocketAddr::new(*vip, face.port.port), key, face.port.app, face.balancing)
            };
            faces().flat_map(|face| vips.iter().map(move |vip| of(face, vip))).collect()
        }
    }
}

fn loads(client: &ClientClass, dialect: Dialect, key: &ServiceKey, world: &World) -> Vec<Resource> {
    let Some(merged) = world.services.get(key) else { return Vec::new() };
    let tcp = merged.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    tcp.map(|port| {
        let assignment = federation::view::assign(client, merged, port, &world.topology);
        let name = names::outbound(port.port, key);
        match dialect {
            Dialect::Envoy => endpoint::load_assignment(&name, &assignment),
            Dialect::Leds => leds::load_assignment(key, port.port, &assignment),
            Dialect::Grpc => grpc::load_assignment(&name, &assignment),
        }
    })
    .collect()
}

/// Where a name leads in a member that keeps it for itself: to its own Service, as the member's DNS does. A port that the
/// Service does not have, or one without a VIP, leads nowhere, and never to another member's pods.
fn kept_loads(member: &ClusterId, dialect: Dialect, key: &ServiceKey, world: &World) -> Vec<Resource> {
    let Some(merged) = world.services.get(key) else { return Vec::new() };
    let known = world.vips(member, key).filter(|(known, _)| known.is_kept_local(true));
    let place = world.topology.members.get(member);
    let (Some((known, ips)), Some(place)) = (known, place) else { return Vec::new() };
    let load = |face: Face| {
        let port = face.port.port;
        let vips: &[IpAddr] = if known.ports.contains(&(port, Protocol::Tcp)) { &ips } else { &[] };
        let backend = vip_backend(member, vips, port);
        let locality = Locality { region: &place.region, weight: 1, backend: &backend };
        let tiers = if vips.is_empty() { Vec::new() } else { vec![vec![locality]] };
        let assignment = Assignment { tiers, weighted: false, reach: Reach::new(place.families, merged) };
        let name = names::outbound(port, key);
        match dialect {
            Dialect::Envoy | Dialect::Leds => endpoint::load_assignment(&name, &assignment),
            Dialect::Grpc => grpc::load_assignment(&name, &assignment),
        }
    };
    world.faces(key).into_iter().map(load).collect()
}

/// One host: a Service's VIP of each family.
fn vip_backend(member: &ClusterId, vips: &[IpAddr], port: u16) -> Backend {
    let first = vips.iter().find(|ip| ip.is_ipv4()).or(vips.first());
    let second = vips.iter().find(|ip| ip.is_ipv6() && Some(*ip) != first).map(|ip| (0, *ip));
    let hosts = first.map(|ip| Host::new(SocketAddr::new(*ip, port), Health::Ready));
    Backend {
        cluster: member.clone(),
        zone: None,
        hosts: hosts.into_iter().collect(),
        second: SecondAddresses::new(second.into_iter().collect()),
    }
}

/// A listener for each TCP-transport port of each VIP.
fn vip_listeners(member: &ClusterId, listen: IpAddr, key: &ServiceKey, world: &World) -> Vec<Resource> {
    let vips = federated_vips(member, key, world);
    let ports = world.faces(key).into_iter().map(|face| face.port);
    let all = ports.flat_map(|port| vips.iter().map(move |vip| (port, SocketAddr::new(*vip, port.port))));
    // Envoy rejects a second listener of one address, and the one behind interception is the more important.
    let others = all.filter(|(_, at)| outbound::addresses(listen).iter().all(|(_, taken)| taken != at));
    let listener = |(port, at): (RoutedPort, SocketAddr)| {
        let cluster = names::outbound(port.port, key);
        match port.app {
            AppProtocol::Http | AppProtocol::Http2 => listener::http_vip(at, &cluster),
            AppProtocol::Tcp => listener::tcp_vip(at, &cluster),
        }
    };
    others.map(listener).collect()
}

/// VIPs in this member under which a merged service is reached.
fn federated_vips(member: &ClusterId, key: &ServiceKey, world: &World) -> Vec<IpAddr> {
    let known = world.vips(member, key).filter(|(known, _)| known.federated && world.services.contains_key(key));
    known.map(|(_, ips)| ips).unwrap_or_default()
}

/// What one service wants of the listeners in a member.
fn uses_of(member: &ClusterId, key: &ServiceKey, world: &World) -> Uses {
    let mut uses: Uses = BTreeMap::new();
    let Some((known, ips)) = world.vips(member, key) else { return uses };
    let federated = known.federated && world.services.contains_key(key);
    for ip in &ips {
        // Whose source is not known yet may well be federated: then it is nothing that is to be left alone.
        let local = known.ports.iter().filter(|(_, protocol)| *protocol == Protocol::Tcp && !known.awaits_source);
        uses.extend(local.map(|(port, _)| ((*port, *ip), Use::Untouched)));
        if federated {
            uses.extend(world.faces(key).into_iter().map(|face| match face.port.app {
                AppProtocol::Http | AppProtocol::Http2 => ((face.port.port, *ip), Use::Http),
                AppProtocol::Tcp => ((face.port.port, *ip), Use::Tcp),
            }));
        }
    }
    uses
}

/// What a shelf holds whatever the world looks like.
impl Label {
    fn constants(&self) -> Vec<Resource> {
        match self {
            Self::BuiltIn | Self::Clusters => cluster::built_in().into(),
            Self::EgressListener { listen, on_demand, vhds, passthrough } => {
                let intercepted = passthrough.then(|| Listeners::passthrough(*listen, false)).into_iter().flatten();
                std::iter::once(listener::egress(*listen, *on_demand, *vhds)).chain(intercepted).collect()
            }
            Self::Passthrough { listen, on_demand } => Listeners::passthrough(*listen, *on_demand).collect(),
            Self::EgressTable => vec![vhds::table()],
            Self::NoHosts => vec![vhds::no_hosts()],
            _ => Vec::new(),
        }
    }
}
