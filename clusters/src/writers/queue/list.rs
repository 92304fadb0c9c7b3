//! The list of writes: for each object of each cluster the newest one, whether it is being made, and when it may be tried
//! again. No IO, no clock.
//!
//! A write leaves the list only when it is taken back, which happens when a watch shows the object as it should be. A write
//! that the API server accepted proves nothing: the object may have been deleted or changed again before the watch showed
//! it, and then there is no difference to report. So an accepted write is checked again after a pause, for as long as it is
//! in the list.

mod lane;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use federation::model::ClusterId;
use tokio::time::Instant;

use super::write::{Key, Outcome, Submission, Target, Write};
use crate::conditions::progress::MirrorProgress;
use lane::Lane;

/// Writes under way in one cluster.
pub const MAX_WRITES_PER_TARGET: usize = 8;

/// One write to make.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Job {
    pub(super) write: Write,
    /// Distinguishes a write from a newer one of the same object.
    pub(super) version: u64,
}

#[derive(Debug, Default)]
pub(super) struct List {
    lanes: BTreeMap<Target, Lane>,
    versions: u64,
}

impl List {
    /// The newest submission for an object replaces older ones.
    pub(super) fn submit(&mut self, submissions: impl IntoIterator<Item = Submission>, now: Instant) {
        for submission in submissions {
            let (key, write) = submission.into_parts();
            self.versions += 1;
            let target = key.target();
            let pace = target.pace();
            self.lanes.entry(target).or_insert_with(|| Lane::new(pace)).put(key, write, self.versions, now);
        }
    }

    /// Nothing is left to do there.
    pub(super) fn forget(&mut self, target: &Target) {
        self.lanes.remove(target);
    }

    /// The next job of the least busy cluster that may be written to.
    pub(super) fn next(&mut self, now: Instant, writable: impl Fn(&Target) -> bool) -> Option<Job> {
        let mut best: Option<(&mut Lane, Key)> = None;
        for (target, lane) in &mut self.lanes {
            lane.wake(now);
            let busier = best.as_ref().is_some_and(|(best, _)| best.writing() <= lane.writing());
            if busier || lane.writing() >= MAX_WRITES_PER_TARGET || !writable(target) {
                continue;
            }
            if let Some(key) = lane.candidate() {
                best = Some((lane, key));
            }
        }
        let (lane, key) = best?;
        lane.take(&key).map(|(write, version)| Job { write, version })
    }

    /// When something that waits may be tried, among clusters that may be written to.
    pub(super) fn due(&self, writable: impl Fn(&Target) -> bool) -> Option<Instant> {
        let lanes = self.lanes.iter().filter(|(target, _)| writable(target));
        lanes.filter_map(|(_, lane)| lane.due()).min()
    }

    pub(super) fn done(&mut self, job: &Job, outcome: Outcome, now: Instant) {
        let key = job.write.key();
        if let Some(lane) = self.lanes.get_mut(&key.target()) {
            lane.done(&key, job.version, outcome, now);
        }
    }

    /// Whether the newest write of an object was accepted.
    pub(super) fn is_accepted(&self, key: &Key) -> bool {
        self.lanes.get(&key.target()).is_some_and(|lane| lane.is_accepted(key))
    }

    /// How far each member is.
    pub(super) fn progress(&self) -> BTreeMap<ClusterId, MirrorProgress> {
        let member = |(target, lane): (&Target, &Lane)| match target {
            Target::Member(id) => Some((id.clone(), lane.progress())),
            Target::Hub => None,
        };
        self.lanes.iter().filter_map(member).collect()
    }
}
