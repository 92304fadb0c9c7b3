//! Makes the writes of the list, in the hub and in the members that are connected and that this hub holds. What a lost member
//! lacks waits until it is back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use federation::desired;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::list::Job;
use super::requests::WriteError;
use super::shared::Shared;
use super::write::{Outcome, Target, Write};
use super::{accepted_status, member_status, namespace, service};
use crate::client::MemberClient;
use crate::conditions::progress::Hold;
use crate::tables::{Clients, TakeOvers};
use crate::writers::mirror::holders::Holders;

/// Writes under way in all members together.
const MAX_WRITES: usize = 64;
/// Deadline of one write into a member, with the reads that belong to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);

/// Writes until the future is dropped; writes under way end with it, and are given back.
pub(super) async fn run(shared: &Arc<Shared>, hub: &kube::Client, clients: &Clients, take_overs: &TakeOvers) {
    let (mut connected, mut holds) = (clients.subscribe(), shared.holds.subscribe());
    let mut planned = shared.planned.subscribe();
    let mut writes: JoinSet<Outcome> = JoinSet::new();
    let mut jobs = Jobs { by_task: HashMap::new(), in_members: 0, shared: Arc::clone(shared) };
    let (clients, take_overs) = (clients.clone(), take_overs.clone());
    let mut holders = Holders::new(Arc::clone(&shared.hub), shared.holds.clone(), clients, take_overs);
    loop {
        let members = connected.borrow_and_update().clone();
        holders.follow(&members, &planned.borrow_and_update());
        let held = holds.borrow_and_update().clone();
        let is_writable = |target: &Target| match target {
            Target::Hub => true,
            Target::Member(id) => members.contains_key(id) && held.get(id) == Some(&Hold::Ours),
        };
        loop {
            // The hub does not wait for slow members.
            let has_room = |target: &Target| *target == Target::Hub || jobs.in_members < MAX_WRITES;
            let may = |target: &Target| is_writable(target) && has_room(target);
            let Some(job) = shared.list().next(Instant::now(), may) else { break };
            let member = match &job.target {
                Target::Hub => None,
                Target::Member(id) => members.get(id).cloned(),
            };
            let (write, hub, uid) = (job.write.clone(), hub.clone(), Arc::clone(&shared.hub));
            let task = writes.spawn(async move {
                match &member {
                    Some(member) => in_member(member, &uid, &write).await,
                    None => in_hub(&hub, &write).await,
                }
            });
            jobs.start(task.id(), job);
        }
        shared.publish(&held);
        let due = shared.list().due(is_writable);
        tokio::select! {
            () = shared.wake.notified() => {}
            changed = connected.changed() => if changed.is_err() { return },
            changed = holds.changed() => if changed.is_err() { return },
            changed = planned.changed() => if changed.is_err() { return },
            Some(ended) = writes.join_next_with_id() => jobs.end(ended),
            () = holders.ended() => {}
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
    }
}

/// `hub`: the identity that mirrors carry.
async fn in_member(member: &MemberClient, hub: &str, write: &Write) -> Outcome {
    let text = match tokio::time::timeout(WRITE_TIMEOUT, write_in_member(member, hub, write)).await {
        Ok(Ok(())) => return Outcome::Accepted,
        Ok(Err(error)) => format!("{}: {}", write.key(), error.explain()),
        Err(_) => format!("{}: not written within {} s", write.key(), WRITE_TIMEOUT.as_secs()),
    };
    Outcome::Retry(Arc::from(member.scrub(&text)))
}

async fn write_in_member(member: &MemberClient, hub: &str, write: &Write) -> Result<(), WriteError> {
    match write {
        Write::Apply(desired::Desired::Namespace(desired)) => namespace::apply(member, desired, hub).await,
        Write::Apply(desired::Desired::Service(desired)) => service::apply(member, desired, hub).await,
        Write::Delete { key: desired::Key::Namespace(name), uid, resource_version } => {
            namespace::delete(member, name, uid, resource_version).await
        }
        Write::Delete { key: desired::Key::Service(key), uid, resource_version } => {
            service::delete(member, key, uid, resource_version).await
        }
        Write::Release(desired::Key::Service(key)) => service::let_go(member, key).await,
        // A Namespace holds nothing of ours that its owner could miss. Statuses are written to the hub.
        Write::Release(desired::Key::Namespace(_)) | Write::MemberStatus(_) | Write::AcceptedStatus(_) => Ok(()),
    }
}

async fn in_hub(hub: &kube::Client, write: &Write) -> Outcome {
    let written = match write {
        Write::MemberStatus(desired) => member_status::apply(hub, desired).await,
        Write::AcceptedStatus(desired) => accepted_status::apply(hub, desired).await,
        Write::Apply(_) | Write::Release(_) | Write::Delete { .. } => Ok(()), // objects are made in members
    };
    written.map_or_else(|error| Outcome::Retry(Arc::from(error)), |()| Outcome::Accepted)
}

/// Writes under way. When the run ends (leadership was lost) they are given back, for the next run to do.
struct Jobs {
    by_task: HashMap<Id, Job>,
    /// Those in members.
    in_members: usize,
    shared: Arc<Shared>,
}

impl Jobs {
    fn start(&mut self, task: Id, job: Job) {
        self.in_members += usize::from(job.target != Target::Hub);
        self.by_task.insert(task, job);
    }

    fn end(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Outcome::Retry(Arc::from("the write ended unexpectedly"))),
        };
        let Some(job) = self.by_task.remove(&id) else { return };
        self.in_members -= usize::from(job.target != Target::Hub);
        log(&job, &outcome);
        self.shared.list().done(&job, outcome, Instant::now());
        if job.target == Target::Hub {
            self.shared.hub_written.notify_one();
        }
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        let mut list = self.shared.list();
        for job in self.by_task.values() {
            list.done(job, Outcome::Retry(Arc::from("the writer was stopped")), Instant::now());
        }
    }
}

fn log(job: &Job, outcome: &Outcome) {
    let Outcome::Retry(error) = outcome else {
        if let Target::Member(member) = &job.target {
            let (member, object) = (member.as_str(), job.write.key());
            match &job.write {
                Write::Apply(_) => tracing::info!(member, %object, "mirror applied"),
                Write::Delete { .. } => tracing::info!(member, %object, "mirror deleted"),
                Write::Release(_) => tracing::info!(member, %object, "mirror released to its new owner"),
                Write::MemberStatus(_) | Write::AcceptedStatus(_) => {}
            }
        }
        return;
    };
    match (&job.target, &job.write) {
        (_, Write::MemberStatus(status)) => tracing::warn!(member = &*status.name, "status not written: {error}"),
        (_, Write::AcceptedStatus(status)) => {
            tracing::warn!(kind = status.kind.as_str(), name = &*status.name, "status not written: {error}");
        }
        (Target::Member(member), write) => {
            tracing::warn!(%member, object = %write.key(), "a mirror could not be written: {error}");
        }
        (Target::Hub, _) => {}
    }
}
