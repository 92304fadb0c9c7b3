//! The mirrored objects: which to plan again, and the action that each needs now. What is desired of one kind is in that kind's
//! file.

mod earlier;
mod namespace;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use crate::desired::{Action, Key};
use crate::model::{ClusterId, Digest, Namespace};

pub(crate) use earlier::{Changes, Earlier};

pub(crate) struct Mirrors {
    /// The identity that mirrors carry.
    hub_id: Option<Digest>,
    /// Actions that are not `Leave`, as published.
    actions: BTreeMap<ClusterId, BTreeMap<Key, Action>>,
    /// Mirrored objects that no member backs any more. Whether they may be deleted depends on which members are connected, so
    /// each change of a link plans them again, in both directions: a published delete is taken back when a source disconnects.
    orphans: BTreeSet<(ClusterId, Key)>,
    /// Objects planned again since the start.
    planned: u64,
}

/// What one round changed in the work on mirrored objects.
#[derive(Debug, Default)]
pub(crate) struct MirrorsChange {
    /// Sorted by member and key.
    pub actions: Vec<(ClusterId, Action)>,
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
            if work.get(&key).map_or(!action.is_leave(), |before| *before != action) {
                if action.is_leave() {
                    work.remove(&key);
                } else {
                    work.insert(key, action.clone());
                }
                change.actions.push((id, action));
            }
        }
        self.actions.retain(|_, work| !work.is_empty());
        change
    }

    /// Work that is not done yet, by member.
    pub fn actions(&self) -> &BTreeMap<ClusterId, BTreeMap<Key, Action>> {
        &self.actions
    }

    pub fn pending(&self, id: &ClusterId) -> usize {
        self.actions.get(id).map_or(0, BTreeMap::len)
    }

    pub fn planned(&self) -> u64 {
        self.planned
    }

    /// The objects to be planned again.
    fn touched(&mut self, changes: Changes<'_>, earlier: Earlier<'_>) -> BTreeSet<(ClusterId, Key)> {
        let mut touched = BTreeSet::new();
        for id in &changes.hub.removed {
            touched.extend(self.work_of(id));
            self.orphans.retain(|(cluster, _)| cluster != id);
        }
        let Changes { hub, store, membership, knowledge, services } = changes;
        let in_services = store.objects.union(&knowledge.mirrors);
        touched.extend(in_services.map(|(id, key)| (id.clone(), Key::Service(key.clone()))));
        if hub.any || !store.links.is_empty() || !membership.admissions.is_empty() {
            touched.extend(self.orphans.iter().cloned());
        }
        let everywhere = |key: Key| earlier.store.ids().map(move |id| (id.clone(), key.clone()));
        touched.extend(services.shapes.iter().flat_map(Key::of_service).flat_map(everywhere));
        touched.extend(store.releases.iter().cloned().map(Key::Service).flat_map(everywhere));
        touched.extend(store.namespace_releases.iter().cloned().map(Key::Namespace).flat_map(everywhere));
        for (id, namespace) in &store.namespaces {
            touched.extend(in_namespace(id, namespace, earlier));
        }
        for id in store.links.union(&membership.admissions) {
            touched.extend(in_member(id, earlier));
            if earlier.store.get(id).is_some() {
                touched.extend(self.work_of(id));
            }
        }
        touched
    }

    fn work_of<'a>(&'a self, id: &'a ClusterId) -> impl Iterator<Item = (ClusterId, Key)> {
        let keys = self.actions.get(id).into_iter().flat_map(BTreeMap::keys);
        keys.map(|key| (id.clone(), key.clone()))
    }

    /// The action for one object, and whether it is an orphan, so that the action depends on which members are connected.
    fn plan(&self, id: &ClusterId, key: &Key, earlier: Earlier<'_>, certain: &mut Option<bool>) -> (Action, bool) {
        let leave = || (Action::Leave(key.clone()), false);
        // Without complete lists it is not known what the member has; and a member that is not admitted gets no mirrors.
        let Some(state) = earlier.member(id) else { return leave() };
        match key {
            Key::Namespace(name) => (namespace::plan(name, state, earlier), false),
            Key::Service(key) => service::plan(key, state, self.hub_id, earlier, certain),
        }
    }
}

/// Whether an object that Isthmus makes should be in a member, whatever is there now. `None`: that is not known, or Isthmus does
/// not decide it.
pub(crate) fn is_desired(id: &ClusterId, key: &Key, earlier: Earlier<'_>) -> Option<bool> {
    if !earlier.hub.is_listed() || !earlier.knowledge.unknown().is_empty() {
        return None;
    }
    if !earlier.hub.members().contains_key(id) {
        return Some(false);
    }
    let state = earlier.member(id)?;
    match key {
        Key::Namespace(name) => namespace::is_desired(name, state, earlier),
        Key::Service(key) => service::is_desired(key, state, earlier),
    }
}

/// The Namespace, and what should be in it or is: a Namespace that terminates, or comes back, matters to orphans as well.
fn in_namespace(id: &ClusterId, namespace: &Namespace, earlier: Earlier<'_>) -> Vec<(ClusterId, Key)> {
    let found = earlier.store.get(id).into_iter().flat_map(|state| service::found_in(state, namespace));
    let desired = earlier.services_in(namespace).flat_map(|key| Key::of_service(&key));
    let keys = std::iter::once(Key::Namespace(namespace.clone())).chain(desired).chain(found);
    keys.map(|key| (id.clone(), key)).collect()
}

/// Everything that should be in a member, and what is there and does not belong to a user.
fn in_member(id: &ClusterId, earlier: Earlier<'_>) -> Vec<(ClusterId, Key)> {
    let Some(state) = earlier.store.get(id) else { return Vec::new() };
    let desired = earlier.services.merged().keys().flat_map(Key::of_service);
    desired.chain(service::found(state)).map(|key| (id.clone(), key)).collect()
}
