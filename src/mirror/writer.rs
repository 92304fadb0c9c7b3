//! Writes mirrors into the members that are connected. What a lost member is owed waits until it is back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use federation::model::ClusterId;
use federation::{MirrorAction, MirrorKey};
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::apply::apply;
use super::work::{Job, MirrorProgress, Outcome, Work};
use crate::clusters::Clients;

/// Writes under way in all members together.
const MAX_WRITES: usize = 64;

/// The handle that wishes are given to; clones share one list of work.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Held for moments only, never across IO. The list is bounded by the objects that exist.
    work: Mutex<Work>,
    wake: Notify,
    progress: watch::Sender<BTreeMap<ClusterId, MirrorProgress>>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    pub fn new() -> Self {
        let progress = watch::Sender::new(BTreeMap::new());
        Self { shared: Arc::new(Shared { work: Mutex::default(), wake: Notify::new(), progress }) }
    }

    /// Takes wishes; the newest for an object replaces older ones. Never waits, so any thread may call it.
    pub fn submit(&self, wishes: Vec<(ClusterId, MirrorKey, MirrorAction)>) {
        if !wishes.is_empty() {
            self.work().submit(wishes, Instant::now());
            self.shared.wake.notify_one();
        }
    }

    /// The cluster is no member any more.
    pub fn forget(&self, cluster: &ClusterId) {
        self.work().forget(cluster);
        self.shared.wake.notify_one();
    }

    /// How far each member is; wakes on change.
    pub fn progress(&self) -> watch::Receiver<BTreeMap<ClusterId, MirrorProgress>> {
        self.shared.progress.subscribe()
    }

    /// Writes until the future is dropped; writes under way end with it. To be run on the leader only.
    pub async fn run(&self, clients: &Clients) {
        let mut connected = clients.subscribe();
        let mut writes: JoinSet<Outcome> = JoinSet::new();
        let mut jobs = Jobs { by_task: HashMap::new(), writer: self.clone() };
        loop {
            let members = connected.borrow_and_update().clone();
            let is_connected = |cluster: &ClusterId| members.contains_key(cluster);
            while writes.len() < MAX_WRITES {
                let Some(job) = self.work().next(Instant::now(), is_connected) else { break };
                let Some(member) = members.get(&job.cluster).cloned() else { break };
                let (key, action) = (job.key.clone(), job.action.clone());
                let task = writes.spawn(async move { apply(&member, &key, &action).await });
                jobs.by_task.insert(task.id(), job);
            }
            self.publish();
            let due = self.work().due(is_connected);
            tokio::select! {
                () = self.shared.wake.notified() => {}
                changed = connected.changed() => if changed.is_err() { return },
                Some(ended) = writes.join_next_with_id() => {
                    let (id, outcome) = match ended {
                        Ok((id, outcome)) => (id, outcome),
                        Err(error) => (error.id(), Outcome::Retry(Arc::from("the write ended unexpectedly"))),
                    };
                    if let Some(job) = jobs.by_task.remove(&id) {
                        if let Outcome::Retry(error) = &outcome {
                            tracing::debug!(cluster = %job.cluster, "mirror write failed: {error}");
                        }
                        self.work().done(&job, outcome, Instant::now());
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    fn publish(&self) {
        let progress = self.work().progress();
        self.shared.progress.send_if_modified(|known| {
            let changed = *known != progress;
            if changed {
                *known = progress;
            }
            changed
        });
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.shared.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes under way. When the run ends (leadership was lost) they are given back, for the next run to do.
struct Jobs {
    by_task: HashMap<Id, Job>,
    writer: Writer,
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let mut work = self.writer.work();
        for job in self.by_task.values() {
            work.done(job, Outcome::Retry(Arc::from("the writer was stopped")), Instant::now());
        }
    }
}
