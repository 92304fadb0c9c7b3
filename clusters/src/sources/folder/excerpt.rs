//! The problems of one origin: the first ones, within their bounds, and the number of objects that have others.

use crate::problem::{MAX_BYTES_PER_ORIGIN, Problem};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) problems: Vec<Problem>,
    /// Objects with problems of which none is kept.
    pub(super) unlisted: usize,
}

/// Bytes of problems that may still be kept.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) fn of_one_origin() -> Self {
        Self(MAX_BYTES_PER_ORIGIN)
    }

    pub(super) fn bytes(bytes: usize) -> Self {
        Self(bytes)
    }

    /// False if the problem does not fit; then nothing after it does, so that counts stay exact.
    pub(super) fn take(&mut self, problem: &Problem) -> bool {
        let left = self.0.checked_sub(problem.weight());
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

impl Excerpt {
    /// Bytes that the problems take.
    pub(super) fn weight(&self) -> usize {
        self.problems.iter().map(Problem::weight).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.unlisted == 0
    }

    /// Keeps problems while there is room, and counts the objects of the others. Those of one object follow each other.
    pub(super) fn add(&mut self, more: impl IntoIterator<Item = Problem>, room: &mut Room) {
        let mut unlisted: Option<Problem> = None;
        for problem in more {
            let again = self.problems.last().is_some_and(|last| last.object == problem.object);
            if room.take(&problem) {
                self.problems.push(problem);
            } else if again {
                self.problems.last_mut().into_iter().for_each(|last| last.more += 1 + problem.more);
            } else if unlisted.as_ref().is_none_or(|last| last.object != problem.object) {
                self.unlisted += 1;
                unlisted = Some(problem);
            }
        }
    }
}
