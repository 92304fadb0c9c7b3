//! Keeps the book of problems in step with what is wrong in the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use super::excerpt::Excerpt;
use super::follow::Follower;
use super::origin::Origin;
use crate::problem::{Findings, ObjectName, Place, Problem, ProblemBook, ProblemOrigin};

pub(super) struct Publisher {
    root: PathBuf,
    book: ProblemBook,
    published: BTreeMap<ProblemOrigin, Excerpt>,
}

impl Publisher {
    pub(super) fn new(root: &Path, book: ProblemBook) -> Self {
        Self { root: root.to_owned(), book, published: BTreeMap::new() }
    }

    /// Writes what differs from what was written before.
    pub(super) fn publish(&mut self, follower: &Follower, result: &io::Result<()>) {
        let mut fresh: BTreeMap<ProblemOrigin, Excerpt> =
            follower.problems().into_iter().map(|(origin, excerpt)| (book_origin(&origin), excerpt)).collect();
        if let Err(error) = result {
            let object = ObjectName::new("Folder", None, &self.root.display().to_string());
            let problem = Problem::new(&object, "", error, "a folder that can be listed; what it held before stays");
            let problem = problem.at(Place { file: self.root.clone(), line: 1 });
            fresh.entry(ProblemOrigin::Hub).or_default().problems.push(problem);
        }
        let origins: BTreeSet<ProblemOrigin> = fresh.keys().chain(self.published.keys()).cloned().collect();
        for origin in origins {
            let before = self.published.remove(&origin).unwrap_or_default();
            let now = fresh.remove(&origin).unwrap_or_default();
            if before != now {
                // Only kinds that this source reports: others may write about the same origin.
                let kinds: BTreeSet<&str> =
                    before.problems.iter().chain(&now.problems).map(|problem| problem.object.kind.as_str()).collect();
                let mut findings: Findings = now.problems.iter().cloned().collect();
                findings.add_unlisted(now.unlisted);
                self.book.replace(&origin, &Vec::from_iter(kinds), findings);
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
