//! Which clients have received which change, and when. Clients report what they receive; the scenario that made the change
//! waits for the last of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use regions::resource::ResourceType;
use tokio::sync::Notify;

/// A change that a scenario waits for.
#[derive(Debug)]
pub struct Watched {
    expected: usize,
    seen: AtomicUsize,
    first_ns: AtomicU64,
    last_ns: AtomicU64,
    done: Notify,
}

/// Clients look here whenever a resource changes. While it is empty, that costs them one load.
#[derive(Debug, Default)]
pub struct Board {
    any: AtomicBool,
    watched: RwLock<HashMap<(ResourceType, u32), Arc<Watched>>>,
}

impl Board {
    /// From now on so many clients are expected to see this resource change, each of them once.
    pub fn watch(&self, resource_type: ResourceType, id: u32, expected: usize) -> Arc<Watched> {
        let watched = Arc::new(Watched {
            expected,
            seen: AtomicUsize::new(0),
            first_ns: AtomicU64::new(u64::MAX),
            last_ns: AtomicU64::new(0),
            done: Notify::new(),
        });
        let mut all = self.watched.write().unwrap_or_else(PoisonError::into_inner);
        all.insert((resource_type, id), Arc::clone(&watched));
        self.any.store(true, Ordering::Release);
        watched
    }

    pub fn forget(&self, resource_type: ResourceType, id: u32) {
        let mut all = self.watched.write().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(resource_type, id));
        self.any.store(!all.is_empty(), Ordering::Release);
    }

    /// A client received new versions of these resources at this time.
    pub fn saw(&self, resource_type: ResourceType, ids: &[u32], at_ns: u64) {
        if ids.is_empty() || !self.any.load(Ordering::Acquire) {
            return;
        }
        let all = self.watched.read().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if let Some(watched) = all.get(&(resource_type, *id)) {
                watched.saw(at_ns);
            }
        }
    }
}

impl Watched {
    fn saw(&self, at_ns: u64) {
        self.first_ns.fetch_min(at_ns, Ordering::Relaxed);
        self.last_ns.fetch_max(at_ns, Ordering::Relaxed);
        if self.seen.fetch_add(1, Ordering::AcqRel) + 1 == self.expected {
            self.done.notify_one();
        }
    }

    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::Acquire)
    }

    pub fn expected(&self) -> usize {
        self.expected
    }

    pub fn is_done(&self) -> bool {
        self.seen() >= self.expected
    }

    /// Waits until all have seen it. One task may wait.
    pub async fn wait(&self) {
        while !self.is_done() {
            self.done.notified().await;
        }
    }

    /// How long after `put_ns` the first client received it, and the last one.
    pub fn lag(&self, put_ns: u64) -> (Duration, Duration) {
        let since = |at: &AtomicU64| Duration::from_nanos(at.load(Ordering::Acquire).saturating_sub(put_ns));
        (since(&self.first_ns), since(&self.last_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_and_the_last_are_distinguished() {
        let board = Board::default();
        board.saw(ResourceType::Assignment, &[7], 1); // not watched
        let watched = board.watch(ResourceType::Assignment, 7, 3);
        board.saw(ResourceType::Assignment, &[6, 7], 130);
        board.saw(ResourceType::Assignment, &[7], 110);
        board.saw(ResourceType::Cluster, &[7], 999);
        assert_eq!((watched.seen(), watched.is_done()), (2, false));
        board.saw(ResourceType::Assignment, &[7], 150);
        watched.wait().await;
        assert_eq!(watched.lag(100), (Duration::from_nanos(10), Duration::from_nanos(50)));
        board.forget(ResourceType::Assignment, 7);
        board.saw(ResourceType::Assignment, &[7], 160);
        assert_eq!(watched.seen(), 3);
    }
}
