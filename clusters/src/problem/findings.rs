//! Problems on their way into the book: a list of a million broken objects takes no more memory than one of a few hundred,
//! and is counted all the same.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;

use super::{MAX_BYTES_PER_ORIGIN, MAX_COUNTED, MAX_OBJECTS_PER_ORIGIN, MAX_PROBLEMS_PER_OBJECT, ObjectName, Problem};

/// One random key for the process, so that no member can choose names that collide.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Objects with problems, by kind and hash.
#[derive(Debug, Default)]
pub(super) struct Counted {
    kinds: BTreeMap<String, HashSet<u64>>,
    /// Further ones, which are only counted.
    others: usize,
}

impl Counted {
    pub(super) fn total(&self) -> usize {
        self.kinds.values().map(HashSet::len).sum::<usize>() + self.others
    }

    pub(super) fn add(&mut self, object: &ObjectName) {
        if self.total() < MAX_COUNTED {
            match self.kinds.get_mut(&object.kind) {
                Some(kind) => _ = kind.insert(KEYS.hash_one(object)),
                None => _ = self.kinds.insert(object.kind.clone(), HashSet::from([KEYS.hash_one(object)])),
            }
        }
    }

    pub(super) fn has(&self, object: &ObjectName) -> bool {
        self.kinds.get(&object.kind).is_some_and(|kind| kind.contains(&KEYS.hash_one(object)))
    }

    pub(super) fn remove(&mut self, object: &ObjectName) {
        if let Some(kind) = self.kinds.get_mut(&object.kind) {
            kind.remove(&KEYS.hash_one(object));
            if kind.is_empty() {
                self.kinds.remove(&object.kind);
            }
        }
    }

    /// Takes over what is reported of some kinds.
    pub(super) fn replace(&mut self, kinds: &[&str], fresh: Self) {
        self.kinds.retain(|kind, _| !kinds.contains(&kind.as_str()));
        for (kind, objects) in fresh.kinds {
            self.kinds.entry(kind).or_default().extend(objects);
        }
        self.others = fresh.others;
    }
}

/// All that is wrong with some objects of one origin. The first are listed, all are counted.
#[derive(Debug, Default)]
pub struct Findings {
    pub(super) listed: BTreeMap<ObjectName, Vec<Problem>>,
    pub(super) counted: Counted,
    bytes: usize,
}

impl Findings {
    pub fn add(&mut self, problem: Problem) {
        self.counted.add(&problem.object);
        let weight = problem.weight();
        let room = self.bytes + weight <= MAX_BYTES_PER_ORIGIN;
        let objects = self.listed.len();
        match self.listed.get_mut(&problem.object) {
            Some(list) if room && list.len() < MAX_PROBLEMS_PER_OBJECT => list.push(problem),
            Some(list) => {
                list.last_mut().into_iter().for_each(|last| last.more += 1 + problem.more);
                return;
            }
            None if room && objects < MAX_OBJECTS_PER_ORIGIN => {
                self.listed.insert(problem.object.clone(), vec![problem]);
            }
            None => return,
        }
        self.bytes += weight;
    }

    /// Adds one that is listed however many others are.
    pub fn add_first(&mut self, problem: Problem) {
        self.counted.add(&problem.object);
        self.bytes += problem.weight();
        self.listed.entry(problem.object.clone()).or_default().insert(0, problem);
    }

    /// Counts objects of which nothing else is kept.
    pub fn add_unlisted(&mut self, objects: usize) {
        self.counted.others += objects;
    }
}

impl Extend<Problem> for Findings {
    fn extend<T: IntoIterator<Item = Problem>>(&mut self, problems: T) {
        problems.into_iter().for_each(|problem| self.add(problem));
    }
}

impl FromIterator<Problem> for Findings {
    fn from_iter<T: IntoIterator<Item = Problem>>(problems: T) -> Self {
        let mut findings = Self::default();
        findings.extend(problems);
        findings
    }
}

impl From<Vec<Problem>> for Findings {
    fn from(problems: Vec<Problem>) -> Self {
        problems.into_iter().collect()
    }
}
