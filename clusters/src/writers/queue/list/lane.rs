//! The writes into one cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::conditions::progress::{Hold, MirrorProgress};
use crate::writers::queue::write::{Key, Outcome, Pace, Write};

/// Wait after a first failure; it doubles up to [`Pace::last_retry`].
pub(super) const FIRST_RETRY: Duration = Duration::from_millis(250);
/// Longest wait before an accepted write is checked again.
pub(super) const LAST_CHECK: Duration = Duration::from_secs(30);
/// Accepted writes in a row that the watch did not confirm, after which this is reported.
const CHECKS_UNTIL_REPORTED: u32 = 3;
/// Doublings after which the wait has long reached its bound.
const MAX_DOUBLINGS: u32 = 10;
/// An object with a write this often, each time soon after the last, is being changed by something else as well.
/// From then on its writes are spaced out, so that two controllers cannot drive each other.
pub(super) const FREE_WRITES: u32 = 10;
pub(super) const SOON_AFTER: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(8);
/// Objects of one cluster whose last writes are remembered.
const MAX_REMEMBERED: usize = 4_096;

#[derive(Debug)]
pub(super) struct Lane {
    pace: Pace,
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
    /// `None`: it was taken back while it was being written.
    write: Option<Write>,
    version: u64,
    since: Instant,
    writing: bool,
    /// Tries that failed since the last one that did not.
    failures: u32,
    /// Tries in a row that the API server accepted.
    accepted: u32,
    due: Option<Instant>,
}

/// How often an object got a write in quick succession.
#[derive(Clone, Copy, Debug)]
struct Recent {
    writes: u32,
    last: Instant,
}

impl Lane {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            items: BTreeMap::new(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            ages: BTreeSet::new(),
            errors: BTreeMap::new(),
            writing: 0,
            accepted: 0,
            recent: BTreeMap::new(),
        }
    }

    /// Writes under way.
    pub(super) fn writing(&self) -> usize {
        self.writing
    }

    /// When something that waits may be tried.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    pub(super) fn is_accepted(&self, key: &Key) -> bool {
        self.items.get(key).is_some_and(|item| item.accepted > 0)
    }

    pub(super) fn progress(&self) -> MirrorProgress {
        MirrorProgress {
            pending: self.items.len(),
            accepted: self.accepted,
            since: self.ages.first().map(|(since, _)| *since),
            last_error: self.errors.values().next().cloned(),
            hold: Hold::Unknown,
        }
    }

    /// `None`: what was wanted is taken back.
    pub(super) fn put(&mut self, key: Key, write: Option<Write>, version: u64, now: Instant) {
        let before = self.items.get(&key);
        let writing = before.is_some_and(|item| item.writing);
        if write.is_none() && !writing {
            self.drop_item(&key);
            return;
        }
        // The same write again must not make a failing one come faster.
        if before.is_some_and(|item| item.write == write) {
            return;
        }
        let since = before.map_or(now, |item| item.since);
        let failing = before.filter(|item| self.pace.keeps_wait && item.failures > 0);
        let (failures, wait) = failing.map_or((0, None), |item| (item.failures, item.due));
        self.drop_item(&key);
        let due = self.pause(&key, now).map(|pause| now + pause).max(wait);
        self.ages.insert((since, key.clone()));
        self.items.insert(key.clone(), Item { write, version, since, writing, failures, accepted: 0, due });
        // A write that comes while an older one is under way is queued when that one ends.
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

    /// How long a new write of the object has to wait, because something else keeps changing the object.
    fn pause(&mut self, key: &Key, now: Instant) -> Option<Duration> {
        if !self.pace.spaces_out {
            return None;
        }
        if self.recent.len() >= MAX_REMEMBERED {
            self.recent.retain(|_, recent| now.duration_since(recent.last) < SOON_AFTER);
        }
        let remembered = self.recent.len() < MAX_REMEMBERED || self.recent.contains_key(key);
        let recent = self.recent.get(key).filter(|recent| now.duration_since(recent.last) < SOON_AFTER);
        let writes = recent.map_or(1, |recent| recent.writes.saturating_add(1));
        if remembered {
            self.recent.insert(key.clone(), Recent { writes, last: now });
        }
        let excess = writes.checked_sub(FREE_WRITES + 1)?;
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

    pub(super) fn wake(&mut self, now: Instant) {
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
    pub(super) fn candidate(&self) -> Option<Key> {
        let free = |key: &&Key| {
            let required = key.requires().and_then(|required| self.items.get(&required));
            required.is_none_or(|item| item.accepted > 0)
        };
        self.ready.iter().find(free).cloned()
    }

    pub(super) fn take(&mut self, key: &Key) -> Option<(Write, u64)> {
        self.ready.remove(key);
        let item = self.items.get_mut(key)?;
        let write = item.write.clone()?;
        item.writing = true;
        self.writing += 1;
        Some((write, item.version))
    }

    pub(super) fn done(&mut self, key: &Key, version: u64, outcome: Outcome, now: Instant) {
        // A lane that was forgotten and made again knows nothing of the writes of its predecessor.
        let Some(item) = self.items.get_mut(key).filter(|item| item.writing) else { return };
        item.writing = false;
        self.writing = self.writing.saturating_sub(1);
        if item.write.is_none() {
            self.drop_item(key);
            return;
        }
        let waits = self.pace.keeps_wait && outcome != Outcome::Accepted;
        if item.version != version && !waits {
            let due = item.due;
            self.enqueue(key.clone(), due);
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
                backoff(self.pace.first_check, item.accepted, LAST_CHECK)
            }
            Outcome::Retry(error) => {
                item.accepted = 0;
                item.failures = item.failures.saturating_add(1);
                self.errors.insert(key.clone(), error);
                backoff(FIRST_RETRY, item.failures, self.pace.last_retry)
            }
        };
        item.due = Some(now + wait);
        self.enqueue(key.clone(), Some(now + wait));
    }
}

/// The wait after the `count`th time in a row: `first`, doubled each time, up to `last`.
fn backoff(first: Duration, count: u32, last: Duration) -> Duration {
    first.saturating_mul(1 << count.saturating_sub(1).min(MAX_DOUBLINGS)).min(last)
}

fn unconfirmed(key: &Key) -> Arc<str> {
    Arc::from(format!(
        "{key}: its API server accepts the write, but its watch does not show the object as it should be; something \
         removes or changes it, or the watch is late"
    ))
}
