//! Keeps the book of problems in step with what is wrong in the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::follow::Follower;
use super::read::Origin;
use crate::problem::{ObjectName, Place, Problem, ProblemBook, ProblemOrigin};

pub(super) struct Publisher {
    root: PathBuf,
    book: ProblemBook,
    published: BTreeMap<ProblemOrigin, Vec<Problem>>,
}

impl Publisher {
    pub(super) fn new(root: &Path, book: ProblemBook) -> Self {
        Self { root: root.to_owned(), book, published: BTreeMap::new() }
    }

    /// Writes what differs from what was written before.
    pub(super) fn publish(&mut self, follower: &Follower, result: &io::Result<()>) {
        let mut fresh: BTreeMap<ProblemOrigin, Vec<Problem>> =
            follower.problems().into_iter().map(|(origin, list)| (book_origin(&origin), list)).collect();
        if let Err(error) = result {
            let object = ObjectName { kind: "Folder".into(), namespace: None, name: self.root.display().to_string() };
            let problem = Problem::new(&object, "", error, "a folder that can be listed; what it said before stays");
            let problem = problem.at(Place { file: self.root.clone(), line: 1 });
            fresh.entry(ProblemOrigin::Hub).or_default().push(problem);
        }
        let origins: BTreeSet<ProblemOrigin> = fresh.keys().chain(self.published.keys()).cloned().collect();
        for origin in origins {
            let before = self.published.remove(&origin).unwrap_or_default();
            let now = fresh.remove(&origin).unwrap_or_default();
            if before != now {
                // Only kinds that we speak of: others may write about the same origin.
                let kinds: BTreeSet<&str> =
                    before.iter().chain(&now).map(|problem| problem.object.kind.as_str()).collect();
                self.book.replace(&origin, &Vec::from_iter(kinds), now.clone());
            }
            if !now.is_empty() {
                self.published.insert(origin, now);
            }
        }
    }
}

fn book_origin(origin: &Origin) -> ProblemOrigin {
    match origin {
        Origin::Hub => ProblemOrigin::Hub,
        Origin::Member(id) => ProblemOrigin::from(id),
    }
}
