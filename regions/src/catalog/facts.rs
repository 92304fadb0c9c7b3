//! What recipes make resources from: the latest of every service, its VIPs and the topology.

mod changes;
mod locations;
mod vips;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{Affinity, ClusterId, Merged, Protocol, RankingRule, ServiceKey, Tier};
use federation::ranking::{ClientClass, is_weighted};
use federation::{Effects, Topology, Vips};
use ipnet::IpNet;

use crate::stats::CatalogStats;
use crate::translate::cluster::Balancing;
use crate::translate::names;
use crate::translate::route::RoutedPort;
pub(super) use changes::Changes;
use locations::Locations;
#[cfg(test)]
pub(super) use locations::MAX_TOLERATED;
use vips::MemberVips;

#[derive(Default)]
pub(super) struct Facts {
    pub(super) services: BTreeMap<ServiceKey, Arc<Merged>>,
    /// The ranking that a service's policy asks for.
    rankings: BTreeMap<ServiceKey, Arc<RankingRule>>,
    default_ranking: RankingRule,
    pub(super) topology: Arc<Topology>,
    /// Members that have to be known and are not.
    pub(super) unknown: Arc<BTreeSet<ClusterId>>,
    members: BTreeMap<ClusterId, MemberVips>,
    /// In how many members there is a mirror that was made for a member that is not known.
    awaited: BTreeMap<ServiceKey, usize>,
    /// How many services are ranked by the client's own cluster.
    pinned: usize,
    locations: Locations,
}

/// One TCP port of a service, without its endpoints. Envoy's clusters are for TCP; UDP and SCTP ports are left to Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) port: RoutedPort,
    pub(super) balancing: Balancing,
}

impl Facts {
    /// Applies what the engine decided, and returns what changed.
    pub(super) fn apply(&mut self, effects: &Effects, stats: &CatalogStats) -> Changes {
        let mut changes = Changes::default();
        for (key, rule) in &effects.rankings {
            self.apply_ranking(key, rule.as_ref(), &mut changes);
        }
        for (key, merged) in &effects.services {
            stats.merged_seen.inc();
            self.apply_service(key, merged.as_ref(), &mut changes);
        }
        for (cluster, key, vips) in &effects.vips {
            stats.vips_seen.inc();
            self.apply_vips(cluster, key, vips.as_ref(), &mut changes);
        }
        self.awaited.retain(|_, count| *count > 0);
        if let Some(unknown) = &effects.unknown {
            changes.unknown = true;
            self.unknown = unknown.clone();
        }
        if let Some(topology) = &effects.topology {
            stats.topologies_seen.inc();
            self.apply_topology(topology, &mut changes);
        }
        changes
    }

    fn apply_service(&mut self, key: &ServiceKey, merged: Option<&Arc<Merged>>, changes: &mut Changes) {
        let old = match merged {
            Some(merged) => self.services.insert(key.clone(), merged.clone()),
            None => self.services.remove(key),
        };
        changes.zones |= self.locations.replace(old.as_deref(), merged.map(|merged| &**merged));
        let shapes = |merged: &Arc<Merged>| shapes(merged, self.ranking(key), &self.topology);
        if old.as_ref().map(shapes) != merged.map(shapes) {
            changes.shapes.insert(key.clone());
        }
        changes.services.insert(key.clone());
    }

    fn apply_ranking(&mut self, key: &ServiceKey, rule: Option<&Arc<RankingRule>>, changes: &mut Changes) {
        let before = self.shapes(key);
        let old = match rule {
            Some(rule) => self.rankings.insert(key.clone(), rule.clone()),
            None => self.rankings.remove(key),
        };
        self.pinned += usize::from(rule.is_some_and(|rule| is_pinned(rule)));
        self.pinned -= usize::from(old.as_deref().is_some_and(is_pinned));
        if self.shapes(key) != before {
            changes.shapes.insert(key.clone());
        }
        changes.services.insert(key.clone());
    }

    fn apply_vips(&mut self, cluster: &ClusterId, key: &ServiceKey, vips: Option<&Arc<Vips>>, changes: &mut Changes) {
        let member = self.members.entry(cluster.clone()).or_default();
        let awaits = |vips: Option<&Arc<Vips>>| usize::from(vips.is_some_and(|vips| vips.awaits_source));
        let (was, is) = (awaits(member.of(key)), awaits(vips));
        if was != is {
            changes.awaited = true;
            let count = self.awaited.entry(key.clone()).or_default();
            *count = (*count + is).saturating_sub(was);
        }
        member.set(key, vips.cloned(), changes.vips.entry(cluster.clone()).or_default());
        if member.is_empty() {
            self.members.remove(cluster);
        }
    }

    fn apply_topology(&mut self, topology: &Arc<Topology>, changes: &mut Changes) {
        if self.topology != *topology {
            changes.topology = true;
            let changed = |key: &ServiceKey, merged: &Merged| {
                let rule = self.ranking(key);
                shapes(merged, rule, &self.topology) != shapes(merged, rule, topology)
            };
            let changed = self.services.iter().filter(|(key, merged)| changed(key, merged));
            changes.shapes.extend(changed.map(|(key, _)| key.clone()));
        }
        self.topology = topology.clone();
        self.locations.set_topology(topology);
    }

    /// The service's ports, as clusters and routes know them.
    pub(super) fn shapes(&self, key: &ServiceKey) -> Vec<Shape> {
        let shapes = |merged: &Arc<Merged>| shapes(merged, self.ranking(key), &self.topology);
        self.services.get(key).map(shapes).unwrap_or_default()
    }

    /// The ranking that a service's policy asks for; the built-in policy where none was published.
    pub(super) fn ranking(&self, key: &ServiceKey) -> &RankingRule {
        self.rankings.get(key).map_or(&self.default_ranking, Arc::as_ref)
    }

    /// The same, as far as routes depend on them.
    pub(super) fn routed_ports(&self, key: &ServiceKey) -> Vec<RoutedPort> {
        self.shapes(key).into_iter().map(|shape| shape.port).collect()
    }

    /// Load assignments that surely lack endpoints of a member that is not known. Empty once all are known.
    pub(super) fn awaited_loads(&self) -> HashSet<String> {
        let keys = self.awaited.keys().flat_map(|key| self.shapes(key).into_iter().map(move |shape| (key, shape)));
        keys.map(|(key, shape)| names::outbound(shape.port.port, key)).collect()
    }

    /// See [`Locations::merge_empty`].
    pub(super) fn merge_empty_locations(&self, client: &mut ClientClass) {
        self.locations.merge_empty(client, &self.topology);
    }

    /// A class of clients is opened, see [`Locations::tolerate`].
    pub(super) fn tolerate(&mut self, client: &ClientClass) {
        self.locations.tolerate(client, &self.topology);
    }

    /// Only these classes of clients are left.
    pub(super) fn retain_tolerated<'a>(&mut self, clients: impl Iterator<Item = &'a ClientClass>) {
        self.locations.retain_tolerated(clients);
    }

    /// Whether any service is ranked by the client's own cluster. If none is, clients of one zone share their load
    /// assignments, whatever their cluster.
    pub(super) fn ranks_by_cluster(&self) -> bool {
        self.pinned > 0
    }

    /// What the member knows of the service, and which of its VIPs are really its own.
    pub(super) fn vips(&self, member: &ClusterId, key: &ServiceKey) -> Option<(&Vips, Vec<IpAddr>)> {
        self.members.get(member)?.owned(key)
    }

    /// VIPs in this member under which a merged service is reached.
    pub(super) fn federated_vips(&self, member: &ClusterId, key: &ServiceKey) -> Vec<IpAddr> {
        let known = self.vips(member, key).filter(|(known, _)| known.federated && self.services.contains_key(key));
        known.map(|(_, ips)| ips).unwrap_or_default()
    }

    /// Every service that the member knows, federated or not.
    pub(super) fn known_in(&self, member: &ClusterId) -> impl Iterator<Item = &ServiceKey> {
        self.members.get(member).into_iter().flat_map(MemberVips::services)
    }

    /// None while it is not a member.
    pub(super) fn service_ranges(&self, member: &ClusterId) -> &[IpNet] {
        self.topology.members.get(member).map_or(&[], |place| &*place.services)
    }
}

fn shapes(merged: &Merged, rule: &RankingRule, topology: &Topology) -> Vec<Shape> {
    let by_source = merged.affinity != Affinity::None;
    let tcp = merged.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    tcp.map(|port| Shape {
        port: RoutedPort { port: port.port, app: port.app },
        balancing: Balancing { weighted: is_weighted(port, rule, topology), by_source },
    })
    .collect()
}

fn is_pinned(rule: &RankingRule) -> bool {
    rule.failover.tiers.contains(&Tier::Cluster)
}
