//! What is known and what is not. **What is not known is never told as if it were absent**: nothing is decided before the
//! hub's lists are complete, a member contributes nothing before what it contributes was completely listed, and members
//! that have to be known and are not are told as such.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Engine;
use crate::dirty::Dirty;
use crate::effects::{Effects, MirrorKey};
use crate::model::{ClusterId, Service, ServiceKey};
use crate::report::Verdict;
use crate::store::ClusterState;

/// The lists that the hub's part consists of. Without all of them there is no telling who is a member, or by which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HubKind {
    Regions,
    Members,
    Policies,
}

impl HubKind {
    pub const ALL: [Self; 3] = [Self::Regions, Self::Members, Self::Policies];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regions => "Regions",
            Self::Members => "MemberClusters",
            Self::Policies => "FederationPolicies",
        }
    }
}

/// Which members have to be known before the world counts as complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Awaits {
    /// Those that are admitted: with a hub, admissions are on record, and a newcomer that cannot be reached keeps nobody
    /// waiting.
    #[default]
    Admitted,
    /// All that are not refused: a folder keeps no record of admissions.
    NotRefused,
}

impl Engine {
    /// Lists of the hub that were not completed yet.
    pub fn hub_missing(&self) -> Vec<HubKind> {
        HubKind::ALL.into_iter().filter(|kind| !self.hub_listed.contains(kind)).collect()
    }

    pub fn hub_is_listed(&self) -> bool {
        self.hub_listed.len() == HubKind::ALL.len()
    }

    /// Members that have to be known and are not. Empty as long as the hub's lists are not complete: see
    /// [`Engine::hub_missing`].
    pub fn unknown(&self) -> &Arc<BTreeSet<ClusterId>> {
        &self.unknown
    }

    /// True when it is known what there is.
    pub fn synced(&self) -> bool {
        self.hub_is_listed() && self.unknown.is_empty()
    }

    pub(super) fn note_listed(&mut self, kind: HubKind, is_full: bool) {
        if is_full {
            self.hub_listed.insert(kind);
        }
    }

    /// The hub's lists are complete: everything that was stored until now is looked at for the first time.
    pub(super) fn begin(&self, dirty: &mut Dirty) {
        (dirty.admission, dirty.links, dirty.all_services) = (true, true, true);
        dirty.faces.extend(self.clusters.keys().cloned());
        dirty.members.extend(self.clusters.keys().cloned());
    }

    /// Works out which members are not known, and what depends on those that turned. O(members), in rounds in which a
    /// link, a list or an admission changed.
    pub(super) fn refresh_unknown(&mut self, dirty: &mut Dirty, effects: &mut Effects) {
        if !(dirty.admission || dirty.links) {
            return;
        }
        let is_unknown = |(id, state): (&ClusterId, &ClusterState)| {
            (self.must_be_known(id) && !state.is_known_wholly()).then(|| id.clone())
        };
        let fresh: BTreeSet<ClusterId> = self.clusters.iter().filter_map(is_unknown).collect();
        if fresh == *self.unknown {
            return;
        }
        let settled = self.awaiting.iter().filter(|(source, ..)| !fresh.contains(source));
        for (_, id, key) in settled {
            dirty.vips.insert((id.clone(), key.clone()));
            dirty.mirrors.insert((id.clone(), MirrorKey::Service(key.clone())));
        }
        self.awaiting.retain(|(source, ..)| fresh.contains(source));
        let lost: BTreeSet<&ClusterId> = fresh.difference(&self.unknown).collect();
        if !lost.is_empty() {
            self.look_for_mirrors_of(&lost, dirty);
        }
        dirty.members.extend(fresh.symmetric_difference(&self.unknown).cloned());
        self.unknown = Arc::new(fresh);
        effects.unknown = Some(Arc::clone(&self.unknown));
    }

    /// Whether a Service is a mirror that was made for a member that is not known now.
    pub(super) fn awaits_source(&self, service: &Service) -> bool {
        self.awaited(service).next().is_some()
    }

    pub(super) fn note_awaiting(&mut self, id: &ClusterId, key: &ServiceKey) {
        if self.unknown.is_empty() {
            return;
        }
        let service = self.clusters.get(id).and_then(|state| state.services.get(key));
        let sources: Vec<ClusterId> = service.into_iter().flat_map(|service| self.awaited(service)).cloned().collect();
        self.awaiting.extend(sources.into_iter().map(|source| (source, id.clone(), key.clone())));
    }

    fn awaited<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a ClusterId> {
        let sources = service.mark().into_iter().flat_map(|mark| &mark.sources);
        sources.filter(|source| self.unknown.contains(*source))
    }

    fn must_be_known(&self, id: &ClusterId) -> bool {
        let refused = || matches!(self.verdicts.get(id), Some(Verdict::Refused(_)));
        self.ledger.contains_key(id) || (self.config.awaits == Awaits::NotRefused && !refused())
    }

    /// Once for each member that joins: O(Services of all members).
    fn look_for_mirrors_of(&self, lost: &BTreeSet<&ClusterId>, dirty: &mut Dirty) {
        for (id, state) in &self.clusters {
            for service in state.services.values() {
                if service.mark().is_some_and(|mark| mark.sources.iter().any(|source| lost.contains(source))) {
                    dirty.vips.insert((id.clone(), service.key.clone()));
                    dirty.mirrors.insert((id.clone(), MirrorKey::Service(service.key.clone())));
                }
            }
        }
    }
}
