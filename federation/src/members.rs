//! What is known of a member besides its objects: the ranges it uses, and what it contributes, counted as it changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ipnet::IpNet;

use crate::model::{ClusterId, Families, Family, Member, Merged, ServiceKey};
use crate::report::{CidrSource, Cidrs, Counts, FamilyConflict, Trespass};
use crate::store::{ClusterState, Mirrored};

/// Findings of one kind named in one member's report; more of them tell nothing new.
pub const MAX_FINDINGS_REPORTED: usize = 16;

/// The ranges a member uses: as declared, else as its Nodes and ServiceCIDR objects show once they are fully listed.
pub(crate) fn cidrs(member: &Member, state: &ClusterState) -> Cidrs {
    let discover = |ranges: Vec<IpNet>| match state.all_listed() && !ranges.is_empty() {
        true => (IpNet::aggregate(&ranges), CidrSource::Discovered),
        false => (Vec::new(), CidrSource::Unknown),
    };
    let (pods, pods_source) = match &member.pods {
        Some(declared) => (sorted(declared), CidrSource::Declared),
        None => discover(state.nodes.values().flat_map(|node| node.pod_cidrs.iter().copied()).collect()),
    };
    let (services, services_source) = match &member.services {
        Some(declared) => (sorted(declared), CidrSource::Declared),
        None => discover(state.service_cidrs.values().flat_map(|object| object.cidrs.iter().copied()).collect()),
    };
    Cidrs { pods, pods_source, services, services_source }
}

/// The families of a member's pods: those of its ranges on record. The first range it declares, else the first one of a
/// Node, says which comes first: Kubernetes lists the primary family first, and what is on record is sorted.
pub(crate) fn families(member: &Member, state: Option<&ClusterState>, admitted: &[IpNet]) -> Option<Families> {
    let family = |range: &IpNet| Family::of(range.addr());
    let discovered = || state?.nodes.values().find_map(|node| node.pod_cidrs.first());
    let first = member.pods.as_ref().map_or_else(discovered, |declared| declared.first());
    let families = Families::new(admitted.iter().map(family))?;
    Some(first.map_or(families, |first| families.preferring(family(first))))
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
    pub trespasses: Findings<Trespass>,
    pub family_conflicts: Findings<FamilyConflict>,
}

/// What merging found out about members, by member and by service.
#[derive(Debug)]
pub(crate) struct Findings<T> {
    of_member: BTreeMap<ClusterId, BTreeSet<T>>,
    of_service: HashMap<ServiceKey, Vec<(ClusterId, T)>>,
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self { of_member: BTreeMap::new(), of_service: HashMap::new() }
    }
}

impl<T: Ord + Clone> Findings<T> {
    /// Replaces what was found of one service; returns whose list changed.
    pub fn set(&mut self, service: &ServiceKey, fresh: Vec<(ClusterId, T)>) -> BTreeSet<ClusterId> {
        let old = self.of_service.remove(service).unwrap_or_default();
        if old == fresh {
            if !old.is_empty() {
                self.of_service.insert(service.clone(), old);
            }
            return BTreeSet::new();
        }
        let touched = old.iter().chain(&fresh).map(|(cluster, _)| cluster.clone()).collect();
        for (cluster, finding) in &old {
            if let Some(list) = self.of_member.get_mut(cluster) {
                list.remove(finding);
            }
        }
        for (cluster, finding) in &fresh {
            self.of_member.entry(cluster.clone()).or_default().insert(finding.clone());
        }
        self.of_member.retain(|_, list| !list.is_empty());
        if !fresh.is_empty() {
            self.of_service.insert(service.clone(), fresh);
        }
        touched
    }

    /// The first ones of a member.
    pub fn of(&self, cluster: &ClusterId) -> Vec<T> {
        self.of_member.get(cluster).into_iter().flatten().take(MAX_FINDINGS_REPORTED).cloned().collect()
    }
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

    pub fn counts(&self, cluster: &ClusterId, mirrored: Mirrored) -> Counts {
        let Mirrored { all: mirrored, headless: headless_mirrors } = mirrored;
        Counts { mirrored, headless_mirrors, ..self.counts.get(cluster).copied().unwrap_or_default() }
    }
}
