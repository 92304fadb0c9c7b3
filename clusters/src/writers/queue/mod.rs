//! The queue of all writes: what the engine plans for members, and statuses in the hub.
//!
//! A level-triggered list: what is wanted of an object stays in it until a watch shows it, what fails is tried again,
//! each object after a pause of its own, and no cluster delays another one. How a kind is written is in that kind's file; an
//! object that is not ours is never touched, and nothing is written into a member that another hub holds.

mod accepted_status;
mod hub_status;
mod list;
mod member_status;
mod namespace;
mod requests;
mod run;
mod service;
mod shared;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use federation::desired::Action;
use federation::model::ClusterId;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::conditions::progress::MirrorProgress;
use crate::tables::{Clients, TakeOvers};
use shared::Shared;

pub(crate) use accepted_status::{AcceptedKind, AcceptedStatus};
pub(crate) use member_status::MemberStatus;
use write::Target;
pub(crate) use write::{Key, Status, StatusKey, Submission, Write};

/// The handle that writes are given to; clones share one list.
#[derive(Clone, Debug)]
pub struct Queue {
    shared: Arc<Shared>,
}

impl Queue {
    /// `hub`: UID of the hub's `kube-system` namespace. Mirrors carry it, and Leases in members.
    pub fn new(hub: Arc<str>) -> Self {
        Self { shared: Arc::new(Shared::new(hub)) }
    }

    /// Takes actions for members; the newest for an object replaces older ones. Never waits, so any thread may call it.
    pub fn submit(&self, actions: Vec<(ClusterId, Action)>) {
        self.put(actions.into_iter().map(Submission::from));
    }

    /// Takes what is wanted of statuses, in the same way.
    pub(crate) fn submit_statuses(&self, submissions: Vec<Submission>) {
        self.put(submissions.into_iter());
    }

    fn put(&self, submissions: impl ExactSizeIterator<Item = Submission>) {
        if submissions.len() > 0 {
            self.shared.list().submit(submissions, Instant::now());
            self.shared.wake.notify_one();
        }
    }

    /// Whether the newest write of an object was accepted.
    pub(crate) fn is_accepted(&self, key: &Key) -> bool {
        self.shared.list().is_accepted(key)
    }

    /// Until a write to the hub has ended. For one caller at a time.
    pub(crate) async fn hub_written(&self) {
        self.shared.hub_written.notified().await;
    }

    /// Whether the member is admitted and fully listed: only then mirrors are planned for it, and the hub claims it.
    pub fn plan_for(&self, cluster: &ClusterId, planned: bool) {
        let planned_for = &self.shared.planned;
        planned_for.send_if_modified(|all| if planned { all.insert(cluster.clone()) } else { all.remove(cluster) });
    }

    /// The cluster is no member any more: nothing is left to do in it.
    pub fn forget(&self, cluster: &ClusterId) {
        self.plan_for(cluster, false);
        self.shared.list().forget(&Target::Member(cluster.clone()));
        self.shared.wake.notify_one();
    }

    /// How far each member is; wakes on change.
    pub fn progress(&self) -> watch::Receiver<BTreeMap<ClusterId, MirrorProgress>> {
        self.shared.progress.subscribe()
    }

    /// Writes until the future is dropped; writes under way end with it. To be run on the leader only. `hub`: for statuses.
    pub async fn run(&self, hub: &kube::Client, clients: &Clients, take_overs: &TakeOvers) {
        run::run(&self.shared, hub, clients, take_overs).await;
    }
}
