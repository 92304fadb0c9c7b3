//! Finding what lies between what a client was brought to and what it should have.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::TypeState;
use crate::resource::{Resource, version_text};
use crate::snapshot::Snapshot;

/// What lies between the cursor and the target.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) send: Vec<Resource>,
    /// Asked for, or known from an earlier stream, but not there.
    pub(super) missing: Vec<Arc<str>>,
    /// Was there, and is not any more.
    pub(super) gone: Vec<Resource>,
}

impl TypeState {
    pub(super) fn plan(&self, target: &Snapshot, eager: bool) -> Plan {
        let mut plan = match &self.cursor {
            Some(cursor) if !self.resend => self.plan_changes(cursor, target, eager),
            cursor => self.plan_all(cursor.as_deref(), target),
        };
        plan.send.retain(|resource| self.rejected.get(resource.name()) != Some(&resource.version()));
        plan
    }

    fn plan_all(&self, cursor: Option<&Snapshot>, target: &Snapshot) -> Plan {
        let view = target.of(self.resource_type);
        let has = |resource: &Resource| {
            let name = resource.name();
            !self.known.is_empty()
                && !self.forced.contains(name)
                && !self.owed.contains(name)
                && self.known.get(&**name).is_some_and(|v| *v == version_text(resource.version()))
        };
        let named = self.subscription.names();
        let send = if self.subscription.is_wildcard() {
            view.iter().filter(|resource| !has(resource)).cloned().collect()
        } else {
            named.iter().filter_map(|name| view.get(name)).filter(|resource| !has(resource)).cloned().collect()
        };
        let known = self.known.keys().filter(|name| self.subscription.wants(name)).map(|name| Arc::from(&**name));
        let missing: BTreeSet<Arc<str>> =
            named.iter().cloned().chain(known).filter(|name| view.get(name).is_none()).collect();
        let old = cursor.into_iter().flat_map(|cursor| cursor.of(self.resource_type).iter());
        let gone = old.filter(|was| {
            let name = was.name();
            view.get(name).is_none() && self.subscription.wants(name) && !missing.contains(name)
        });
        Plan { send, gone: gone.cloned().collect(), missing: missing.into_iter().collect() }
    }

    fn plan_changes(&self, cursor: &Snapshot, target: &Snapshot, eager: bool) -> Plan {
        let (old, new) = (cursor.of(self.resource_type), target.of(self.resource_type));
        let changed: BTreeSet<&Arc<str>> = match target.changed_since(self.resource_type, cursor.seq()) {
            _ if new.changed_at() <= cursor.seq() => BTreeSet::new(),
            Some(changed) => changed.collect(),
            None => old.iter().chain(new.iter()).map(Resource::name).collect(),
        };
        let names = changed.into_iter().chain(&self.forced).chain(&self.owed).collect::<BTreeSet<_>>();
        let mut plan = Plan::default();
        for name in names {
            let (forced, owed) = (self.forced.contains(name), self.owed.contains(name));
            let due = self.subscription.wants(name) || (owed && eager);
            if !due {
                continue;
            }
            match (old.get(name), new.get(name)) {
                (Some(was), Some(is)) if was == is && !forced && !owed => {}
                (_, Some(is)) => plan.send.push(is.clone()),
                (_, None) if forced => plan.missing.push(name.clone()),
                (Some(was), None) => plan.gone.push(was.clone()),
                (None, None) => {}
            }
        }
        plan
    }
}
