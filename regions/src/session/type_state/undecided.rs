//! Deciding what a client that has something from an earlier stream is sent while members are not known, see [`super::doubt`].

use std::collections::HashSet;
use std::sync::Arc;

use super::TypeState;
use super::doubt::Hold;
use super::plan::Plan;
use crate::resource::{Resource, ResourceType};
use crate::session::Variant;
use crate::session::known::Known;
use crate::snapshot::Snapshot;

impl TypeState {
    /// State of the world: the client reported in its first request that it has something, by these names if it gave any.
    pub(in crate::session) fn return_with(&mut self, names: Vec<String>, returning: bool) {
        self.position.set_known(Known::new(names.iter().map(|name| (&**name, None))));
        if returning && self.is_full_state() && self.subscription.is_wildcard() {
            self.doubt.hold = Hold::Everything;
        }
    }

    /// Whether nothing of the type may be sent before all members are known.
    pub(in crate::session) fn is_held(&self, target: &Snapshot) -> bool {
        target.is_incomplete() && self.doubt.hold == Hold::Everything
    }

    /// Whether nothing of the type can be sent as long as something of what the client has is not there.
    pub(in crate::session) fn is_waiting(&self, target: &Snapshot) -> bool {
        target.is_incomplete() && self.doubt.hold == Hold::Named
    }

    /// Whether all is known now, and something was left open.
    pub(super) fn is_to_settle(&self, target: &Snapshot) -> bool {
        !target.is_incomplete() && !self.doubt.is_empty()
    }

    /// Whether the client came with something of this name that it may have to keep.
    pub(super) fn may_have_to_keep(&self, name: &str, target: &Snapshot) -> bool {
        let left = || self.doubt.contains(name) && !self.next.asked.contains(name);
        target.is_incomplete() && (self.position.knows(name) || left())
    }

    /// Whether what is known of a resource is no reason to replace what the client came with.
    pub(super) fn is_no_better(&self, resource: &Resource, target: &Snapshot) -> bool {
        let awaited = || self.resource_type == ResourceType::Assignment && target.is_awaited(resource.name());
        let worse = || !resource.is_usable() || self.is_a_plan(target) || awaited();
        let same = || self.position.known_version(resource.name()) == Some(resource.version());
        self.may_have_to_keep(resource.name(), target) && worse() && !same()
    }

    /// Whether what is known of a resource now, however it came about, is no reason to replace what was left alone.
    pub(super) fn is_still_no_better(&self, resource: &Resource, target: &Snapshot) -> bool {
        let worse = || !resource.is_usable() || self.is_a_plan(target);
        target.is_incomplete() && self.doubt.contains(resource.name()) && worse()
    }

    /// A listener for all port numbers in use lacks those that only the members that are not known use.
    fn is_a_plan(&self, target: &Snapshot) -> bool {
        self.resource_type == ResourceType::Listener && target.is_on_demand()
    }

    /// Notes what a plan leaves open, and drops from it what the client has already. `false`: nothing may be sent yet.
    pub(super) fn weigh(&mut self, plan: &mut Plan, target: &Snapshot) -> bool {
        let open = std::mem::take(&mut plan.doubtful);
        if !open.is_empty() && self.variant == Variant::Sotw && self.is_full_state() {
            self.doubt.hold = Hold::Named;
            return false;
        }
        if self.doubt.hold == Hold::Named {
            self.doubt.hold = Hold::Nothing;
        }
        for name in open {
            if self.next.required.contains(&name) {
                // The client drops what it has when it replaces the cluster, so it is sent once all members are known.
                self.doubt.names.insert(name, None);
            } else if self.position.knows(&name) {
                let version = self.position.known_version(&name);
                self.doubt.names.insert(name, version);
            }
        }
        if self.is_to_settle(target) {
            self.settle(plan, target);
        }
        for name in plan.send.iter().map(Resource::name).chain(&plan.missing) {
            self.doubt.names.remove(name);
            self.doubt.leaving.remove(name);
        }
        true
    }

    /// All members are known: what the client has is as it should be, or is replaced or removed.
    fn settle(&mut self, plan: &mut Plan, target: &Snapshot) {
        let planned: HashSet<Arc<str>> = plan.send.iter().map(|resource| resource.name().clone()).collect();
        for (name, version) in std::mem::take(&mut self.doubt.names) {
            let kept = target.kept(self.resource_type, &name).is_some();
            if planned.contains(&name) || !self.subscription.wants(&name, true) {
                continue;
            }
            match target.find(self.resource_type, &name) {
                Some(is) if Some(is.version()) == version => {}
                Some(is) if kept || self.subscription.names().contains(&name) => plan.send.push(is),
                _ if self.resource_type.is_referred_to() => _ = self.doubt.leaving.insert(name),
                _ => plan.missing.push(name),
            }
        }
    }
}
