//! The mirrored objects: which to plan again, and the action that each needs now. The plan for one object is in
//! [`crate::mirror`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::hub::{Hub, HubChange};
use super::knowledge::{KnowledgeChange, KnowledgeStage};
use super::membership::{Membership, MembershipChange};
use super::services::{Services, ServicesChange};
use crate::effects::{MirrorAction, MirrorKey};
use crate::mirror::{self, Backed};
use crate::model::{ClusterId, Digest, HelmRelease, Namespace, Owner, ServiceKey};
use crate::packed::PackedService;
use crate::store::{ClusterState, Store, StoreChange};

pub(crate) struct Mirrors {
    /// The identity that mirrors carry.
    hub_id: Option<Digest>,
    /// Actions that are not `Leave`, as published.
    actions: BTreeMap<ClusterId, BTreeMap<MirrorKey, MirrorAction>>,
    /// Mirrored objects that no member backs any more. Whether they may be deleted depends on which members are connected, so
    /// each change of a link plans them again, in both directions: a published delete is taken back when a source disconnects.
    orphans: BTreeSet<(ClusterId, MirrorKey)>,
    /// Objects planned again since the start.
    planned: u64,
}

/// What one round changed in the work on mirrored objects.
#[derive(Debug, Default)]
pub(crate) struct MirrorsChange {
    /// Sorted by member and key.
    pub actions: Vec<(ClusterId, MirrorKey, MirrorAction)>,
}

/// What the earlier stages changed in this round.
#[derive(Clone, Copy)]
pub(crate) struct Changes<'a> {
    pub hub: &'a HubChange,
    pub store: &'a StoreChange,
    pub membership: &'a MembershipChange,
    pub knowledge: &'a KnowledgeChange,
    pub services: &'a ServicesChange,
}

/// The earlier stages, to be read.
#[derive(Clone, Copy)]
pub(crate) struct Earlier<'a> {
    pub hub: &'a Hub,
    pub store: &'a Store,
    pub membership: &'a Membership,
    pub knowledge: &'a KnowledgeStage,
    pub services: &'a Services,
}

impl Mirrors {
    pub fn new(hub_id: Option<Digest>) -> Self {
        Self { hub_id, actions: BTreeMap::new(), orphans: BTreeSet::new(), planned: 0 }
    }

    /// The same stage before its first round.
    pub fn empty(&self) -> Self {
        Self::new(self.hub_id)
    }

    pub fn update(&mut self, changes: Changes<'_>, earlier: Earlier<'_>) -> MirrorsChange {
        let mut change = MirrorsChange::default();
        let mut certain: Option<bool> = None;
        for (id, key) in self.touched(changes, earlier) {
            self.planned += 1;
            let (action, is_orphan) = self.plan(&id, &key, earlier, &mut certain);
            let slot = (id, key);
            if is_orphan {
                self.orphans.insert(slot.clone());
            } else {
                self.orphans.remove(&slot);
            }
            let (id, key) = slot;
            let work = self.actions.entry(id.clone()).or_default();
            if work.get(&key).unwrap_or(&MirrorAction::Leave) != &action {
                match &action {
                    MirrorAction::Leave => work.remove(&key),
                    other => work.insert(key.clone(), other.clone()),
                };
                change.actions.push((id, key, action));
            }
        }
        self.actions.retain(|_, work| !work.is_empty());
        change
    }

    /// Work that is not done yet, by member.
    pub fn actions(&self) -> &BTreeMap<ClusterId, BTreeMap<MirrorKey, MirrorAction>> {
        &self.actions
    }

    pub fn pending(&self, id: &ClusterId) -> usize {
        self.actions.get(id).map_or(0, BTreeMap::len)
    }

    pub fn planned(&self) -> u64 {
        self.planned
    }

    /// The objects to be planned again.
    fn touched(&mut self, changes: Changes<'_>, earlier: Earlier<'_>) -> BTreeSet<(ClusterId, MirrorKey)> {
        let mut touched = BTreeSet::new();
        for id in &changes.hub.removed {
            touched.extend(self.work_of(id));
            self.orphans.retain(|(cluster, _)| cluster != id);
        }
        let Changes { hub, store, membership, knowledge, services } = changes;
        let in_services = store.objects.union(&knowledge.mirrors);
        touched.extend(in_services.map(|(id, key)| (id.clone(), MirrorKey::Service(key.clone()))));
        if hub.any || !store.links.is_empty() || !membership.admissions.is_empty() {
            touched.extend(self.orphans.iter().cloned());
        }
        let everywhere = |key: MirrorKey| earlier.store.ids().map(move |id| (id.clone(), key.clone()));
        for key in &services.shapes {
            touched.extend(everywhere(MirrorKey::Namespace(key.namespace.clone())));
            touched.extend(everywhere(MirrorKey::Service(key.clone())));
        }
        touched.extend(store.releases.iter().cloned().map(MirrorKey::Service).flat_map(everywhere));
        touched.extend(store.namespace_releases.iter().cloned().map(MirrorKey::Namespace).flat_map(everywhere));
        for (id, namespace) in &store.namespaces {
            touched.extend(earlier.in_namespace(id, namespace));
        }
        for id in store.links.union(&membership.admissions) {
            touched.extend(earlier.in_member(id));
            if earlier.store.get(id).is_some() {
                touched.extend(self.work_of(id));
            }
        }
        touched
    }

    fn work_of<'a>(&'a self, id: &'a ClusterId) -> impl Iterator<Item = (ClusterId, MirrorKey)> {
        let keys = self.actions.get(id).into_iter().flat_map(BTreeMap::keys);
        keys.map(|key| (id.clone(), key.clone()))
    }

    /// The action for one object, and whether it is an orphan, so that the action depends on which members are connected.
    fn plan(
        &self,
        id: &ClusterId,
        key: &MirrorKey,
        earlier: Earlier<'_>,
        certain: &mut Option<bool>,
    ) -> (MirrorAction, bool) {
        let leave = (MirrorAction::Leave, false);
        let Some(state) = earlier.store.get(id) else { return leave };
        // Without complete lists it is not known what the member has; and a member that is not admitted gets no mirrors.
        if !state.lists.names_are_listed() || !earlier.membership.is_admitted(id) {
            return leave;
        }
        match key {
            MirrorKey::Namespace(namespace) => {
                let missing = !state.namespaces.contains_key(namespace);
                if missing && earlier.services.names().contains_key(namespace) {
                    (MirrorAction::ApplyNamespace(earlier.namespace_release(namespace).cloned()), false)
                } else {
                    leave
                }
            }
            MirrorKey::Service(key) => {
                if state.namespaces.get(&key.namespace).is_some_and(|namespace| namespace.terminating) {
                    return leave; // nothing can be created there, and everything in it is deleted anyway
                }
                let found = state.services.get(key);
                let plan = mirror::plan_service(earlier.backed(key), found, self.hub_id);
                if plan.is_apply() && found.is_some_and(|found| earlier.knowledge.awaits_source(found)) {
                    return leave; // made for a member that is not known now: what is missing in the plan may be its part
                }
                if !plan.is_orphan() {
                    return (plan.action(false), false);
                }
                let all = *certain.get_or_insert_with(|| earlier.all_are_fresh());
                let certain = all && earlier.sources_are_fresh(found) && state.is_fresh();
                (plan.action(certain), true)
            }
        }
    }
}

impl Earlier<'_> {
    /// Whether an object that Isthmus makes should be in a member, whatever is there now. `None`: that is not known, or Isthmus
    /// does not decide it.
    pub fn is_desired(self, id: &ClusterId, key: &MirrorKey) -> Option<bool> {
        if !self.hub.is_listed() || !self.knowledge.unknown().is_empty() {
            return None;
        }
        if !self.hub.members().contains_key(id) {
            return Some(false);
        }
        let state = self.store.get(id)?;
        if !state.lists.names_are_listed() || !self.membership.is_admitted(id) {
            return None;
        }
        match key {
            // A Namespace that exists may hold objects that are not Isthmus's.
            MirrorKey::Namespace(namespace) => match self.services.names().contains_key(namespace) {
                false if state.namespaces.contains_key(namespace) || !self.all_are_fresh() => None,
                desired => Some(desired),
            },
            MirrorKey::Service(key) => match (self.services.merged().get(key), state.services.get(key)) {
                (None, _) => self.all_are_fresh().then_some(false),
                (Some(_), found) => Some(found.is_none_or(PackedService::is_mirror)),
            },
        }
    }

    /// The Namespace, and the services that should be in it or are: a Namespace that terminates, or comes back, matters to
    /// orphans as well.
    fn in_namespace(self, id: &ClusterId, namespace: &Namespace) -> Vec<(ClusterId, MirrorKey)> {
        let found = self.store.get(id).and_then(|state| state.service_names.get(namespace));
        let desired = self.services.names().get(namespace);
        let service = |name: &Arc<str>| ServiceKey { namespace: namespace.clone(), name: Arc::clone(name) };
        let services = desired.into_iter().chain(found).flatten().map(|name| MirrorKey::Service(service(name)));
        let keys = std::iter::once(MirrorKey::Namespace(namespace.clone())).chain(services);
        keys.map(|key| (id.clone(), key)).collect()
    }

    /// Everything that should be in a member, and what is there and does not belong to a user.
    fn in_member(self, id: &ClusterId) -> Vec<(ClusterId, MirrorKey)> {
        let Some(state) = self.store.get(id) else { return Vec::new() };
        let mirrors =
            state.services.values().filter(|service| service.owner != Owner::User).map(|service| &service.key);
        let services = self.services.merged().keys().chain(mirrors).cloned().map(MirrorKey::Service);
        let namespaces = self.services.names().keys().cloned().map(MirrorKey::Namespace);
        services.chain(namespaces).map(|key| (id.clone(), key)).collect()
    }

    fn backed(&self, key: &ServiceKey) -> Option<Backed<'_>> {
        let merged = self.services.merged().get(key)?;
        let oldest = merged.sources.first().and_then(|id| self.store.get(id)?.services.get(key));
        Some(Backed { merged, helm: oldest.and_then(|service| service.helm.as_ref()) })
    }

    /// The Helm release of the Namespace in the cluster of the oldest export of its first service, by name.
    fn namespace_release(&self, namespace: &Namespace) -> Option<&Arc<HelmRelease>> {
        let name = self.services.names().get(namespace)?.first()?;
        let key = ServiceKey { namespace: namespace.clone(), name: Arc::clone(name) };
        let oldest = self.services.merged().get(&key)?.sources.first()?;
        self.store.get(oldest)?.namespaces.get(namespace)?.helm.as_ref()
    }

    /// Every member that may contribute is connected and completely listed.
    fn all_are_fresh(self) -> bool {
        self.membership.admitted().all(|id| self.store.get(id).is_some_and(ClusterState::is_fresh))
    }

    /// Every cluster that the object names as its source is connected and completely listed, unless it is no longer a member.
    fn sources_are_fresh(self, found: Option<&PackedService>) -> bool {
        let Some(mark) = found.and_then(PackedService::mark) else { return true };
        mark.sources.iter().filter_map(|id| self.store.get(id)).all(ClusterState::is_fresh)
    }
}
