//! The latest word on every service, its VIPs and the topology.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{ClusterId, Merged, ServiceKey};
use federation::{Effects, Topology, Vips};

use crate::stats::CatalogStats;

#[derive(Default)]
pub(super) struct World {
    pub(super) services: BTreeMap<ServiceKey, Arc<Merged>>,
    pub(super) topology: Arc<Topology>,
    members: BTreeMap<ClusterId, MemberVips>,
}

/// The VIPs of one member. A VIP belongs to one service at a time, but while it moves from one to another both may
/// claim it for a moment: the first by key has it, so that every replica decides alike.
#[derive(Default)]
struct MemberVips {
    by_service: BTreeMap<ServiceKey, Arc<Vips>>,
    claims: BTreeMap<IpAddr, BTreeSet<ServiceKey>>,
}

/// What must be derived again.
#[derive(Default)]
pub(super) struct Dirty {
    /// For every class.
    pub(super) services: BTreeSet<ServiceKey>,
    /// For the classes of one member.
    pub(super) local: BTreeMap<ClusterId, BTreeSet<ServiceKey>>,
    /// Everything, for every class.
    pub(super) topology: bool,
}

impl World {
    pub(super) fn apply(&mut self, effects: &Effects, stats: &CatalogStats) -> Dirty {
        let mut dirty = Dirty::default();
        for (key, merged) in &effects.services {
            stats.merged_seen.inc();
            match merged {
                Some(merged) => drop(self.services.insert(key.clone(), merged.clone())),
                None => drop(self.services.remove(key)),
            }
            dirty.services.insert(key.clone());
        }
        for (cluster, key, vips) in &effects.vips {
            stats.vips_seen.inc();
            let member = self.members.entry(cluster.clone()).or_default();
            member.set(key, vips.clone(), dirty.local.entry(cluster.clone()).or_default());
            if member.by_service.is_empty() {
                self.members.remove(cluster);
            }
        }
        if let Some(topology) = &effects.topology {
            stats.topologies_seen.inc();
            dirty.topology = *self.topology != **topology;
            self.topology = topology.clone();
        }
        dirty
    }

    /// What the member knows of the service, and which of its VIPs are really its own.
    pub(super) fn vips(&self, member: &ClusterId, key: &ServiceKey) -> Option<(&Vips, Vec<IpAddr>)> {
        let member = self.members.get(member)?;
        let vips = member.by_service.get(key)?;
        let owns = |ip: &&IpAddr| member.claims.get(*ip).and_then(BTreeSet::first) == Some(key);
        Some((vips, vips.ips.iter().filter(owns).copied().collect()))
    }

    /// Every service that exists anywhere, federated or not.
    pub(super) fn all_keys(&self) -> BTreeSet<ServiceKey> {
        let local = self.members.values().flat_map(|member| member.by_service.keys());
        self.services.keys().chain(local).cloned().collect()
    }
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
