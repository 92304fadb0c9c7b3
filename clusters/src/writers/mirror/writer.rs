//! Writes mirrors into the members that are connected and that this hub holds. What a lost member lacks waits until it
//! is back.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use federation::desired::Action;
use federation::model::ClusterId;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::apply::apply;
use super::hold::Holder;
use super::work::{Job, Outcome, Work};
use crate::client::MemberClient;
use crate::conditions::progress::{Hold, MirrorProgress};
use crate::tables::{Clients, TakeOvers};

/// Writes under way in all members together.
const MAX_WRITES: usize = 64;

/// The handle that actions are given to; clones share one list of work.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Who we are: UID of the hub's `kube-system` namespace.
    hub: Arc<str>,
    /// Held for moments only, never across IO. The list is bounded by the objects that exist.
    work: Mutex<Work>,
    wake: Notify,
    progress: watch::Sender<BTreeMap<ClusterId, MirrorProgress>>,
    /// Members that the engine plans mirrors for; no other cluster is claimed.
    planned: watch::Sender<BTreeSet<ClusterId>>,
    /// Of planned members that are connected.
    holds: watch::Sender<BTreeMap<ClusterId, Hold>>,
}

impl Writer {
    /// `hub`: UID of the hub's `kube-system` namespace. Mirrors carry it, and Leases in members.
    pub fn new(hub: Arc<str>) -> Self {
        let shared = Shared {
            hub,
            work: Mutex::default(),
            wake: Notify::new(),
            progress: watch::Sender::new(BTreeMap::new()),
            planned: watch::Sender::new(BTreeSet::new()),
            holds: watch::Sender::new(BTreeMap::new()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes actions; the newest for an object replaces older ones. Never waits, so any thread may call it.
    pub fn submit(&self, actions: Vec<(ClusterId, Action)>) {
        if !actions.is_empty() {
            self.work().submit(actions, Instant::now());
            self.shared.wake.notify_one();
        }
    }

    /// Whether the member is admitted and fully listed: only then mirrors are planned for it, and the hub claims it.
    pub fn plan_for(&self, cluster: &ClusterId, planned: bool) {
        self.shared
            .planned
            .send_if_modified(|all| if planned { all.insert(cluster.clone()) } else { all.remove(cluster) });
    }

    /// The cluster is no member any more.
    pub fn forget(&self, cluster: &ClusterId) {
        self.plan_for(cluster, false);
        self.work().forget(cluster);
        self.shared.wake.notify_one();
    }

    /// How far each member is; wakes on change.
    pub fn progress(&self) -> watch::Receiver<BTreeMap<ClusterId, MirrorProgress>> {
        self.shared.progress.subscribe()
    }

    /// Writes until the future is dropped; writes under way end with it. To be run on the leader only.
    pub async fn run(&self, clients: &Clients, take_overs: &TakeOvers) {
        let (mut connected, mut holds) = (clients.subscribe(), self.shared.holds.subscribe());
        let mut planned = self.shared.planned.subscribe();
        let mut writes: JoinSet<Outcome> = JoinSet::new();
        let mut jobs = Jobs { by_task: HashMap::new(), writer: self.clone() };
        let mut holders = Holders::new(self.clone(), clients.clone(), take_overs.clone());
        loop {
            let members = connected.borrow_and_update().clone();
            holders.follow(&members, &planned.borrow_and_update());
            let held = holds.borrow_and_update().clone();
            let is_writable =
                |cluster: &ClusterId| members.contains_key(cluster) && held.get(cluster) == Some(&Hold::Ours);
            while writes.len() < MAX_WRITES {
                let Some(job) = self.work().next(Instant::now(), is_writable) else { break };
                let Some(member) = members.get(&job.cluster).cloned() else { break };
                let (action, hub) = (job.action.clone(), Arc::clone(&self.shared.hub));
                let task = writes.spawn(async move { apply(&member, &hub, &action).await });
                jobs.by_task.insert(task.id(), job);
            }
            self.publish(&held);
            let due = self.work().due(is_writable);
            tokio::select! {
                () = self.shared.wake.notified() => {}
                changed = connected.changed() => if changed.is_err() { return },
                changed = holds.changed() => if changed.is_err() { return },
                changed = planned.changed() => if changed.is_err() { return },
                Some(ended) = writes.join_next_with_id() => jobs.end(ended),
                _ = holders.tasks.join_next(), if !holders.tasks.is_empty() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    fn publish(&self, held: &BTreeMap<ClusterId, Hold>) {
        let mut progress = self.work().progress();
        for (cluster, hold) in held {
            progress.entry(cluster.clone()).or_default().hold.clone_from(hold);
        }
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

impl Jobs {
    fn end(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Outcome::Retry(Arc::from("the write ended unexpectedly"))),
        };
        let Some(job) = self.by_task.remove(&id) else { return };
        let (member, object) = (&job.cluster, job.action.key());
        match (&outcome, &job.action) {
            (Outcome::Retry(error), _) => tracing::warn!(%member, %object, "a mirror could not be written: {error}"),
            (_, Action::Apply(_)) => tracing::info!(%member, %object, "mirror applied"),
            (_, Action::Delete { .. }) => tracing::info!(%member, %object, "mirror deleted"),
            (_, Action::Release(_)) => tracing::info!(%member, %object, "mirror released to its new owner"),
            (_, Action::Leave(_)) => {}
        }
        self.writer.work().done(&job, outcome, Instant::now());
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let mut work = self.writer.work();
        for job in self.by_task.values() {
            work.done(job, Outcome::Retry(Arc::from("the writer was stopped")), Instant::now());
        }
    }
}

/// One task for each connected member that mirrors are planned for. It finds out who holds the member. What is known of a member is forgotten with its
/// connection: while it was lost, another hub may have taken it over.
struct Holders {
    writer: Writer,
    clients: Clients,
    take_overs: TakeOvers,
    tasks: JoinSet<()>,
    running: BTreeMap<ClusterId, AbortHandle>,
}

impl Holders {
    fn new(writer: Writer, clients: Clients, take_overs: TakeOvers) -> Self {
        Self { writer, clients, take_overs, tasks: JoinSet::new(), running: BTreeMap::new() }
    }

    fn follow(&mut self, connected: &BTreeMap<ClusterId, MemberClient>, planned: &BTreeSet<ClusterId>) {
        let holds = &self.writer.shared.holds;
        self.running.retain(|id, task| {
            let stays = connected.contains_key(id) && planned.contains(id) && !task.is_finished();
            if !stays {
                task.abort();
                holds.send_if_modified(|holds| holds.remove(id).is_some());
            }
            stays
        });
        for id in planned.iter().filter(|id| connected.contains_key(*id)) {
            if !self.running.contains_key(id) {
                let holder = Holder {
                    id: id.clone(),
                    hub: Arc::clone(&self.writer.shared.hub),
                    clients: self.clients.clone(),
                    take_overs: self.take_overs.subscribe(),
                    holds: holds.clone(),
                };
                self.running.insert(id.clone(), self.tasks.spawn(holder.run()));
            }
        }
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.writer.shared.holds.send_modify(BTreeMap::clear);
    }
}
