//! The round's work on mirrored objects: which to look at again, and what should now be done about each.

use std::sync::Arc;

use super::Engine;
use crate::dirty::Dirty;
use crate::effects::{Effects, MirrorAction, MirrorKey};
use crate::mirror::{self, Backed};
use crate::model::{ClusterId, HelmRelease, Namespace, Owner, Service, ServiceKey};
use crate::store::ClusterState;

impl Engine {
    pub(super) fn plan_mirrors(&mut self, dirty: &mut Dirty, effects: &mut Effects) {
        self.expand_mirrors(dirty);
        let mut certain: Option<bool> = None;
        for (id, key) in std::mem::take(&mut dirty.mirrors) {
            self.stats.planned += 1;
            let (action, is_orphan) = self.plan(&id, &key, &mut certain);
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
                dirty.members.insert(id.clone());
                effects.mirrors.push((id, key, action));
            }
        }
        self.actions.retain(|_, work| !work.is_empty());
    }

    /// Whether an object that Isthmus makes should be in a member, whatever is there now. `None`: that is not known, or Isthmus
    /// does not decide it.
    pub fn mirror_is_wanted(&self, id: &ClusterId, key: &MirrorKey) -> Option<bool> {
        if !self.synced() {
            return None;
        }
        if !self.members.contains_key(id) {
            return Some(false);
        }
        let state = self.clusters.get(id)?;
        if !state.is_mapped() || !self.ledger.contains_key(id) {
            return None;
        }
        match key {
            // A Namespace that is there may hold more than ours.
            MirrorKey::Namespace(namespace) => match self.merged_names.contains_key(namespace) {
                false if state.namespaces.contains_key(namespace) || !self.everyone_is_heard() => None,
                wanted => Some(wanted),
            },
            MirrorKey::Service(key) => match (self.merged.get(key), state.services.get(key)) {
                (None, _) => self.everyone_is_heard().then_some(false),
                (Some(_), found) => Some(found.is_none_or(|found| found.is_mirror())),
            },
        }
    }

    fn expand_mirrors(&self, dirty: &mut Dirty) {
        if dirty.links {
            dirty.mirrors.extend(self.orphans.iter().cloned());
        }
        for key in &dirty.changed_faces {
            for id in self.clusters.keys() {
                dirty.mirrors.insert((id.clone(), MirrorKey::Namespace(key.namespace.clone())));
                dirty.mirrors.insert((id.clone(), MirrorKey::Service(key.clone())));
            }
        }
        let services = dirty.releases.iter().cloned().map(MirrorKey::Service);
        for key in services.chain(dirty.namespace_releases.iter().cloned().map(MirrorKey::Namespace)) {
            dirty.mirrors.extend(self.clusters.keys().map(|id| (id.clone(), key.clone())));
        }
        for (id, namespace) in &dirty.namespaces {
            dirty.mirrors.insert((id.clone(), MirrorKey::Namespace(namespace.clone())));
            // What should be in it, and what is: a namespace that ends, or comes back, matters to orphans as well.
            let found = self.clusters.get(id).and_then(|state| state.service_names.get(namespace));
            let wanted = self.merged_names.get(namespace);
            for name in wanted.into_iter().chain(found).flatten() {
                let key = ServiceKey { namespace: namespace.clone(), name: Arc::clone(name) };
                dirty.mirrors.insert((id.clone(), MirrorKey::Service(key)));
            }
        }
        for id in &dirty.faces {
            let Some(state) = self.clusters.get(id) else { continue };
            let ours =
                state.services.values().filter(|service| service.owner != Owner::User).map(|service| &service.key);
            let services = self.merged.keys().chain(ours).cloned().map(MirrorKey::Service);
            let namespaces = self.merged_names.keys().cloned().map(MirrorKey::Namespace);
            let told = self.actions.get(id).into_iter().flat_map(|work| work.keys().cloned());
            dirty.mirrors.extend(services.chain(namespaces).chain(told).map(|key| (id.clone(), key)));
        }
    }

    /// The action for one object, and whether it is an orphan, so that the action depends on who is heard.
    fn plan(&self, id: &ClusterId, key: &MirrorKey, certain: &mut Option<bool>) -> (MirrorAction, bool) {
        let leave = (MirrorAction::Leave, false);
        let Some(state) = self.clusters.get(id) else { return leave };
        // Without a complete list nobody knows what stands there; and who is not admitted receives nothing.
        if !state.is_mapped() || !self.ledger.contains_key(id) {
            return leave;
        }
        match key {
            MirrorKey::Namespace(namespace) => {
                let wanted = self.merged_names.contains_key(namespace) && !state.namespaces.contains_key(namespace);
                let apply = || MirrorAction::ApplyNamespace(self.namespace_release(namespace).cloned());
                (if wanted { apply() } else { MirrorAction::Leave }, false)
            }
            MirrorKey::Service(key) => {
                if state.namespaces.get(&key.namespace).is_some_and(|namespace| namespace.terminating) {
                    return leave; // nothing can be created there, and all in it is going anyway
                }
                let found = state.services.get(key).map(Box::as_ref);
                let plan = mirror::plan_service(self.backed(key), found, self.config.hub);
                if plan.is_apply() && found.is_some_and(|found| self.awaits_source(found)) {
                    return leave; // made for a member that is not known now: what is missing in the plan may be its part
                }
                if !plan.is_orphan() {
                    return (plan.action(false), false);
                }
                let everyone = *certain.get_or_insert_with(|| self.everyone_is_heard());
                let sure = everyone && self.sources_are_heard(found) && state.fresh();
                (plan.action(sure), true)
            }
        }
    }

    fn backed(&self, key: &ServiceKey) -> Option<Backed<'_>> {
        let merged = self.merged.get(key)?;
        let oldest = merged.sources.first().and_then(|id| self.clusters.get(id)?.services.get(key));
        Some(Backed { merged, helm: oldest.and_then(|service| service.helm.as_ref()) })
    }

    /// The Helm release of the Namespace in the cluster of the oldest export of its first service, by name.
    fn namespace_release(&self, namespace: &Namespace) -> Option<&Arc<HelmRelease>> {
        let name = self.merged_names.get(namespace)?.first()?;
        let key = ServiceKey { namespace: namespace.clone(), name: Arc::clone(name) };
        let oldest = self.merged.get(&key)?.sources.first()?;
        self.clusters.get(oldest)?.namespaces.get(namespace)?.helm.as_ref()
    }

    /// Every member that may contribute is connected and fully listed.
    fn everyone_is_heard(&self) -> bool {
        let fresh = |id| self.clusters.get(id).is_some_and(ClusterState::fresh);
        self.ledger.keys().all(fresh)
    }

    /// Every cluster that the object names as its source is heard, unless it is no member any more.
    fn sources_are_heard(&self, found: Option<&Service>) -> bool {
        let Some(mark) = found.and_then(Service::mark) else { return true };
        mark.sources.iter().filter_map(|id| self.clusters.get(id)).all(ClusterState::fresh)
    }
}
