//! What is known of a member besides its objects: the ranges it uses, and what it contributes, counted as it changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;

use crate::change::MemberKind;
use crate::merge::Trespasses;
use crate::model::{ClusterId, Member, Merged, ServiceKey};
use crate::report::{CidrSource, Cidrs, Counts, Trespass};
use crate::store::{ClusterState, Mirrored};

/// Trespassing addresses named in one member's report; more of them tell nothing new.
pub const MAX_TRESPASSES_REPORTED: usize = 16;

/// The ranges a member uses: as declared, else as its Nodes and ServiceCIDR objects show once they were fully listed.
pub(crate) fn cidrs(member: &Member, state: &ClusterState) -> Cidrs {
    let discover = |kind: MemberKind, ranges: Vec<IpNet>| match state.has_seen(kind) && !ranges.is_empty() {
        true => (IpNet::aggregate(&ranges), CidrSource::Discovered),
        false => (Vec::new(), CidrSource::Unknown),
    };
    let (pods, pods_source) = match &member.pods {
        Some(declared) => (sorted(declared), CidrSource::Declared),
        None => {
            discover(MemberKind::Nodes, state.nodes.values().flat_map(|node| node.pod_cidrs.iter().copied()).collect())
        }
    };
    let (services, services_source) = match &member.services {
        Some(declared) => (sorted(declared), CidrSource::Declared),
        None => discover(
            MemberKind::ServiceCidrs,
            state.service_cidrs.values().flat_map(|object| object.cidrs.iter().copied()).collect(),
        ),
    };
    Cidrs { pods, pods_source, services, services_source }
}

fn sorted(ranges: &[IpNet]) -> Vec<IpNet> {
    ranges.iter().map(IpNet::trunc).collect::<BTreeSet<_>>().into_iter().collect()
}

/// What each source contributes to one merged service.
fn contributions(merged: Option<&Merged>) -> BTreeMap<&ClusterId, Counts> {
    let mut by_source: BTreeMap<&ClusterId, Counts> = BTreeMap::new();
    let Some(merged) = merged else { return by_source };
    for cluster in &merged.sources {
        by_source.entry(cluster).or_default().services = 1;
    }
    for backend in merged.ports.iter().flat_map(|port| &port.backends) {
        by_source.entry(&backend.cluster).or_default().endpoints += backend.hosts.len();
    }
    by_source
}

/// Contributions by member, kept current from each merge's before and after.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<ClusterId, Counts>,
    trespasses: BTreeMap<ClusterId, BTreeSet<Trespass>>,
    trespasses_of: HashMap<ServiceKey, Trespasses>,
}

impl Tally {
    /// Replaces one merged service by another; returns whose counts changed. A host that only changes its health, or
    /// moves, changes nobody's.
    pub fn count(&mut self, old: Option<&Merged>, new: Option<&Merged>) -> BTreeSet<ClusterId> {
        let (old, new) = (contributions(old), contributions(new));
        let mut touched = BTreeSet::new();
        for cluster in old.keys().chain(new.keys()) {
            let (was, is) = (old.get(cluster).copied(), new.get(cluster).copied());
            if was == is || !touched.insert((*cluster).clone()) {
                continue;
            }
            let (was, is) = (was.unwrap_or_default(), is.unwrap_or_default());
            let counts = self.counts.entry((*cluster).clone()).or_default();
            counts.services = (counts.services + is.services).saturating_sub(was.services);
            counts.endpoints = (counts.endpoints + is.endpoints).saturating_sub(was.endpoints);
            if *counts == Counts::default() {
                self.counts.remove(*cluster);
            }
        }
        touched
    }

    /// Replaces the trespasses of one service; returns whose list changed.
    pub fn set_trespasses(&mut self, service: &ServiceKey, fresh: Trespasses) -> BTreeSet<ClusterId> {
        let old = self.trespasses_of.remove(service).unwrap_or_default();
        if old == fresh {
            if !old.is_empty() {
                self.trespasses_of.insert(service.clone(), old);
            }
            return BTreeSet::new();
        }
        let touched = old.iter().chain(&fresh).map(|(cluster, _)| cluster.clone()).collect();
        for (cluster, trespass) in &old {
            if let Some(list) = self.trespasses.get_mut(cluster) {
                list.remove(trespass);
            }
        }
        for (cluster, trespass) in &fresh {
            self.trespasses.entry(cluster.clone()).or_default().insert(trespass.clone());
        }
        self.trespasses.retain(|_, list| !list.is_empty());
        if !fresh.is_empty() {
            self.trespasses_of.insert(service.clone(), fresh);
        }
        touched
    }

    pub fn counts(&self, cluster: &ClusterId, mirrored: Mirrored) -> Counts {
        let Mirrored { all: mirrored, headless: headless_mirrors } = mirrored;
        Counts { mirrored, headless_mirrors, ..self.counts.get(cluster).copied().unwrap_or_default() }
    }

    pub fn trespassing(&self, cluster: &ClusterId) -> Vec<Trespass> {
        self.trespasses.get(cluster).into_iter().flatten().take(MAX_TRESPASSES_REPORTED).cloned().collect()
    }
}
