//! What lies between a client's position and what it should have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::TypeState;
use crate::alias;
use crate::resource::Resource;
use crate::session::{Refusal, Variant};
use crate::snapshot::{Change, Snapshot, Was};
use crate::translate::leds;

/// What lies between a client's position and a target.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) send: Vec<Resource>,
    /// Asked for, or known from an earlier stream, but not there.
    pub(super) missing: Vec<Arc<str>>,
    /// Was there, and is not any more.
    pub(super) gone: Vec<Resource>,
    /// The client has it, and it is not known whether it should.
    pub(super) doubtful: Vec<Arc<str>>,
}

/// What happened to one name, or to what it is another name for, since the commit that the client was brought to.
#[derive(Clone)]
struct Step {
    /// The client asked for it under this name.
    wanted: bool,
    /// The version at that commit.
    had: Option<u64>,
    /// What was there before the newest change.
    was: Was,
}

type Steps<'a> = BTreeMap<&'a Arc<str>, Step>;

impl TypeState {
    pub(super) fn plan(&self, target: &Snapshot, eager: bool) -> Result<Plan, Refusal> {
        let mut plan = match self.position.commit() {
            Some(commit) if !self.next.is_full() => self.plan_changes(commit, target, eager)?,
            commit => {
                let mut all = self.plan_all(commit, target)?;
                if eager {
                    self.plan_required(target, &mut all);
                }
                all
            }
        };
        if !self.rejected.is_empty() {
            plan.send.retain(|resource| !self.rejected.holds(resource.name(), resource.version()));
        }
        Ok(plan)
    }

    /// Everything that the client wants, except what it has already. `commit`: what it was brought to.
    pub(super) fn plan_all(&self, commit: Option<u64>, target: &Snapshot) -> Result<Plan, Refusal> {
        let mut plan = Plan::default();
        let met = self.plan_wildcard(target, &mut plan);
        self.plan_named(target, &mut plan);
        self.plan_unnamed(met, target, &mut plan);
        if let Some(commit) = commit {
            let (found, named) = (target.of(self.resource_type), self.subscription.names());
            for (name, step) in self.steps(commit, target)? {
                let wanted = step.wanted && !named.contains(name);
                if let (true, Step { had: Some(_), was: Was::There(old), .. }, None) = (wanted, step, found.get(name)) {
                    plan.gone.push(old);
                }
            }
        }
        Ok(plan)
    }

    /// Whether the client has this already, from an earlier stream, and nothing makes it be sent all the same.
    fn has(&self, resource: &Resource) -> bool {
        let name = resource.name();
        self.position
            .known()
            .is_some_and(|known| !self.next.holds(name) && known.version(name) == Some(resource.version()))
    }

    /// What a wildcard covers. Returns how many of the names that the client knows were met: usually all, and then none is
    /// gone.
    fn plan_wildcard(&self, target: &Snapshot, plan: &mut Plan) -> usize {
        let mut met = 0;
        if self.subscription.is_wildcard() {
            for resource in target.of(self.resource_type).iter() {
                met += usize::from(self.position.knows(resource.name()));
                if self.has(resource) {
                    continue;
                }
                match self.is_no_better(resource, target) {
                    true => plan.doubtful.push(resource.name().clone()),
                    false => plan.send.push(resource.clone()),
                }
            }
        }
        met
    }

    /// What the client named and a wildcard does not cover.
    fn plan_named(&self, target: &Snapshot, plan: &mut Plan) {
        let found = target.of(self.resource_type);
        let wildcard = self.subscription.is_wildcard();
        let names = self.subscription.names().iter();
        for name in names.filter(|name| !(wildcard && found.star().get(name).is_some())) {
            if let Some(begin) = leds::glob(name) {
                plan.send.extend(found.under(begin).filter(|resource| !self.has(resource)).cloned());
                continue;
            }
            let certain = target.find_certain(self.resource_type, name);
            let keeps = match &certain {
                Some(certain) => self.is_no_better(certain, target) && !self.has(certain),
                None => self.may_have_to_keep(name, target),
            };
            match certain.or_else(|| target.find(self.resource_type, name)) {
                _ if keeps => plan.doubtful.push(name.clone()),
                Some(resource) if self.has(&resource) => {}
                Some(resource) => plan.send.push(resource),
                None => plan.missing.push(name.clone()),
            }
        }
    }

    /// What has to follow something that was sent, and the client has not asked for yet.
    fn plan_required(&self, target: &Snapshot, plan: &mut Plan) {
        let found = target.of(self.resource_type);
        let is_asked = |name: &&Arc<str>| self.subscription.wants(name, found.star().get(name).is_some());
        for name in self.next.required.iter().filter(|name| !is_asked(name)) {
            match target.kept(self.resource_type, name) {
                Some(resource) if self.is_no_better(resource, target) => plan.doubtful.push(name.clone()),
                resource => plan.send.extend(resource.cloned()),
            }
        }
    }

    /// What the client knows from an earlier stream and did not name is what it got under a wildcard, or in a collection.
    fn plan_unnamed(&self, met: usize, target: &Snapshot, plan: &mut Plan) {
        let Some(known) = self.position.known().filter(|known| met < known.len()) else { return };
        let (found, named) = (target.of(self.resource_type), self.subscription.names());
        let unnamed = known.names().filter(|name| !named.contains(name) && self.subscription.wants(name, true));
        let gone = |name: &&str| match self.subscription.is_wildcard() {
            true => found.star().get(name).is_none(),
            false => found.get(name).is_none(),
        };
        let unnamed = unnamed.filter(gone).map(Arc::from);
        if target.is_incomplete() {
            plan.doubtful.extend(unnamed);
        } else {
            plan.missing.extend(unnamed);
        }
    }

    fn plan_changes(&self, commit: u64, target: &Snapshot, eager: bool) -> Result<Plan, Refusal> {
        let current = target.of(self.resource_type);
        let steps = self.steps(commit, target)?;
        let asked = self.asked(target);
        let mut plan = Plan::default();
        for (name, step) in &steps {
            if step.wanted || asked.contains(name) || (eager && self.next.required.contains(*name)) {
                self.plan_name(name, Some(step), asked.contains(name), target, &mut plan);
            }
        }
        let required = self.next.required.iter().filter(|name| !asked.contains(name));
        for name in asked.iter().copied().chain(required).filter(|name| !steps.contains_key(name)) {
            let must_answer = asked.contains(name);
            if must_answer || eager || self.subscription.wants(name, current.star().get(name).is_some()) {
                self.plan_name(name, None, must_answer, target, &mut plan);
            }
        }
        Ok(plan)
    }

    /// `must_answer`: it is to be answered, changed or not.
    fn plan_name(&self, name: &Arc<str>, step: Option<&Step>, must_answer: bool, target: &Snapshot, plan: &mut Plan) {
        let again = must_answer || self.next.required.contains(name);
        let left = self.doubt.version(name);
        match (target.kept(self.resource_type, name), step) {
            (Some(is), _) if !must_answer && self.is_still_no_better(is, target) => {
                plan.doubtful.extend(self.next.required.get(name).cloned());
            }
            (Some(is), Some(step)) if step.had.or(left) == Some(is.version()) && !again => {}
            (Some(is), _) => plan.send.extend(self.called(is, name, target)),
            (None, _) if must_answer => match target.find(self.resource_type, name) {
                Some(placeholder) => plan.send.push(placeholder),
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
        let current = target.of(self.resource_type);
        let (globs, names): (Vec<_>, Vec<_>) = self.next.asked.iter().partition(|name| leds::glob(name).is_some());
        let under = globs.into_iter().filter_map(|name| leds::glob(name)).flat_map(|begin| current.under(begin));
        names.into_iter().chain(under.map(Resource::name)).collect()
    }

    fn steps<'a>(&'a self, commit: u64, target: &'a Snapshot) -> Result<Steps<'a>, Refusal> {
        let current = target.of(self.resource_type);
        let mut steps = Steps::new();
        if current.changed_at() <= commit {
            return Ok(steps);
        }
        let Some(changes) = current.changes_since(commit) else {
            return self.steps_of_move(commit, target).map_or_else(|| self.steps_unknown(target), Ok);
        };
        for (star, change) in changes {
            // First of all: a stream that wants little may have waited through thousands of changes.
            let name = &change.name;
            let wanted = self.subscription.wants(name, star);
            if !wanted && self.subscription.aliases_of(name).next().is_none() {
                continue;
            }
            // Newest first: the last one to be seen is the oldest, and shows what the client has.
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

    /// The class has taken its resources from elsewhere since: from what the client was brought to there, to what is here.
    /// `None`: the log does not reach back so far.
    fn steps_of_move<'a>(&'a self, commit: u64, target: &'a Snapshot) -> Option<Steps<'a>> {
        let (old, new) = (self.position.moved_from()?.of(self.resource_type), target.of(self.resource_type));
        // The newest change, and the version at the commit.
        let mut then: BTreeMap<&str, (&Change, Option<u64>)> = BTreeMap::new();
        for (_, change) in old.changes_since(commit)? {
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
                // What it was at the commit may not be kept; what it became shows as well what has to outlive its references.
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

    /// The log has forgotten, or the class takes its resources from elsewhere now. A client of incremental xDS that follows
    /// everything has to connect again and report what it has; the others are sent everything that they want.
    fn steps_unknown<'a>(&'a self, target: &'a Snapshot) -> Result<Steps<'a>, Refusal> {
        let current = target.of(self.resource_type);
        let wildcard = self.subscription.is_wildcard();
        if self.variant == Variant::Delta && wildcard {
            return Err(Refusal::TooFarBehind);
        }
        let stars = current.iter().filter(|_| wildcard).map(Resource::name);
        let named = self.subscription.names().iter();
        let named = named.filter(|name| target.kept(self.resource_type, name).is_some());
        let step = |name: &'a Arc<str>| (name, Step { wanted: true, had: None, was: Was::Nothing });
        Ok(stars.chain(named).map(step).collect())
    }
}
