//! What is told of the objects of one origin: the first problems, within their bounds, and how many objects have others.

use crate::problem::{MAX_BYTES_PER_ORIGIN, Problem};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) listed: Vec<Problem>,
    /// Objects with problems of which none is listed.
    pub(super) unlisted: usize,
}

/// Bytes of problems that may still be listed.
#[derive(Debug)]
pub(super) struct Room(usize);

impl Room {
    pub(super) fn of_one_origin() -> Self {
        Self(MAX_BYTES_PER_ORIGIN)
    }

    pub(super) fn bytes(bytes: usize) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, problem: &Problem) -> bool {
        let left = self.0.checked_sub(problem.weight());
        left.inspect(|left| self.0 = *left).is_some()
    }
}

impl Told {
    /// Bytes that the listed problems take.
    pub(super) fn weight(&self) -> usize {
        self.listed.iter().map(Problem::weight).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.listed.is_empty() && self.unlisted == 0
    }

    /// Lists problems while there is room, and counts the objects of the others. Those of one object follow each other.
    pub(super) fn add(&mut self, problems: impl IntoIterator<Item = Problem>, room: &mut Room) {
        let mut unlisted: Option<Problem> = None;
        for problem in problems {
            let again = self.listed.last().is_some_and(|last| last.object == problem.object);
            if room.take(&problem) {
                self.listed.push(problem);
            } else if again {
                self.listed.last_mut().into_iter().for_each(|last| last.more += 1 + problem.more);
            } else if unlisted.as_ref().is_none_or(|last| last.object != problem.object) {
                self.unlisted += 1;
                unlisted = Some(problem);
            }
        }
    }
}
