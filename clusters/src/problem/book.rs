//! The book of problems: what is wrong now, by origin. Sources write it; pages, metrics and statuses read snapshots.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use federation::model::ClusterId;
use serde::Serialize;
use tokio::sync::watch;

use super::findings::Counted;
use super::{Findings, MAX_BYTES, MAX_BYTES_PER_ORIGIN, MAX_OBJECTS_PER_ORIGIN, ObjectName, Problem};
use crate::foreign::Secrets;

/// Whose objects are meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ProblemOrigin {
    Hub,
    Member(ClusterIdText),
}

/// A cluster id as text, so that origins can be serialised.
pub type ClusterIdText = String;

impl From<&ClusterId> for ProblemOrigin {
    fn from(id: &ClusterId) -> Self {
        Self::Member(id.to_string())
    }
}

impl std::fmt::Display for ProblemOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::Member(id) => f.write_str(id),
        }
    }
}

/// By origin; one without problems is not there. Cheap to clone.
pub type Problems = BTreeMap<ProblemOrigin, Arc<OriginProblems>>;

/// What is wrong with the objects of one origin: the first of them are listed, all are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginProblems {
    listed: BTreeMap<ObjectName, Vec<Problem>>,
    total: usize,
    /// Of what is listed.
    bytes: usize,
}

impl OriginProblems {
    /// The objects that are listed, each with its first problems.
    pub fn listed(&self) -> &BTreeMap<ObjectName, Vec<Problem>> {
        &self.listed
    }

    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.listed.values().flatten()
    }

    /// Objects with problems, listed or not.
    pub fn total(&self) -> usize {
        self.total
    }

    pub fn unlisted(&self) -> usize {
        self.total.saturating_sub(self.listed.len())
    }

    /// `256 shown, 1944 more objects with problems`; nothing where all are listed.
    pub fn rest(&self) -> Option<String> {
        let (shown, unlisted) = (self.listed.len(), self.unlisted());
        (unlisted > 0).then(|| format!("{shown} shown, {unlisted} more objects with problems"))
    }

    fn remove(&mut self, object: &ObjectName) -> Option<Vec<Problem>> {
        let old = self.listed.remove(object)?;
        self.bytes -= weight(&old);
        Some(old)
    }

    /// False if there is no room.
    fn insert(&mut self, object: ObjectName, problems: Vec<Problem>, room: usize) -> bool {
        let bytes = weight(&problems);
        let fits = self.listed.len() < MAX_OBJECTS_PER_ORIGIN && bytes <= room.min(MAX_BYTES_PER_ORIGIN - self.bytes);
        if fits {
            // Two names that differ in what was taken out of them only are listed as one.
            self.remove(&object);
            self.bytes += bytes;
            self.listed.insert(object, problems);
        }
        fits
    }
}

fn weight(problems: &[Problem]) -> usize {
    problems.iter().map(Problem::weight).sum()
}

/// All current problems. Clones share the book.
#[derive(Clone, Debug)]
pub struct ProblemBook {
    sender: Arc<watch::Sender<Problems>>,
    counted: Arc<Mutex<BTreeMap<ProblemOrigin, Counted>>>,
    secrets: Secrets,
}

impl Default for ProblemBook {
    fn default() -> Self {
        let sender = Arc::new(watch::Sender::new(Problems::new()));
        Self { sender, counted: Arc::default(), secrets: Secrets::default() }
    }
}

impl ProblemBook {
    /// The same book for a source that was sent these credentials, and perhaps others before: they are taken out of all that
    /// is written.
    #[must_use]
    pub fn scrubbing(&self, secrets: Secrets) -> Self {
        Self { secrets: secrets.after(&self.secrets), ..self.clone() }
    }

    /// Recognises the credentials that are taken out.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Replaces what is known of one object; no problems means it is OK (or gone).
    pub fn set(&self, origin: &ProblemOrigin, object: &ObjectName, problems: Vec<Problem>) {
        let mut book = self.counted();
        if problems.is_empty() && !book.get(origin).is_some_and(|counted| counted.has(object)) {
            return; // most objects never had a problem
        }
        let counted = book.entry(origin.clone()).or_default();
        if problems.is_empty() {
            counted.remove(object);
        } else {
            counted.add(object);
        }
        let total = counted.total();
        if total == 0 {
            book.remove(origin);
        }
        let object = object.clone().scrubbed(&self.secrets);
        // As for a whole list: the first ones, and how many there are besides.
        let findings = Findings::from(problems);
        let problems = findings.listed.into_values().flatten().map(|problem| problem.scrubbed(&self.secrets));
        let problems: Vec<Problem> = problems.collect();
        self.change(origin, total, |page, room| {
            if page.listed.get(&object) == Some(&problems) {
                return false;
            }
            let old = page.remove(&object);
            let room = room + old.as_deref().map_or(0, weight);
            let listed = !problems.is_empty() && page.insert(object, problems, room);
            listed || old.is_some()
        });
    }

    /// Replaces all that is known of one origin's objects of the given kinds.
    pub fn replace(&self, origin: &ProblemOrigin, kinds: &[&str], findings: impl Into<Findings>) {
        let Findings { listed, counted: fresh, .. } = findings.into();
        let mut book = self.counted();
        let counted = book.entry(origin.clone()).or_default();
        counted.replace(kinds, fresh);
        let total = counted.total();
        if total == 0 {
            book.remove(origin);
        }
        self.change(origin, total, |page, mut room| {
            let (before, bytes) = (page.listed.clone(), page.bytes);
            page.listed.retain(|object, _| !kinds.contains(&object.kind.as_str()));
            page.bytes = page.listed.values().map(|problems| weight(problems)).sum();
            room += bytes - page.bytes;
            for (object, problems) in listed {
                let problems: Vec<_> = problems.into_iter().map(|problem| problem.scrubbed(&self.secrets)).collect();
                let bytes = weight(&problems);
                if page.insert(object.scrubbed(&self.secrets), problems, room) {
                    room -= bytes;
                }
            }
            page.listed != before
        });
    }

    /// Forgets an origin: it is no member any more.
    pub fn forget(&self, origin: &ProblemOrigin) {
        let mut book = self.counted();
        book.remove(origin);
        self.sender.send_if_modified(|book| book.remove(origin).is_some());
    }

    pub fn subscribe(&self) -> watch::Receiver<Problems> {
        self.sender.subscribe()
    }

    pub fn snapshot(&self) -> Problems {
        self.sender.borrow().clone()
    }

    /// Held by one writer at a time, so that counts and lists agree.
    fn counted(&self) -> MutexGuard<'_, BTreeMap<ProblemOrigin, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the page of one origin. `change` is given the bytes that all pages together have left, and says whether it
    /// changed anything.
    fn change(&self, origin: &ProblemOrigin, total: usize, change: impl FnOnce(&mut OriginProblems, usize) -> bool) {
        self.sender.send_if_modified(|book| {
            let room = MAX_BYTES.saturating_sub(book.values().map(|page| page.bytes).sum());
            let page = book.entry(origin.clone()).or_default();
            // Copied only if a snapshot of it is in use.
            let page = Arc::make_mut(page);
            let changed = change(page, room) | (page.total != total);
            page.total = total;
            if total == 0 {
                book.remove(origin);
            }
            changed
        });
    }
}
