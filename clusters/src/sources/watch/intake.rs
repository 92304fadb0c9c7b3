//! Watch events in, deltas out. No IO: this is where lists are buffered, objects are judged alone, what is too much is
//! excluded, and repetitions are dropped.

use std::collections::HashMap;

use federation::change::{Change, Delta, Object};
use kube::runtime::watcher::Event;

use super::Reading;
use super::quota::{Quota, Weight};
use crate::client::answers::Over;
use crate::convert::Accepted;
use crate::problem::{Findings, ObjectName, Problem, ProblemBook, ProblemOrigin};
use crate::sources::watch::object::Entry;

type Key<R> = <<R as Reading>::Model as Object>::Key;

pub(super) struct Intake<R: Reading> {
    kind: String,
    origin: ProblemOrigin,
    problems: ProblemBook,
    quota: Quota,
    /// A list on its way; nothing of it is delivered before it is complete.
    listing: Option<Listing<R>>,
    /// A list that was given up, and why.
    over: Option<Over>,
    /// Keys whose last good state was delivered, or may be in use from an earlier connection.
    sent: HashMap<Key<R>, Sent<R::Model>>,
    /// Costs a copy of each object, and spares the engine what did not change: heartbeats of Nodes, our own writes to
    /// statuses.
    remember: bool,
    changes: Vec<Change<R::Model>>,
    /// Objects and changes that were excluded since the last complete list, and the bound that was met last.
    excluded: Excluded,
}

struct Sent<T> {
    /// With `remember`.
    state: Option<T>,
    weight: Weight,
}

struct Listing<R: Reading> {
    objects: Vec<R::Model>,
    rejected: Vec<Key<R>>,
    problems: Findings,
    sent: HashMap<Key<R>, Sent<R::Model>>,
    /// All that was listed, of use or not.
    weight: Weight,
    excluded: Excluded,
}

#[derive(Clone, Copy, Default)]
struct Excluded {
    count: u64,
    by: Option<Over>,
}

impl Excluded {
    fn add(&mut self, over: Over) {
        self.count = self.count.saturating_add(1);
        self.by = Some(over);
    }

    fn problem(&self, kind: &str) -> Option<Problem> {
        let object = ObjectName::new(kind, None, "");
        let found = format!("{} beyond what is kept of a member", self.count);
        let lost = "those beyond are not used; what was there first stays, and they are let in when others go";
        self.by.map(|over| Problem::new(&object, "", found, over.to_string()).losing(lost))
    }
}

impl<R: Reading> Intake<R> {
    pub(super) fn new(origin: ProblemOrigin, problems: ProblemBook, quota: Quota, remember: bool) -> Self {
        Self {
            kind: R::kind(),
            origin,
            problems,
            quota,
            listing: None,
            over: None,
            sent: HashMap::new(),
            remember,
            changes: Vec::new(),
            excluded: Excluded::default(),
        }
    }

    pub(super) fn is_listing(&self) -> bool {
        self.listing.is_some()
    }

    /// Why the list at hand is given up, once.
    pub(super) fn take_over(&mut self) -> Option<Over> {
        self.over.take()
    }

    /// How often something was excluded since the last complete list.
    pub(super) fn excluded(&self) -> u64 {
        self.excluded.count
    }

    /// Something was excluded for which there is room now.
    pub(super) fn may_let_in(&self) -> bool {
        self.excluded.count > 0 && self.quota.has_room()
    }

    /// Takes one event; a completed list comes back as a `Full`.
    pub(super) fn event(&mut self, event: Event<Entry<R>>) -> Option<Delta<R::Model>> {
        match event {
            Event::Init => {
                self.abandon();
                self.listing = Some(Listing {
                    objects: Vec::new(),
                    rejected: Vec::new(),
                    problems: Findings::default(),
                    sent: HashMap::new(),
                    weight: Weight::default(),
                    excluded: Excluded::default(),
                });
            }
            Event::InitApply(entry) => self.listed(entry),
            Event::InitDone => return self.complete(),
            Event::Apply(entry) => self.applied(entry),
            Event::Delete(entry) => {
                self.problems.set(&self.origin, &entry.name, Vec::new());
                if let Some(key) = entry.key {
                    self.gone(key);
                }
            }
        }
        None
    }

    /// Single changes since the last call.
    pub(super) fn drain(&mut self) -> Option<Delta<R::Model>> {
        (!self.changes.is_empty()).then(|| Delta::Partial(std::mem::take(&mut self.changes)))
    }

    /// The kind does not exist: a complete list of nothing.
    pub(super) fn nothing(&mut self) -> Delta<R::Model> {
        self.abandon();
        for sent in std::mem::take(&mut self.sent).into_values() {
            self.quota.give_back(sent.weight);
        }
        self.changes.clear();
        self.excluded = Excluded::default();
        self.problems.replace(&self.origin, &[&self.kind], Findings::default());
        Delta::full(Vec::new())
    }

    /// Forgets the list on its way, and what was charged for it.
    fn abandon(&mut self) {
        let Some(listing) = self.listing.take() else { return };
        for (key, sent) in listing.sent {
            let before = self.sent.get(&key).map(|sent| sent.weight).unwrap_or_default();
            self.quota.restore(sent.weight, before);
        }
    }

    fn listed(&mut self, entry: Entry<R>) {
        let Some(listing) = &mut self.listing else { return };
        let Entry { key, read, bytes, .. } = entry;
        let parts = read.as_ref().ok().and_then(|read| read.object.as_ref()).map(R::parts).unwrap_or_default();
        let weight = Weight::of(parts, bytes);
        listing.weight = listing.weight.plus(weight);
        if let Err(over) = self.quota.check_list(listing.weight) {
            self.over = Some(over);
            self.abandon();
            return;
        }
        match read {
            Ok(Accepted { object, problems }) => {
                listing.problems.extend(problems);
                let Some(object) = object else { return };
                let key = object.key().clone();
                let before = match listing.sent.get(&key) {
                    Some(twice) => twice.weight,
                    None => self.sent.get(&key).map(|sent| sent.weight).unwrap_or_default(),
                };
                match self.quota.exchange(before, weight) {
                    Ok(()) => {
                        let state = self.remember.then(|| object.clone());
                        listing.sent.insert(key, Sent { state, weight });
                        listing.objects.push(object);
                    }
                    Err(over) => {
                        listing.excluded.add(over);
                        // What was taken before stays as it was; the others never were.
                        if self.sent.contains_key(&key) {
                            listing.rejected.push(key);
                        }
                    }
                }
            }
            Err(problems) => {
                listing.problems.extend(problems);
                listing.rejected.extend(key);
            }
        }
    }

    fn complete(&mut self) -> Option<Delta<R::Model>> {
        let Listing { objects, rejected, mut problems, sent, excluded, .. } = self.listing.take()?;
        excluded.problem(&self.kind).into_iter().for_each(|problem| problems.add_first(problem));
        self.excluded = excluded;
        self.problems.replace(&self.origin, &[&self.kind], problems);
        let mut before = std::mem::replace(&mut self.sent, sent);
        before.retain(|key, _| !self.sent.contains_key(key));
        // What is rejected keeps its last good state, here as in the engine.
        for key in &rejected {
            let last = before.remove(key).unwrap_or(Sent { state: None, weight: Weight::default() });
            self.sent.entry(key.clone()).or_insert(last);
        }
        for gone in before.into_values() {
            self.quota.give_back(gone.weight);
        }
        self.changes.clear();
        Some(Delta::Full { objects, rejected })
    }

    fn applied(&mut self, entry: Entry<R>) {
        let Entry { name, key, read, bytes } = entry;
        match read {
            Ok(Accepted { object: Some(object), problems }) => {
                let weight = Weight::of(R::parts(&object), bytes);
                let key = object.key().clone();
                let before = self.sent.get(&key).map(|sent| sent.weight).unwrap_or_default();
                if let Err(over) = self.quota.exchange(before, weight) {
                    self.turn_away(over);
                    return;
                }
                self.problems.set(&self.origin, &name, problems);
                let state = self.remember.then(|| object.clone());
                let before = self.sent.insert(key, Sent { state, weight }).and_then(|sent| sent.state);
                if before.as_ref() != Some(&object) {
                    self.changes.push(Change::Put(object));
                }
            }
            Ok(Accepted { object: None, problems }) => {
                self.problems.set(&self.origin, &name, problems);
                if let Some(key) = key {
                    self.gone(key);
                }
            }
            Err(problems) => self.problems.set(&self.origin, &name, problems),
        }
    }

    fn turn_away(&mut self, over: Over) {
        self.excluded.add(over);
        // Reported again when the count has doubled: each time wakes the readers of problems.
        if self.excluded.count.is_power_of_two() {
            let object = ObjectName::new(&self.kind, None, "");
            let problems = self.excluded.problem(&self.kind).into_iter().collect();
            self.problems.set(&self.origin, &object, problems);
        }
    }

    fn gone(&mut self, key: Key<R>) {
        // What was never delivered needs no taking back: most EndpointSlices of mirrors, for example.
        if let Some(sent) = self.sent.remove(&key) {
            self.quota.give_back(sent.weight);
            self.changes.push(Change::Delete(key));
        }
    }
}

impl<R: Reading> Drop for Intake<R> {
    /// The other kinds of the member have room again.
    fn drop(&mut self) {
        self.abandon();
        for sent in self.sent.values() {
            self.quota.give_back(sent.weight);
        }
    }
}
