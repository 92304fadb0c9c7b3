//! The latest word on every service, its VIPs and the topology.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use federation::few::Few;
use federation::model::{Affinity, ClusterId, Merged, Protocol, ServiceKey, Tier};
use federation::view::ClientClass;
use federation::view::is_weighted;
use federation::{Effects, Topology, Vips};

use super::places::{Nowhere, Place, Tolerated, Zones, places_of};
use crate::stats::CatalogStats;
use crate::translate::cluster::Balancing;
use crate::translate::names;
use crate::translate::route::RoutedPort;

#[derive(Default)]
pub(super) struct World {
    pub(super) services: BTreeMap<ServiceKey, Arc<Merged>>,
    pub(super) topology: Arc<Topology>,
    /// Members that have to be known and are not.
    pub(super) unknown: Arc<BTreeSet<ClusterId>>,
    members: BTreeMap<ClusterId, MemberVips>,
    /// In how many members there is a mirror that was made for a member that is not known.
    awaited: BTreeMap<ServiceKey, usize>,
    /// Services whose ranking looks at the client's own cluster.
    pinned: usize,
    zones: Zones,
    /// See [`Tolerated`].
    pub(super) tolerated: Tolerated,
    /// A name that no region and no network has: what clients say that are in none of them.
    nowhere: Nowhere,
}

/// A port that runs over TCP. Envoy's clusters speak TCP; UDP and SCTP ports stay with Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Face {
    pub(super) port: RoutedPort,
    pub(super) balancing: Balancing,
}

/// The VIPs of one member. A VIP belongs to one service at a time, but while it moves from one to another both may
/// claim it for a moment: the first by key has it, so that every replica decides alike.
#[derive(Default)]
struct MemberVips {
    by_service: BTreeMap<ServiceKey, Arc<Vips>>,
    claims: BTreeMap<IpAddr, Few<ServiceKey>>,
}

/// What must be derived again.
#[derive(Default)]
pub(super) struct Dirty {
    /// Whatever is said of them, their endpoints included.
    pub(super) services: BTreeSet<ServiceKey>,
    /// Those of which more changed than their endpoints.
    pub(super) faces: BTreeSet<ServiceKey>,
    /// For the classes of one member.
    pub(super) local: BTreeMap<ClusterId, BTreeSet<ServiceKey>>,
    /// The ranking of everything.
    pub(super) topology: bool,
    /// Which members are not known.
    pub(super) unknown: bool,
    /// What is known to lack something.
    pub(super) awaited: bool,
    /// Which zones have endpoints.
    pub(super) zones: bool,
}

impl World {
    pub(super) fn apply(&mut self, effects: &Effects, stats: &CatalogStats) -> Dirty {
        let mut dirty = Dirty::default();
        for (key, merged) in &effects.services {
            stats.merged_seen.inc();
            let old = match merged {
                Some(merged) => self.services.insert(key.clone(), merged.clone()),
                None => self.services.remove(key),
            };
            self.pinned += usize::from(merged.as_deref().is_some_and(is_pinned));
            self.pinned -= usize::from(old.as_deref().is_some_and(is_pinned));
            dirty.zones |= self.zones.replace(old.as_deref(), merged.as_deref());
            let face = |merged: &Arc<Merged>| faces(merged, &self.topology);
            if old.as_ref().map(face) != merged.as_ref().map(face) {
                dirty.faces.insert(key.clone());
            }
            dirty.services.insert(key.clone());
        }
        for (cluster, key, vips) in &effects.vips {
            stats.vips_seen.inc();
            let member = self.members.entry(cluster.clone()).or_default();
            let awaits = |vips: Option<&Arc<Vips>>| usize::from(vips.is_some_and(|vips| vips.awaits_source));
            let (was, is) = (awaits(member.by_service.get(key)), awaits(vips.as_ref()));
            if was != is {
                dirty.awaited = true;
                let count = self.awaited.entry(key.clone()).or_default();
                *count = (*count + is).saturating_sub(was);
            }
            member.set(key, vips.clone(), dirty.local.entry(cluster.clone()).or_default());
            if member.by_service.is_empty() {
                self.members.remove(cluster);
            }
        }
        self.awaited.retain(|_, count| *count > 0);
        if let Some(unknown) = &effects.unknown {
            dirty.unknown = true;
            self.unknown = unknown.clone();
        }
        if let Some(topology) = &effects.topology {
            stats.topologies_seen.inc();
            if *self.topology != **topology {
                dirty.topology = true;
                let changed = |merged: &Merged| faces(merged, &self.topology) != faces(merged, topology);
                let changed = self.services.iter().filter(|(_, merged)| changed(merged));
                dirty.faces.extend(changed.map(|(key, _)| key.clone()));
            }
            self.topology = topology.clone();
            self.nowhere = Nowhere::beside(topology);
        }
        dirty
    }

    /// The service's ports, as clusters and routes know them.
    pub(super) fn faces(&self, key: &ServiceKey) -> Vec<Face> {
        self.services.get(key).map(|merged| faces(merged, &self.topology)).unwrap_or_default()
    }

    /// Load assignments that surely lack endpoints of a member that is not known. Empty once all are known.
    pub(super) fn awaited_loads(&self) -> HashSet<String> {
        let keys = self.awaited.keys().flat_map(|key| self.faces(key).into_iter().map(move |face| (key, face)));
        keys.map(|(key, face)| names::outbound(face.port.port, key)).collect()
    }

    /// Replaces places where there is nothing by the same nothing: they are ranked alike, so they share load assignments,
    /// however many of them clients name.
    pub(super) fn merge_unknown_places(&self, client: &mut ClientClass) {
        for place in places_of(client) {
            if self.is_place(&place) || self.tolerated.contains(&place) {
                continue;
            }
            match (place, &self.nowhere) {
                (Place::Region(_), Nowhere { region: Some(nowhere), .. }) => client.region.clone_from(nowhere),
                (Place::Network(_), Nowhere { network: Some(nowhere), .. }) => client.network.clone_from(nowhere),
                (Place::Zone(_), _) => client.zone = None,
                (Place::Region(_) | Place::Network(_), _) => {}
            }
        }
    }

    /// A class of clients is opened, see [`Tolerated`].
    pub(super) fn tolerate(&mut self, client: &ClientClass) {
        for place in places_of(client).filter(|place| !self.is_place(place)).collect::<Vec<_>>() {
            self.tolerated.add(place);
        }
    }

    fn is_place(&self, place: &Place) -> bool {
        let Topology { members, regions, .. } = &*self.topology;
        let mut members = members.values();
        match place {
            Place::Region(id) => regions.contains_key(id) || members.any(|member| member.region == *id),
            Place::Zone(zone) => self.zones.contains(zone),
            Place::Network(network) => members.any(|member| member.network == *network),
        }
    }

    /// Whether any service is ranked by the client's own cluster. If none is, clients of one zone share their load
    /// assignments, whatever their cluster.
    pub(super) fn ranks_by_cluster(&self) -> bool {
        self.pinned > 0
    }

    /// What the member knows of the service, and which of its VIPs are really its own.
    pub(super) fn vips(&self, member: &ClusterId, key: &ServiceKey) -> Option<(&Vips, Vec<IpAddr>)> {
        let member = self.members.get(member)?;
        let vips = member.by_service.get(key)?;
        let owns = |ip: &&IpAddr| member.claims.get(*ip).and_then(Few::first) == Some(key);
        Some((vips, vips.ips.iter().filter(owns).copied().collect()))
    }

    /// Every service that the member knows, federated or not.
    pub(super) fn known_in(&self, member: &ClusterId) -> impl Iterator<Item = &ServiceKey> {
        self.members.get(member).into_iter().flat_map(|member| member.by_service.keys())
    }
}

fn faces(merged: &Merged, topology: &Topology) -> Vec<Face> {
    let by_source = merged.affinity != Affinity::None;
    let tcp = merged.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    tcp.map(|port| Face {
        port: RoutedPort { port: port.port, app: port.app },
        balancing: Balancing { weighted: is_weighted(merged, port, topology), by_source },
    })
    .collect()
}

fn is_pinned(merged: &Merged) -> bool {
    merged.failover.tiers.contains(&Tier::Cluster)
}

impl MemberVips {
    fn set(&mut self, key: &ServiceKey, vips: Option<Arc<Vips>>, dirty: &mut BTreeSet<ServiceKey>) {
        dirty.insert(key.clone());
        let new = vips.clone();
        let old = match vips {
            Some(vips) => self.by_service.insert(key.clone(), vips),
            None => self.by_service.remove(key),
        };
        for ip in old.iter().flat_map(|vips| &vips.ips) {
            if let Some(claims) = self.claims.get_mut(ip) {
                claims.remove(key);
                dirty.extend(claims.first().cloned());
                if claims.is_empty() {
                    self.claims.remove(ip);
                }
            }
        }
        for ip in new.iter().flat_map(|vips| &vips.ips) {
            let claims = self.claims.entry(*ip).or_default();
            dirty.extend(claims.first().cloned());
            claims.insert(key.clone());
        }
    }
}
