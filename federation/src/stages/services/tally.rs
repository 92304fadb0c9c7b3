//! What each member contributes to merged services, and what the merges found of it, kept up to date with each merge.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::{ClusterId, Merged, ServiceKey};
use crate::report::{
    Counts, FamilyConflict, Listed, MAX_LISTED, Notable, Notice, OutsideAddress, RefusedAddress, Subject,
};
use crate::store::Mirrored;

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
    /// Replaces one merged service by another; returns the members of which the counts changed. A host that only changes its
    /// health, or its place in the order, changes none.
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
    /// Replaces what was found of one service; returns the members of which the list changed.
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
