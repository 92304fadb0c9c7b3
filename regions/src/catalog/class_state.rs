//! What one class of clients is served, kept current service by service.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{AppProtocol, ClusterId, Merged, Protocol, ServiceKey};
use federation::view::{Assignment, ClientClass, assign};
use tokio::sync::watch;

use super::listeners::{Listeners, Use, Uses};
use super::world::World;
use crate::class::{Class, Profile};
use crate::resource::{Resource, ResourceType, TYPES};
use crate::snapshot::{Commit, MAX_LOG_CHANGES, MAX_LOG_COMMITS, Snapshot, TypeView};
use crate::stats::CatalogStats;
use crate::translate::route::RoutedPort;
use crate::translate::{cluster, endpoint, listener, names, route};

pub(super) struct ClassState {
    class: Class,
    sender: watch::Sender<Option<Arc<Snapshot>>>,
    /// Of the last published snapshot; 0: none was.
    seq: u64,
    types: [TypeView; TYPES],
    pending: Vec<(ResourceType, Arc<str>)>,
    log: VecDeque<Arc<Commit>>,
    log_changes: usize,
    services: HashMap<ServiceKey, Held>,
    listeners: Listeners,
}

/// What stands for one service.
#[derive(Default)]
struct Held {
    shape: Shape,
    names: BTreeSet<(ResourceType, Arc<str>)>,
}

/// All that a service's resources depend on, its load assignments excepted. While it stays, nothing else is encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shape {
    ports: Vec<(RoutedPort, bool)>,
    vips: Vec<IpAddr>,
    uses: Uses,
}

impl ClassState {
    pub(super) fn new(class: Class, stats: &CatalogStats) -> Self {
        let Profile::Envoy { listen } = class.profile;
        let mut state = Self {
            class,
            sender: watch::Sender::new(None),
            seq: 0,
            types: Default::default(),
            pending: Vec::new(),
            log: VecDeque::new(),
            log_changes: 0,
            services: HashMap::new(),
            listeners: Listeners::new(listen),
        };
        for resource in cluster::built_in() {
            state.put(ResourceType::Cluster, resource, stats);
        }
        state.put(ResourceType::Listener, listener::egress(listen), stats);
        state
    }

    pub(super) fn member(&self) -> Option<&ClusterId> {
        self.class.client.cluster.as_ref()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Arc<Snapshot>>> {
        self.sender.subscribe()
    }

    pub(super) fn is_used(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Derives these services anew.
    pub(super) fn update(&mut self, keys: &BTreeSet<ServiceKey>, topology: bool, world: &World, stats: &CatalogStats) {
        let place = self.member().and_then(|member| world.topology.members.get(member));
        let mut client = self.class.client.clone();
        if let (false, Some(place)) = (self.class.network_named, place) {
            client.network = place.network.clone();
        }
        if topology {
            let prefixes = place.map(|place| &*place.services);
            self.listeners.set_prefixes(prefixes);
        }
        for key in keys {
            stats.derived.inc();
            self.derive(key, &client, world, stats);
        }
        for (name, listener) in self.listeners.settle() {
            match listener {
                Some(listener) => self.put(ResourceType::Listener, listener, stats),
                None => self.remove(ResourceType::Listener, &Arc::from(name), stats),
            }
        }
    }

    /// Publishes what changed since the last time, if anything did.
    pub(super) fn publish(&mut self, stats: &CatalogStats) {
        if self.pending.is_empty() && self.seq > 0 {
            return;
        }
        self.seq += 1;
        let changes = std::mem::take(&mut self.pending);
        self.log_changes += changes.len();
        self.log.push_back(Arc::new(Commit { seq: self.seq, changes }));
        while self.log.len() > MAX_LOG_COMMITS || self.log_changes > MAX_LOG_CHANGES {
            let Some(oldest) = self.log.pop_front() else { break };
            self.log_changes -= oldest.changes.len();
        }
        let snapshot = Snapshot::new(self.seq, self.types.clone(), self.log.iter().cloned().collect());
        self.sender.send_replace(Some(Arc::new(snapshot)));
        stats.published.inc();
    }

    /// Takes its share out of the gauges.
    pub(super) fn forget(&self, stats: &CatalogStats) {
        for t in ResourceType::ALL {
            let held = self.types.get(t.index()).map_or(0, TypeView::len);
            stats.resources_of(t).add(-i64::try_from(held).unwrap_or(0));
        }
    }

    fn derive(&mut self, key: &ServiceKey, client: &ClientClass, world: &World, stats: &CatalogStats) {
        let merged = world.services.get(key);
        let assignments = merged.map(|merged| assignments(client, merged, world)).unwrap_or_default();
        let shape = self.shape(key, merged.is_some(), &assignments, world);
        let mut held = self.services.remove(key).unwrap_or_default();
        let loads = assignments
            .iter()
            .map(|(port, assignment)| endpoint::load_assignment(&names::outbound(port.port, key), assignment));
        if held.shape == shape {
            loads.for_each(|load| self.put(ResourceType::Assignment, load, stats));
        } else {
            let loads: Vec<_> = loads.map(|load| (ResourceType::Assignment, load)).collect();
            self.reshape(key, &mut held, shape, loads, stats);
        }
        if held.names.is_empty() && held.shape == Shape::default() {
            return; // gone
        }
        self.services.insert(key.clone(), held);
    }

    fn shape(
        &self,
        key: &ServiceKey,
        merged: bool,
        assignments: &[(RoutedPort, Assignment<'_>)],
        world: &World,
    ) -> Shape {
        let ports: Vec<_> = assignments.iter().map(|(port, assignment)| (*port, assignment.weighted)).collect();
        let Some((known, ips)) = self.member().and_then(|member| world.vips(member, key)) else {
            return Shape { ports, ..Shape::default() };
        };
        let federated = known.federated && merged;
        let mut uses = Uses::new();
        for ip in &ips {
            let local = known.ports.iter().filter(|(_, protocol)| *protocol == Protocol::Tcp);
            uses.extend(local.map(|(port, _)| ((*port, *ip), Use::Untouched)));
            if federated {
                uses.extend(ports.iter().map(|(port, _)| match port.app {
                    AppProtocol::Http | AppProtocol::Http2 => ((port.port, *ip), Use::Http),
                    AppProtocol::Tcp => ((port.port, *ip), Use::Tcp(names::outbound(port.port, key).into())),
                }));
            }
        }
        Shape { ports, vips: if federated { ips } else { Vec::new() }, uses }
    }

    fn reshape(
        &mut self,
        key: &ServiceKey,
        held: &mut Held,
        shape: Shape,
        mut resources: Vec<(ResourceType, Resource)>,
        stats: &CatalogStats,
    ) {
        for (port, weighted) in &shape.ports {
            resources.push((ResourceType::Cluster, cluster::federated(key, port.port, port.app, *weighted)));
            resources.push((ResourceType::Route, route::table(key, port.port)));
            if port.app != AppProtocol::Tcp {
                let scopes = shape.vips.iter().enumerate().map(|(i, vip)| route::vip_scope(key, port.port, i, *vip));
                resources.extend(scopes.map(|scope| (ResourceType::Scope, scope)));
            }
        }
        let ports: Vec<_> = shape.ports.iter().map(|(port, _)| *port).collect();
        resources.extend(route::egress_scopes(key, &ports).into_iter().map(|scope| (ResourceType::Scope, scope)));
        let names: BTreeSet<_> = resources.iter().map(|(t, resource)| (*t, resource.name().clone())).collect();
        for (t, resource) in resources {
            self.put(t, resource, stats);
        }
        for (t, gone) in held.names.difference(&names) {
            self.remove(*t, gone, stats);
        }
        self.listeners.replace(key, &held.shape.uses, &shape.uses);
        *held = Held { shape, names };
    }

    fn put(&mut self, resource_type: ResourceType, resource: Resource, stats: &CatalogStats) {
        stats.encoded.inc();
        let Some(view) = self.types.get_mut(resource_type.index()) else { return };
        let (name, before) = (resource.name().clone(), view.len());
        if view.put(resource, self.seq + 1) {
            stats.changed.inc();
            stats.resources_of(resource_type).add(i64::from(view.len() > before));
            self.pending.push((resource_type, name));
        } else {
            stats.unchanged.inc();
        }
    }

    fn remove(&mut self, resource_type: ResourceType, name: &Arc<str>, stats: &CatalogStats) {
        let Some(view) = self.types.get_mut(resource_type.index()) else { return };
        if view.remove(name, self.seq + 1) {
            stats.changed.inc();
            stats.resources_of(resource_type).add(-1);
            self.pending.push((resource_type, name.clone()));
        }
    }
}

/// The ports that run over TCP, and who serves them for this client. Envoy's clusters speak TCP; UDP and SCTP ports stay
/// with Kubernetes.
fn assignments<'a>(client: &ClientClass, merged: &'a Merged, world: &'a World) -> Vec<(RoutedPort, Assignment<'a>)> {
    let tcp = merged.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    tcp.map(|port| {
        let routed = RoutedPort { port: port.port, app: port.app };
        (routed, assign(client, merged, port, &world.topology))
    })
    .collect()
}
