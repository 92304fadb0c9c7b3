//! The objects of one origin: which of several copies counts, what was good last, and what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::decode::Outcome;
use super::entry::Entry;
use super::objects::{Key, Kind, Model, Sent};
use crate::problem::{ObjectName, Place, Problem};

#[derive(Debug, Default)]
pub(super) struct Table {
    /// All copies of each object, by (file, index).
    copies: BTreeMap<ObjectName, Vec<Arc<Entry>>>,
    /// The last good state of each object.
    current: BTreeMap<Kind, BTreeMap<ObjectName, Arc<Model>>>,
    /// Objects with more than one copy.
    doubles: BTreeSet<ObjectName>,
    touched: BTreeSet<ObjectName>,
}

impl Table {
    pub(super) fn add(&mut self, entry: &Arc<Entry>) {
        let copies = self.copies.entry(entry.name.clone()).or_default();
        let place = |entry: &Entry| (entry.file.clone(), entry.index);
        let at = copies.partition_point(|other| place(other) < place(entry));
        copies.insert(at, entry.clone());
        self.touched.insert(entry.name.clone());
    }

    pub(super) fn remove(&mut self, entry: &Arc<Entry>) {
        if let Some(copies) = self.copies.get_mut(&entry.name) {
            copies.retain(|other| !Arc::ptr_eq(other, entry));
            if copies.is_empty() {
                self.copies.remove(&entry.name);
            }
        }
        self.touched.insert(entry.name.clone());
    }

    /// Forgets all copies of an object: one that is put over them comes next.
    pub(super) fn clear(&mut self, name: &ObjectName) {
        self.copies.remove(name);
        self.touched.insert(name.clone());
    }

    /// Looks at an object again: a file that holds a copy began or ended fading.
    pub(super) fn touch(&mut self, entry: &Entry) {
        self.touched.insert(entry.name.clone());
    }

    /// Decides all objects that were touched, and says what changed. Copies in fading files count only where there is
    /// no other: their file is gone, but may be on its way under another name.
    pub(super) fn settle(&mut self, fading: &BTreeSet<PathBuf>) -> BTreeMap<Kind, Sent> {
        let mut changes: BTreeMap<Kind, (Vec<Arc<Model>>, Vec<Key>)> = BTreeMap::new();
        for name in std::mem::take(&mut self.touched) {
            let copies = self.copies.get(&name).map(Vec::as_slice).unwrap_or_default();
            let solid = copies.iter().filter(|entry| !fading.contains(&*entry.file));
            if solid.clone().count() > 1 {
                self.doubles.insert(name.clone());
            } else {
                self.doubles.remove(&name);
            }
            let winner = solid.clone().next().or(copies.first());
            let kind = winner.map(|entry| entry.known.kind).or_else(|| self.kind_of(&name));
            let Some(kind) = kind else { continue };
            let current = self.current.entry(kind).or_default();
            let (put, deleted) = changes.entry(kind).or_default();
            match winner.map(|entry| &entry.outcome) {
                Some(Outcome::Rejected) => {}
                Some(Outcome::Taken(model)) => {
                    if current.get(&name) != Some(model) {
                        put.push(model.clone());
                        current.insert(name, model.clone());
                    }
                }
                Some(Outcome::NotForUs) | None => deleted.extend(current.remove(&name).map(|model| model.key())),
            }
        }
        changes.into_iter().map(|(kind, (put, deleted))| (kind, Sent::Changed { put, deleted })).collect()
    }

    fn kind_of(&self, name: &ObjectName) -> Option<Kind> {
        self.current.iter().find(|(_, objects)| objects.contains_key(name)).map(|(kind, _)| *kind)
    }

    /// All good objects of a kind; those whose file says something wrong now are named apart.
    pub(super) fn all(&self, kind: Kind, fading: &BTreeSet<PathBuf>) -> Sent {
        let winner = |copies: &'_ Vec<Arc<Entry>>| {
            copies.iter().find(|entry| !fading.contains(&*entry.file)).or(copies.first()).cloned()
        };
        let winners = self.copies.values().filter_map(winner).filter(|entry| entry.known.kind == kind);
        let rejected: BTreeSet<Key> =
            winners.filter(|entry| entry.outcome == Outcome::Rejected).filter_map(|entry| entry.key.clone()).collect();
        let objects = self.objects(kind).filter(|object| !rejected.contains(&object.key())).cloned().collect();
        Sent::All { objects, rejected }
    }

    /// Whether a file says something of this object that cannot be used.
    pub(super) fn is_rejected(&self, name: &ObjectName) -> bool {
        self.copies.get(name).is_some_and(|copies| copies.iter().any(|entry| entry.outcome == Outcome::Rejected))
    }

    /// The last good state of all objects of a kind.
    pub(super) fn objects(&self, kind: Kind) -> impl Iterator<Item = &Arc<Model>> {
        self.current.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn object(&self, kind: Kind, name: &ObjectName) -> Option<&Arc<Model>> {
        self.current.get(&kind).and_then(|objects| objects.get(name))
    }

    /// A problem for each copy that does not count, naming both places.
    pub(super) fn double_problems(&self, shown: impl Fn(&Entry) -> PathBuf) -> Vec<Problem> {
        let mut problems = Vec::new();
        for name in &self.doubles {
            let Some([first, more @ ..]) = self.copies.get(name).map(Vec::as_slice) else { continue };
            for other in more {
                let expected = format!("it once; the one at {}:{} counts", shown(first).display(), first.line);
                let place = Place { file: shown(other), line: other.line };
                problems.push(Problem::new(name, "", "a second one of this name", expected).at(place));
            }
        }
        problems
    }
}
