//! Finding what lies between what a client was brought to and what it should have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::TypeState;
use crate::alias;
use crate::resource::Resource;
use crate::session::{Refusal, Variant};
use crate::snapshot::{Change, Snapshot, Was};
use crate::translate::leds;

/// What lies between the cursor and the target.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) send: Vec<Resource>,
    /// Asked for, or known from an earlier stream, but not there.
    pub(super) missing: Vec<Arc<str>>,
    /// Was there, and is not any more.
    pub(super) gone: Vec<Resource>,
    /// The client has it, and nobody can tell whether it should.
    pub(super) doubtful: Vec<Arc<str>>,
}

/// What happened to one name, or to what it is another name for, since the cursor.
#[derive(Clone)]
struct Step {
    /// The client asked for it under this name.
    wanted: bool,
    /// The version at the cursor.
    had: Option<u64>,
    /// What stood there before the newest change.
    was: Was,
}

type Steps<'a> = BTreeMap<&'a Arc<str>, Step>;

impl TypeState {
    pub(super) fn plan(&self, target: &Snapshot, eager: bool) -> Result<Plan, Refusal> {
        let mut plan = match self.cursor {
            Some(cursor) if !self.resend => self.plan_changes(cursor, target, eager)?,
            cursor => self.plan_all(cursor, target)?,
        };
        if !self.rejected.is_empty() {
            plan.send.retain(|resource| !self.rejected.holds(resource.name(), resource.version()));
        }
        Ok(plan)
    }

    pub(super) fn plan_all(&self, cursor: Option<u64>, target: &Snapshot) -> Result<Plan, Refusal> {
        let view = target.of(self.resource_type);
        let has = |resource: &Resource| {
            let name = resource.name();
            !self.known.is_empty()
                && !self.forced.contains(name)
                && !self.owed.contains(name)
                && self.known.version(name) == Some(resource.version())
        };
        let (wildcard, named) = (self.subscription.is_wildcard(), self.subscription.names());
        let mut plan = Plan::default();
        // How many of the names it knows were met in the view: usually all, and then none is gone.
        let mut met = 0;
        if wildcard {
            for resource in view.iter() {
                met += usize::from(!self.known.is_empty() && self.known.contains(resource.name()));
                if has(resource) {
                    continue;
                }
                match self.is_no_better(resource, target) {
                    true => plan.doubtful.push(resource.name().clone()),
                    false => plan.send.push(resource.clone()),
                }
            }
        }
        for name in named.iter().filter(|name| !(wildcard && view.star().get(name).is_some())) {
            if let Some(begin) = leds::glob(name) {
                plan.send.extend(view.under(begin).filter(|resource| !has(resource)).cloned());
                continue;
            }
            let found = target.find_certain(self.resource_type, name);
            let keeps = match &found {
                Some(found) => self.is_no_better(found, target) && !has(found),
                None => self.may_have_to_keep(name, target),
            };
            match found.or_else(|| target.find(self.resource_type, name)) {
                _ if keeps => plan.doubtful.push(name.clone()),
                Some(resource) if has(&resource) => {}
                Some(resource) => plan.send.push(resource),
                None => plan.missing.push(name.clone()),
            }
        }
        // What it knows from an earlier stream and did not name is what it got under a wildcard, or in a collection.
        let rest = self.known.names().filter(|_| met < self.known.len());
        let unnamed = rest.filter(|name| !named.contains(name) && self.subscription.wants(name, true));
        let gone = |name: &&str| match wildcard {
            true => view.star().get(name).is_none(),
            false => view.get(name).is_none(),
        };
        let unnamed = unnamed.filter(gone).map(Arc::from);
        if target.is_incomplete() {
            plan.doubtful.extend(unnamed);
        } else {
            plan.missing.extend(unnamed);
        }
        if let Some(cursor) = cursor {
            for (name, step) in self.steps(cursor, target)? {
                let wanted = step.wanted && !named.contains(name);
                if let (true, Step { had: Some(_), was: Was::There(old), .. }, None) = (wanted, step, view.get(name)) {
                    plan.gone.push(old);
                }
            }
        }
        Ok(plan)
    }

    fn plan_changes(&self, cursor: u64, target: &Snapshot, eager: bool) -> Result<Plan, Refusal> {
        let view = target.of(self.resource_type);
        let steps = self.steps(cursor, target)?;
        let asked = self.asked(target);
        let mut plan = Plan::default();
        for (name, step) in &steps {
            if step.wanted || asked.contains(name) || (eager && self.owed.contains(*name)) {
                self.plan_name(name, Some(step), asked.contains(name), target, &mut plan);
            }
        }
        let owed = self.owed.iter().filter(|name| !asked.contains(name));
        for name in asked.iter().copied().chain(owed).filter(|name| !steps.contains_key(name)) {
            let forced = asked.contains(name);
            if forced || eager || self.subscription.wants(name, view.star().get(name).is_some()) {
                self.plan_name(name, None, forced, target, &mut plan);
            }
        }
        Ok(plan)
    }

    /// `forced`: it is to be answered, changed or not.
    fn plan_name(&self, name: &Arc<str>, step: Option<&Step>, forced: bool, target: &Snapshot, plan: &mut Plan) {
        let anew = forced || self.owed.contains(name);
        let left = self.doubt.version(name);
        match (target.kept(self.resource_type, name), step) {
            (Some(is), _) if !forced && self.is_still_no_better(is, target) => {
                plan.doubtful.extend(self.owed.get(name).cloned());
            }
            (Some(is), Some(step)) if step.had.or(left) == Some(is.version()) && !anew => {}
            (Some(is), _) => plan.send.extend(self.called(is, name, target)),
            (None, _) if forced => match target.find(self.resource_type, name) {
                Some(stand_in) => plan.send.push(stand_in),
                None => plan.missing.push(name.clone()),
            },
            (None, _) if self.doubt.contains(name) => {}
            (None, Some(Step { had: Some(_), was: Was::There(old), .. })) => {
                plan.gone.extend(self.called(old, name, target));
            }
            (None, _) => {}
        }
    }

    /// A resource under the name that the client has for it.
    fn called(&self, resource: &Resource, name: &str, target: &Snapshot) -> Option<Resource> {
        if &**resource.name() == name {
            return Some(resource.clone());
        }
        target.rename(self.resource_type, resource, name)
    }

    /// The names that were asked for, collections as what is in them.
    fn asked<'a>(&'a self, target: &'a Snapshot) -> BTreeSet<&'a Arc<str>> {
        let view = target.of(self.resource_type);
        let (globs, names): (Vec<_>, Vec<_>) = self.forced.iter().partition(|name| leds::glob(name).is_some());
        let under = globs.into_iter().filter_map(|name| leds::glob(name)).flat_map(|begin| view.under(begin));
        names.into_iter().chain(under.map(Resource::name)).collect()
    }

    fn steps<'a>(&'a self, cursor: u64, target: &'a Snapshot) -> Result<Steps<'a>, Refusal> {
        let view = target.of(self.resource_type);
        let mut steps = Steps::new();
        if view.changed_at() <= cursor {
            return Ok(steps);
        }
        let Some(changes) = view.changes_since(cursor) else {
            return self.steps_of_move(cursor, target).map_or_else(|| self.steps_untold(target), Ok);
        };
        for (star, change) in changes {
            // First of all: a stream that wants little may have slept through thousands of changes.
            let name = &change.name;
            let wanted = self.subscription.wants(name, star);
            if !wanted && self.subscription.aliases_of(name).next().is_none() {
                continue;
            }
            // Newest first: the last one to be seen is the oldest, and says what the client has.
            let step = steps.entry(name).or_insert_with(|| Step { wanted, had: None, was: change.was.clone() });
            step.wanted |= wanted;
            step.had = change.was.version();
        }
        let aliases = steps.iter().flat_map(|(origin, step)| {
            self.subscription.aliases_of(origin).map(|name| (name, Step { wanted: true, ..step.clone() }))
        });
        let aliases: Vec<_> = aliases.collect();
        steps.extend(aliases);
        Ok(steps)
    }

    /// The class takes its resources from elsewhere since: from what the client was brought to there, to what is here.
    /// `None`: that is too long ago to tell.
    fn steps_of_move<'a>(&'a self, cursor: u64, target: &'a Snapshot) -> Option<Steps<'a>> {
        let (old, new) = (self.moved_from.as_deref()?.of(self.resource_type), target.of(self.resource_type));
        // The newest change, and the version at the cursor.
        let mut then: BTreeMap<&str, (&Change, Option<u64>)> = BTreeMap::new();
        for (_, change) in old.changes_since(cursor)? {
            let (_, had) = then.entry(&change.name).or_insert((change, None));
            *had = change.was.version(); // newest first, so that the oldest one stays
        }
        let then_of = |name: &str| {
            let origin = || then.get(&*alias::origin(self.resource_type, name)?);
            then.get(name).or_else(origin)
        };
        let stars = old.iter().chain(new.iter()).filter(|_| self.subscription.is_wildcard()).map(Resource::name);
        let gone = then.values().map(|(change, _)| &change.name).filter(|name| self.subscription.wants(name, true));
        let mut steps = Steps::new();
        for name in stars.chain(self.subscription.names().iter()).chain(gone) {
            let now = old.kept(self.resource_type, name);
            let was = match (then_of(name), now) {
                // What it was at the cursor may not be kept; what it became says as well what has to outlive its references.
                (_, Some(now)) => Was::There(now.clone()),
                (Some((change, _)), None) => change.was.clone(),
                (None, None) => Was::Nothing,
            };
            let had = then_of(name).map_or_else(|| was.version(), |(_, had)| *had);
            if had != new.kept(self.resource_type, name).map(Resource::version) {
                steps.insert(name, Step { wanted: true, had, was });
            }
        }
        Some(steps)
    }

    /// The log has forgotten, or the class takes its resources from elsewhere now. A client of incremental xDS that
    /// follows everything comes back and says what it has; the others are sent all they want.
    fn steps_untold<'a>(&'a self, target: &'a Snapshot) -> Result<Steps<'a>, Refusal> {
        let view = target.of(self.resource_type);
        let wildcard = self.subscription.is_wildcard();
        if self.variant == Variant::Delta && wildcard {
            return Err(Refusal::TooFarBehind);
        }
        let stars = view.iter().filter(|_| wildcard).map(Resource::name);
        let named = self.subscription.names().iter();
        let named = named.filter(|name| target.kept(self.resource_type, name).is_some());
        let step = |name: &'a Arc<str>| (name, Step { wanted: true, had: None, was: Was::Nothing });
        Ok(stars.chain(named).map(step).collect())
    }
}
