//! The list of work: for each object in each member the newest wish, whether it is being written, and when it may be
//! tried again. No IO, no clock.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use federation::model::ClusterId;
use federation::{MirrorAction, MirrorKey};
use tokio::time::Instant;

/// Writes under way in one member.
pub const MAX_WRITES_PER_MEMBER: usize = 8;
/// Wait after a first failure; it doubles up to [`LAST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(30);
/// Doublings after which the wait has long reached its bound.
const MAX_DOUBLINGS: u32 = 10;

/// How far a member's mirroring is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorProgress {
    /// Wishes that are not yet brought about.
    pub pending: usize,
    /// Why the last write that failed did; `None` once all is done.
    pub last_error: Option<Arc<str>>,
}

/// One wish to bring about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) cluster: ClusterId,
    pub(super) key: MirrorKey,
    pub(super) action: MirrorAction,
    /// Tells a wish from a newer one for the same object.
    pub(super) version: u64,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is so, or it is not for us to make it so: the engine hears of it through the watch.
    Done,
    Retry(Arc<str>),
}

#[derive(Debug, Default)]
pub(super) struct Work {
    members: BTreeMap<ClusterId, Lane>,
    versions: u64,
}

#[derive(Debug, Default)]
struct Lane {
    items: BTreeMap<MirrorKey, Item>,
    /// Keys of items that may be written now.
    ready: BTreeSet<MirrorKey>,
    /// Keys of items that wait for their next try.
    waiting: BTreeSet<(Instant, MirrorKey)>,
    writing: usize,
    last_error: Option<Arc<str>>,
}

#[derive(Debug)]
struct Item {
    action: MirrorAction,
    version: u64,
    writing: bool,
    failures: u32,
    due: Option<Instant>,
}

impl Work {
    pub(super) fn submit(&mut self, wishes: Vec<(ClusterId, MirrorKey, MirrorAction)>) {
        for (cluster, key, action) in wishes {
            self.versions += 1;
            self.members.entry(cluster).or_default().wish(key, action, self.versions);
        }
    }

    /// The member is none any more: nothing is left to do in it.
    pub(super) fn forget(&mut self, cluster: &ClusterId) {
        self.members.remove(cluster);
    }

    /// The next job of the least busy connected member.
    pub(super) fn next(&mut self, now: Instant, connected: impl Fn(&ClusterId) -> bool) -> Option<Job> {
        let mut best: Option<(&ClusterId, &mut Lane, MirrorKey)> = None;
        for (cluster, lane) in &mut self.members {
            lane.wake(now);
            let busier = best.as_ref().is_some_and(|(_, best, _)| best.writing <= lane.writing);
            if busier || lane.writing >= MAX_WRITES_PER_MEMBER || !connected(cluster) {
                continue;
            }
            if let Some(key) = lane.candidate() {
                best = Some((cluster, lane, key));
            }
        }
        let (cluster, lane, key) = best?;
        lane.take(key, cluster)
    }

    /// When something that waits may be tried, among connected members.
    pub(super) fn due(&self, connected: impl Fn(&ClusterId) -> bool) -> Option<Instant> {
        let lanes = self.members.iter().filter(|(cluster, _)| connected(cluster));
        lanes.filter_map(|(_, lane)| lane.waiting.first().map(|(due, _)| *due)).min()
    }

    pub(super) fn done(&mut self, job: &Job, outcome: Outcome, now: Instant) {
        if let Some(lane) = self.members.get_mut(&job.cluster) {
            lane.done(&job.key, job.version, outcome, now);
        }
    }

    pub(super) fn progress(&self) -> BTreeMap<ClusterId, MirrorProgress> {
        let row = |(cluster, lane): (&ClusterId, &Lane)| {
            let progress = MirrorProgress { pending: lane.items.len(), last_error: lane.last_error.clone() };
            (cluster.clone(), progress)
        };
        self.members.iter().map(row).collect()
    }
}

impl Lane {
    fn wish(&mut self, key: MirrorKey, action: MirrorAction, version: u64) {
        let writing = self.items.get(&key).is_some_and(|item| item.writing);
        if action == MirrorAction::Leave && !writing {
            self.drop_item(&key);
            return;
        }
        // The same wish again must not make a failing write come faster.
        if self.items.get(&key).is_some_and(|item| item.action == action) {
            return;
        }
        if !writing {
            self.drop_item(&key);
            self.ready.insert(key.clone());
        }
        self.items.insert(key, Item { action, version, writing, failures: 0, due: None });
    }

    fn drop_item(&mut self, key: &MirrorKey) {
        self.ready.remove(key);
        if let Some(Item { due: Some(due), .. }) = self.items.remove(key) {
            self.waiting.remove(&(due, key.clone()));
        }
        if self.items.is_empty() {
            self.last_error = None;
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

    /// The first ready key that need not wait for its namespace. Namespaces sort first.
    fn candidate(&self) -> Option<MirrorKey> {
        let free = |key: &&MirrorKey| match key {
            MirrorKey::Namespace(_) => true,
            MirrorKey::Service(service) => {
                let namespace = self.items.get(&MirrorKey::Namespace(service.namespace.clone()));
                !namespace.is_some_and(|item| item.action == MirrorAction::ApplyNamespace)
            }
        };
        self.ready.iter().find(free).cloned()
    }

    fn take(&mut self, key: MirrorKey, cluster: &ClusterId) -> Option<Job> {
        self.ready.remove(&key);
        let item = self.items.get_mut(&key)?;
        item.writing = true;
        self.writing += 1;
        Some(Job { cluster: cluster.clone(), action: item.action.clone(), version: item.version, key })
    }

    fn done(&mut self, key: &MirrorKey, version: u64, outcome: Outcome, now: Instant) {
        // A lane that was forgotten and made anew knows nothing of writes of its predecessor.
        let Some(item) = self.items.get_mut(key).filter(|item| item.writing) else { return };
        item.writing = false;
        self.writing = self.writing.saturating_sub(1);
        let newer = item.version != version;
        match outcome {
            _ if newer && item.action == MirrorAction::Leave => self.drop_item(key),
            _ if newer => {
                self.ready.insert(key.clone());
            }
            Outcome::Done => self.drop_item(key),
            Outcome::Retry(error) => {
                let wait = FIRST_RETRY.saturating_mul(1 << item.failures.min(MAX_DOUBLINGS)).min(LAST_RETRY);
                item.failures = item.failures.saturating_add(1);
                let due = now + wait;
                item.due = Some(due);
                self.waiting.insert((due, key.clone()));
                self.last_error = Some(error);
            }
        }
    }
}
