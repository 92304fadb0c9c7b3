//! What is known of a member besides its objects: the ranges it uses, and what it contributes, counted as it changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use crate::change::MemberKind;
use crate::model::{ClusterId, Families, Family, Member, Merged, ServiceKey};
use crate::report::{
    CidrSource, Cidrs, Counts, FamilyConflict, Listed, MAX_LISTED, Notable, Notice, OutsideAddress, RangeUse,
    RefusedAddress, Subject, UndeclaredRange,
};
use crate::store::{ClusterState, Mirrored};

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

/// Where its own objects contradict what is declared. Objects of a kind count once they were fully listed.
pub(crate) fn undeclared(member: &Member, state: &ClusterState) -> Listed<UndeclaredRange> {
    let nodes = state.nodes.values().flat_map(|node| &node.pod_cidrs);
    let cidrs = state.service_cidrs.values().flat_map(|object| &object.cidrs);
    let mut found = outside(member.pods.as_deref(), nodes, RangeUse::Pods, state.has_seen(MemberKind::Nodes));
    let listed = state.has_seen(MemberKind::ServiceCidrs);
    found.extend(outside(member.services.as_deref(), cidrs, RangeUse::Services, listed));
    Listed::new(found.len(), found)
}

fn outside<'a>(
    declared: Option<&[IpNet]>,
    shown: impl Iterator<Item = &'a IpNet>,
    used_for: RangeUse,
    listed: bool,
) -> Vec<UndeclaredRange> {
    let Some(declared) = declared.filter(|_| listed) else { return Vec::new() };
    // Two declared ranges that touch hold a range that lies in both.
    let declared = IpNet::aggregate(&declared.to_vec());
    let outside: Vec<IpNet> = shown.filter(|range| !declared.iter().any(|net| net.contains(*range))).copied().collect();
    IpNet::aggregate(&outside).into_iter().map(|range| UndeclaredRange { used_for, range }).collect()
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
    pub refused: Findings<RefusedAddress>,
    pub outside: Findings<OutsideAddress>,
    pub family_conflicts: Findings<FamilyConflict>,
    pub notices: Findings<Notice>,
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

    /// What was found of a member's services, and the hints that its objects themselves give.
    pub fn notices(&self, cluster: &ClusterId, hints: &BTreeMap<Subject, Arc<str>>) -> Listed<Notice> {
        let found = self.notices.of(cluster);
        let hints = hints
            .iter()
            .map(|(subject, hint)| Notice { subject: subject.clone(), what: Notable::Misspelt(Arc::clone(hint)) });
        let total = found.total + hints.len();
        let mut first: Vec<Notice> = found.first.into_iter().chain(hints.take(MAX_LISTED)).collect();
        first.sort();
        Listed::new(total, first)
    }
}

/// What the merges of all services found, by member. An item names its service.
#[derive(Debug)]
pub(crate) struct Findings<T> {
    by_member: BTreeMap<ClusterId, BTreeSet<T>>,
    of_service: HashMap<ServiceKey, BTreeSet<(ClusterId, T)>>,
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self { by_member: BTreeMap::new(), of_service: HashMap::new() }
    }
}

impl<T: Ord + Clone> Findings<T> {
    /// Replaces what was found of one service; returns whose list changed.
    pub fn set(&mut self, service: &ServiceKey, fresh: BTreeSet<(ClusterId, T)>) -> BTreeSet<ClusterId> {
        let old = self.of_service.remove(service).unwrap_or_default();
        let mut touched = BTreeSet::new();
        for (cluster, gone) in old.difference(&fresh) {
            if let Some(list) = self.by_member.get_mut(cluster) {
                list.remove(gone);
                if list.is_empty() {
                    self.by_member.remove(cluster);
                }
            }
            touched.insert(cluster.clone());
        }
        for (cluster, new) in fresh.difference(&old) {
            self.by_member.entry(cluster.clone()).or_default().insert(new.clone());
            touched.insert(cluster.clone());
        }
        if !fresh.is_empty() {
            self.of_service.insert(service.clone(), fresh);
        }
        touched
    }

    pub fn of(&self, cluster: &ClusterId) -> Listed<T> {
        let found = self.by_member.get(cluster);
        Listed::new(found.map_or(0, BTreeSet::len), found.into_iter().flatten().cloned())
    }
}
