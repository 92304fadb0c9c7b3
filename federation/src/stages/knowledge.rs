//! What is known and what is not. **What is not known is never published as if it were absent**: nothing is decided before
//! the hub's lists are complete, a member contributes nothing before what it contributes was completely listed, and the
//! members that have to be known and are not are named.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::hub::{Hub, HubChange};
use super::membership::{Membership, MembershipChange};
use crate::knowledge::{Deadlines, Knowledge, Progress};
use crate::model::{ClusterId, ServiceKey, Time};
use crate::packed::PackedService;
use crate::store::{ClusterState, Store, StoreChange};

/// Which members have to be known before everything counts as known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Awaits {
    /// Those that are admitted: with a hub, admissions are on record, and no process waits for a newcomer that cannot be
    /// reached.
    #[default]
    Admitted,
    /// All that are not refused: a folder keeps no record of admissions.
    NotRefused,
}

pub(crate) struct KnowledgeStage {
    awaits: Awaits,
    progress: Progress,
    /// Members that have to be known and are not.
    unknown: Arc<BTreeSet<ClusterId>>,
    /// Mirrors that were made for an unknown member (source, member that holds the mirror, service): to be planned again when
    /// the source is known. It may hold mirrors that are gone.
    awaiting: BTreeSet<(ClusterId, ClusterId, ServiceKey)>,
}

/// What one round changed in what is known.
#[derive(Debug, Default)]
pub(crate) struct KnowledgeChange {
    /// All unknown members, if that set changed.
    pub unknown: Option<Arc<BTreeSet<ClusterId>>>,
    /// Members that became known or unknown.
    pub members: BTreeSet<ClusterId>,
    /// Mirrors that were made for such a member, with the member that holds them.
    pub mirrors: BTreeSet<(ClusterId, ServiceKey)>,
    /// What is known, if the phase changed or the process became ready.
    pub knowledge: Option<Knowledge>,
}

/// What the earlier stages changed in this round.
#[derive(Clone, Copy)]
pub(crate) struct Changes<'a> {
    pub hub: &'a HubChange,
    pub store: &'a StoreChange,
    pub membership: &'a MembershipChange,
}

impl KnowledgeStage {
    pub fn new(awaits: Awaits, deadlines: Deadlines) -> Self {
        Self { awaits, progress: Progress::new(deadlines), unknown: Arc::default(), awaiting: BTreeSet::new() }
    }

    /// O(members) in rounds in which a link, a list or an admission changed, else O(changed Services).
    pub fn update(
        &mut self,
        changes: Changes<'_>,
        store: &Store,
        membership: &Membership,
        now: Time,
    ) -> KnowledgeChange {
        let removed = &changes.hub.removed;
        if !removed.is_empty() {
            self.awaiting.retain(|(_, holder, _)| !removed.contains(holder));
        }
        let mut change = KnowledgeChange::default();
        if changes.hub.any || changes.membership.judged || !changes.store.links.is_empty() {
            self.refresh(store, membership, &mut change);
        }
        if !self.unknown.is_empty() {
            for (id, key) in &changes.store.objects {
                if let Some(service) = store.get(id).and_then(|state| state.services.get(key)) {
                    self.note_awaiting(id, service);
                }
            }
        }
        let changed = self.progress.update(self.unknown.is_empty(), now);
        change.knowledge = changed.then(|| self.progress.knowledge(Vec::new()));
        change
    }

    pub fn knowledge(&self, hub: &Hub) -> Knowledge {
        self.progress.knowledge(hub.missing())
    }

    /// When the engine must be called although no batch arrives.
    pub fn wake_at(&self) -> Option<Time> {
        self.progress.wake_at()
    }

    /// Members that have to be known and are not.
    pub fn unknown(&self) -> &Arc<BTreeSet<ClusterId>> {
        &self.unknown
    }

    /// Whether a Service is a mirror that was made for a member that is not known now.
    pub fn awaits_source(&self, service: &PackedService) -> bool {
        self.awaited(service).next().is_some()
    }

    fn refresh(&mut self, store: &Store, membership: &Membership, change: &mut KnowledgeChange) {
        let is_unknown = |(id, state): (&ClusterId, &ClusterState)| {
            (self.must_be_known(id, membership) && !state.lists.is_known_wholly()).then(|| id.clone())
        };
        let fresh: BTreeSet<ClusterId> = store.iter().filter_map(is_unknown).collect();
        if fresh == *self.unknown {
            return;
        }
        let settled = self.awaiting.iter().filter(|(source, ..)| !fresh.contains(source));
        change.mirrors.extend(settled.map(|(_, holder, key)| (holder.clone(), key.clone())));
        self.awaiting.retain(|(source, ..)| fresh.contains(source));
        let lost: BTreeSet<ClusterId> = fresh.difference(&self.unknown).cloned().collect();
        change.members = fresh.symmetric_difference(&self.unknown).cloned().collect();
        self.unknown = Arc::new(fresh);
        change.unknown = Some(Arc::clone(&self.unknown));
        if !lost.is_empty() {
            self.find_mirrors_of(&lost, store, change);
        }
    }

    fn must_be_known(&self, id: &ClusterId, membership: &Membership) -> bool {
        membership.is_admitted(id) || (self.awaits == Awaits::NotRefused && !membership.is_refused(id))
    }

    /// Once for each member that joins: O(Services of all members).
    fn find_mirrors_of(&mut self, lost: &BTreeSet<ClusterId>, store: &Store, change: &mut KnowledgeChange) {
        for (id, state) in store.iter() {
            for service in state.services.values() {
                if service.mark().is_some_and(|mark| mark.sources.iter().any(|source| lost.contains(source))) {
                    change.mirrors.insert((id.clone(), service.key.clone()));
                    self.note_awaiting(id, service);
                }
            }
        }
    }

    fn note_awaiting(&mut self, holder: &ClusterId, service: &PackedService) {
        let sources: Vec<ClusterId> = self.awaited(service).cloned().collect();
        self.awaiting.extend(sources.into_iter().map(|source| (source, holder.clone(), service.key.clone())));
    }

    fn awaited<'a>(&'a self, service: &'a PackedService) -> impl Iterator<Item = &'a ClusterId> {
        let sources = service.mark().into_iter().flat_map(|mark| &mark.sources);
        sources.filter(|source| self.unknown.contains(*source))
    }
}
