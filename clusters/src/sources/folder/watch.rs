//! The thread that follows a folder: it waits for the file system or for the time, steps, and sends.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::follow::Follower;
use super::hints::Hints;
use crate::sources::feed::{Feed, FeedClosed};

/// The whole folder is looked at this often, whatever the file system says: some say nothing.
pub const RESCAN: Duration = Duration::from_secs(5);
/// Signals taken at once, so that a storm of events cannot keep us from stepping.
const MAX_SIGNALS: usize = 4_096;

/// What wakes the thread.
#[derive(Debug)]
pub(super) enum Signal {
    Event(notify::Result<notify::Event>),
    Stop,
}

pub(super) struct Watch<F: FnMut(&Follower, &std::io::Result<()>)> {
    pub(super) root: PathBuf,
    pub(super) follower: Follower,
    pub(super) feed: Feed,
    pub(super) signals: Receiver<Signal>,
    pub(super) watcher: Option<RecommendedWatcher>,
    pub(super) watched: BTreeMap<PathBuf, (u64, u64)>,
    /// Called after each step.
    pub(super) report: F,
}

impl<F: FnMut(&Follower, &std::io::Result<()>)> Watch<F> {
    /// Runs until it is stopped, or the feed is closed.
    pub(super) fn run(mut self) {
        let mut hints = Hints { all: true, ..Hints::default() };
        loop {
            // What is watched first cannot change unseen between the look and the watch.
            self.watch_folders();
            if self.step(&hints).is_err() {
                return;
            }
            if self.watch_folders() {
                hints = Hints { all: true, ..Hints::default() };
                continue;
            }
            let Some(next) = self.wait() else { return };
            hints = next;
        }
    }

    fn step(&mut self, hints: &Hints) -> Result<(), FeedClosed> {
        let (batches, result) = self.follower.step(hints, Instant::now());
        for batch in batches {
            self.feed.blocking_send(batch)?;
        }
        (self.report)(&self.follower, &result);
        Ok(())
    }

    /// Watches what should be watched now; true if something was added.
    fn watch_folders(&mut self) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        let mut added = false;
        let wanted = self.follower.to_watch();
        for (folder, _) in self.watched.iter().filter(|(folder, inode)| wanted.get(*folder) != Some(inode)) {
            // It may be gone, and its watch with it.
            let _ = watcher.unwatch(&self.root.join(folder));
        }
        self.watched.retain(|folder, inode| wanted.get(folder) == Some(inode));
        for (folder, inode) in wanted {
            if !self.watched.contains_key(folder)
                && watcher.watch(&self.root.join(folder), RecursiveMode::NonRecursive).is_ok()
            {
                self.watched.insert(folder.clone(), *inode);
                added = true;
            }
        }
        added
    }

    /// Waits for the next reason to step; `None`: stop.
    fn wait(&mut self) -> Option<Hints> {
        let rescan_at = Instant::now() + RESCAN;
        loop {
            let wake_at = self.follower.wake_at().map_or(rescan_at, |at| at.min(rescan_at));
            let timeout = wake_at.saturating_duration_since(Instant::now());
            let mut signal = match self.signals.recv_timeout(timeout) {
                Ok(signal) => Some(signal),
                Err(RecvTimeoutError::Timeout) => {
                    return Some(Hints { all: wake_at == rescan_at, ..Hints::default() });
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            };
            let mut hints = Hints::default();
            for _ in 0..MAX_SIGNALS {
                match signal {
                    Some(Signal::Stop) => return None,
                    Some(Signal::Event(event)) => {
                        hints.take(&self.root, |folder| self.watched.contains_key(folder), event);
                    }
                    None => break,
                }
                signal = self.signals.try_recv().ok();
            }
            if hints != Hints::default() {
                return Some(hints);
            }
        }
    }
}

/// Whether an event is worth waking for. Our own reading makes events too.
fn concerns_us(event: &notify::Result<notify::Event>) -> bool {
    !matches!(event, Ok(event) if matches!(event.kind, EventKind::Access(kind) if kind != CLOSED))
}

const CLOSED: AccessKind = AccessKind::Close(AccessMode::Write);

/// A watcher that sends what concerns us.
pub(super) fn watcher(signals: Sender<Signal>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if concerns_us(&event) {
            // If there is no receiver any more, the thread has ended, and the watcher will be dropped with it.
            let _ = signals.send(Signal::Event(event));
        }
    })
}
