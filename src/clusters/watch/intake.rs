//! Watch events in, deltas out. No IO: this is where lists are buffered, objects judged alone, and repetitions dropped.

use std::collections::HashMap;

use federation::change::{Change, Delta, Object};
use kube::Resource as _;
use kube::runtime::watcher::Event;

use super::Reading;
use crate::convert::{Accepted, object_name};
use crate::problem::{Findings, ProblemBook, ProblemOrigin};

type Key<R> = <<R as Reading>::Model as Object>::Key;

pub(super) struct Intake<R: Reading> {
    kind: String,
    origin: ProblemOrigin,
    problems: ProblemBook,
    /// A list on its way; nobody hears of it before it is complete.
    listing: Option<Listing<R>>,
    /// Keys whose last good state was told or may stand from an earlier connection; with `remember`, that state too.
    told: HashMap<Key<R>, Option<R::Model>>,
    /// Costs a copy of each object, and spares the engine what did not change: heartbeats of Nodes, our own writes to
    /// statuses.
    remember: bool,
    changes: Vec<Change<R::Model>>,
}

struct Listing<R: Reading> {
    objects: Vec<R::Model>,
    rejected: Vec<Key<R>>,
    problems: Findings,
}

impl<R: Reading> Intake<R> {
    pub(super) fn new(origin: ProblemOrigin, problems: ProblemBook, remember: bool) -> Self {
        Self { kind: R::kind(), origin, problems, listing: None, told: HashMap::new(), remember, changes: Vec::new() }
    }

    pub(super) fn is_listing(&self) -> bool {
        self.listing.is_some()
    }

    /// Takes one event; a completed list comes back as a `Full`.
    pub(super) fn event(&mut self, event: Event<R::Wire>) -> Option<Delta<R::Model>> {
        match event {
            Event::Init => {
                self.listing =
                    Some(Listing { objects: Vec::new(), rejected: Vec::new(), problems: Findings::default() });
            }
            Event::InitApply(wire) => self.listed(&wire),
            Event::InitDone => return self.complete(),
            Event::Apply(wire) => self.applied(&wire),
            Event::Delete(wire) => {
                self.problems.set(&self.origin, &object_name(&self.kind, wire.meta()), Vec::new());
                if let Some(key) = R::key(wire.meta()) {
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
        self.listing = None;
        self.told.clear();
        self.changes.clear();
        self.problems.replace(&self.origin, &[&self.kind], Findings::default());
        Delta::full(Vec::new())
    }

    fn listed(&mut self, wire: &R::Wire) {
        let Some(listing) = &mut self.listing else { return };
        match R::read(wire) {
            Ok(Accepted { object, problems }) => {
                listing.objects.extend(object);
                listing.problems.extend(problems);
            }
            Err(problems) => {
                listing.problems.extend(problems);
                listing.rejected.extend(R::key(wire.meta()));
            }
        }
    }

    fn complete(&mut self) -> Option<Delta<R::Model>> {
        let Listing { objects, rejected, problems } = self.listing.take()?;
        self.problems.replace(&self.origin, &[&self.kind], problems);
        let before = std::mem::take(&mut self.told);
        self.told =
            objects.iter().map(|object| (object.key().clone(), self.remember.then(|| object.clone()))).collect();
        // What is rejected keeps its last good state, here as in the engine.
        let kept = rejected.iter().map(|key| (key.clone(), before.get(key).cloned().flatten()));
        self.told.extend(kept);
        self.changes.clear();
        Some(Delta::Full { objects, rejected })
    }

    fn applied(&mut self, wire: &R::Wire) {
        let name = object_name(&self.kind, wire.meta());
        match R::read(wire) {
            Ok(Accepted { object: Some(object), problems }) => {
                self.problems.set(&self.origin, &name, problems);
                let state = self.remember.then(|| object.clone());
                let before = self.told.insert(object.key().clone(), state).flatten();
                if before.as_ref() != Some(&object) {
                    self.changes.push(Change::Put(object));
                }
            }
            Ok(Accepted { object: None, problems }) => {
                self.problems.set(&self.origin, &name, problems);
                if let Some(key) = R::key(wire.meta()) {
                    self.gone(key);
                }
            }
            Err(problems) => self.problems.set(&self.origin, &name, problems),
        }
    }

    fn gone(&mut self, key: Key<R>) {
        // What was never told needs no taking back: most EndpointSlices of mirrors, for example.
        if self.told.remove(&key).is_some() {
            self.changes.push(Change::Delete(key));
        }
    }
}
