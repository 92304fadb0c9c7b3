//! The list of work: for each object in each member the newest action, whether it is being written, and when it may be
//! tried again. No IO, no clock.
//!
//! An action leaves the list only when the engine takes it back, which the engine does when the member's watch shows the
//! object as it should be. A write that the API server accepted proves nothing: the object may have been deleted or
//! changed again before the watch showed it, and then the engine sees no difference to report. So an accepted write is
//! checked again after a pause, for as long as the action is in the list.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use federation::desired::{Action, Key};
use federation::model::ClusterId;
use tokio::time::Instant;

use crate::conditions::progress::{Hold, MirrorProgress};

/// Writes under way in one member.
pub const MAX_WRITES_PER_MEMBER: usize = 8;
/// Wait after a first failure; it doubles up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// How long the watch may take to show an accepted write before the object is looked at again; it doubles up to
/// [`LAST_RETRY`].
const FIRST_CHECK: Duration = Duration::from_secs(1);
/// Accepted writes in a row that the watch did not confirm, after which this is reported.
const CHECKS_UNTIL_REPORTED: u32 = 3;
/// Doublings after which the wait has long reached its bound.
const MAX_DOUBLINGS: u32 = 10;
/// An object with an action this often, each time soon after the last, is being changed by something else as well.
/// From then on its writes are spaced out, so that two controllers cannot drive each other.
const FREE_ACTIONS: u32 = 10;
const SOON_AFTER: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(8);
/// Objects of one member whose last writes are remembered.
const MAX_REMEMBERED: usize = 4_096;

/// One action to apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) cluster: ClusterId,
    pub(super) action: Action,
    /// Distinguishes an action from a newer one for the same object.
    pub(super) version: u64,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The API server shows the object as desired, or it is not for us to change it. The action stays until the watch
    /// shows it to the engine.
    Accepted,
    Retry(Arc<str>),
}

#[derive(Debug, Default)]
pub(super) struct Work {
    members: BTreeMap<ClusterId, Lane>,
    versions: u64,
}

#[derive(Debug, Default)]
struct Lane {
    items: BTreeMap<Key, Item>,
    /// Keys of items that may be written now.
    ready: BTreeSet<Key>,
    /// Keys of items that wait for their next try.
    waiting: BTreeSet<(Instant, Key)>,
    /// Keys of all items by age.
    ages: BTreeSet<(Instant, Key)>,
    /// What is wrong with items whose last try failed.
    errors: BTreeMap<Key, Arc<str>>,
    writing: usize,
    /// How many items the API server accepted last time.
    accepted: usize,
    recent: BTreeMap<Key, Recent>,
}

#[derive(Debug)]
struct Item {
    action: Action,
    version: u64,
    since: Instant,
    writing: bool,
    /// Tries that failed since the last one that did not.
    failures: u32,
    /// Tries in a row that the API server accepted.
    accepted: u32,
    due: Option<Instant>,
}

/// How often an object got an action in quick succession.
#[derive(Clone, Copy, Debug)]
struct Recent {
    actions: u32,
    last: Instant,
}

impl Work {
    pub(super) fn submit(&mut self, actions: Vec<(ClusterId, Action)>, now: Instant) {
        for (cluster, action) in actions {
            self.versions += 1;
            self.members.entry(cluster).or_default().put(action, self.versions, now);
        }
    }

    /// The cluster is no member any more: nothing is left to do in it.
    pub(super) fn forget(&mut self, cluster: &ClusterId) {
        self.members.remove(cluster);
    }

    /// The next job of the least busy member that may be written to.
    pub(super) fn next(&mut self, now: Instant, writable: impl Fn(&ClusterId) -> bool) -> Option<Job> {
        let mut best: Option<(&ClusterId, &mut Lane, Key)> = None;
        for (cluster, lane) in &mut self.members {
            lane.wake(now);
            let busier = best.as_ref().is_some_and(|(_, best, _)| best.writing <= lane.writing);
            if busier || lane.writing >= MAX_WRITES_PER_MEMBER || !writable(cluster) {
                continue;
            }
            if let Some(key) = lane.candidate() {
                best = Some((cluster, lane, key));
            }
        }
        let (cluster, lane, key) = best?;
        lane.take(&key, cluster)
    }

    /// When something that waits may be tried, among members that may be written to.
    pub(super) fn due(&self, writable: impl Fn(&ClusterId) -> bool) -> Option<Instant> {
        let lanes = self.members.iter().filter(|(cluster, _)| writable(cluster));
        lanes.filter_map(|(_, lane)| lane.waiting.first().map(|(due, _)| *due)).min()
    }

    pub(super) fn done(&mut self, job: &Job, outcome: Outcome, now: Instant) {
        if let Some(lane) = self.members.get_mut(&job.cluster) {
            lane.done(&job.action.key(), job.version, outcome, now);
        }
    }

    pub(super) fn progress(&self) -> BTreeMap<ClusterId, MirrorProgress> {
        self.members.iter().map(|(cluster, lane)| (cluster.clone(), lane.progress())).collect()
    }
}

impl Lane {
    fn progress(&self) -> MirrorProgress {
        MirrorProgress {
            pending: self.items.len(),
            accepted: self.accepted,
            since: self.ages.first().map(|(since, _)| *since),
            last_error: self.errors.values().next().cloned(),
            hold: Hold::Unknown,
        }
    }

    fn put(&mut self, action: Action, version: u64, now: Instant) {
        let key = action.key();
        let before = self.items.get(&key);
        let writing = before.is_some_and(|item| item.writing);
        if action.is_leave() && !writing {
            self.drop_item(&key);
            return;
        }
        // The same action again must not make a failing write come faster.
        if before.is_some_and(|item| item.action == action) {
            return;
        }
        let since = before.map_or(now, |item| item.since);
        self.drop_item(&key);
        let due = self.pause(&key, now).map(|pause| now + pause);
        self.ages.insert((since, key.clone()));
        self.items.insert(key.clone(), Item { action, version, since, writing, failures: 0, accepted: 0, due });
        // An action that comes while an older one is being written is queued when that write ends.
        if !writing {
            self.enqueue(key, due);
        }
    }

    fn enqueue(&mut self, key: Key, due: Option<Instant>) {
        match due {
            Some(due) => self.waiting.insert((due, key)),
            None => self.ready.insert(key),
        };
    }

    /// How long a new action for the object has to wait, because something else keeps changing the object.
    fn pause(&mut self, key: &Key, now: Instant) -> Option<Duration> {
        if self.recent.len() >= MAX_REMEMBERED {
            self.recent.retain(|_, recent| now.duration_since(recent.last) < SOON_AFTER);
        }
        let remembered = self.recent.len() < MAX_REMEMBERED || self.recent.contains_key(key);
        let recent = self.recent.get(key).filter(|recent| now.duration_since(recent.last) < SOON_AFTER);
        let actions = recent.map_or(1, |recent| recent.actions.saturating_add(1));
        if remembered {
            self.recent.insert(key.clone(), Recent { actions, last: now });
        }
        let excess = actions.checked_sub(FREE_ACTIONS + 1)?;
        Some(FIRST_PAUSE.saturating_mul(1 << excess.min(MAX_DOUBLINGS)).min(LAST_PAUSE))
    }

    fn drop_item(&mut self, key: &Key) {
        self.ready.remove(key);
        self.errors.remove(key);
        let Some(item) = self.items.remove(key) else { return };
        self.ages.remove(&(item.since, key.clone()));
        self.accepted -= usize::from(item.accepted > 0);
        if let Some(due) = item.due {
            self.waiting.remove(&(due, key.clone()));
        }
    }

    fn wake(&mut self, now: Instant) {
        while let Some((due, key)) = self.waiting.first().cloned() {
            if due > now {
                break;
            }
            self.waiting.remove(&(due, key.clone()));
            if let Some(item) = self.items.get_mut(&key) {
                item.due = None;
                self.ready.insert(key);
            }
        }
    }

    /// The first ready key that need not wait for another object.
    fn candidate(&self) -> Option<Key> {
        let free = |key: &&Key| {
            let required = key.requires().and_then(|required| self.items.get(&required));
            required.is_none_or(|item| item.accepted > 0)
        };
        self.ready.iter().find(free).cloned()
    }

    fn take(&mut self, key: &Key, cluster: &ClusterId) -> Option<Job> {
        self.ready.remove(key);
        let item = self.items.get_mut(key)?;
        item.writing = true;
        self.writing += 1;
        Some(Job { cluster: cluster.clone(), action: item.action.clone(), version: item.version })
    }

    fn done(&mut self, key: &Key, version: u64, outcome: Outcome, now: Instant) {
        // A lane that was forgotten and made again knows nothing of the writes of its predecessor.
        let Some(item) = self.items.get_mut(key).filter(|item| item.writing) else { return };
        item.writing = false;
        self.writing = self.writing.saturating_sub(1);
        if item.version != version {
            let (is_over, due) = (item.action.is_leave(), item.due);
            if is_over {
                self.drop_item(key);
            } else {
                self.enqueue(key.clone(), due);
            }
            return;
        }
        self.accepted -= usize::from(item.accepted > 0);
        self.accepted += usize::from(outcome == Outcome::Accepted);
        let wait = match outcome {
            Outcome::Accepted => {
                item.failures = 0;
                item.accepted = item.accepted.saturating_add(1);
                if item.accepted < CHECKS_UNTIL_REPORTED {
                    self.errors.remove(key);
                } else {
                    self.errors.insert(key.clone(), unconfirmed(key));
                }
                backoff(FIRST_CHECK, item.accepted)
            }
            Outcome::Retry(error) => {
                item.accepted = 0;
                item.failures = item.failures.saturating_add(1);
                self.errors.insert(key.clone(), error);
                backoff(FIRST_RETRY, item.failures)
            }
        };
        item.due = Some(now + wait);
        self.enqueue(key.clone(), Some(now + wait));
    }
}

/// The wait after the `count`th time in a row: `first`, doubled each time, up to [`LAST_RETRY`].
fn backoff(first: Duration, count: u32) -> Duration {
    first.saturating_mul(1 << count.saturating_sub(1).min(MAX_DOUBLINGS)).min(LAST_RETRY)
}

fn unconfirmed(key: &Key) -> Arc<str> {
    Arc::from(format!(
        "{key}: its API server accepts the write, but its watch does not show the object as it should be; something \
         removes or changes it, or the watch is late"
    ))
}
