//! Makes the writes of the list, in the hub and in the members that are connected and that this hub holds. What a lost member
//! lacks waits until it is back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use federation::desired::{Action, Desired, Key};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::list::Job;
use super::requests::WriteError;
use super::shared::Shared;
use super::write::{Outcome, Status, Target, Write};
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
            let task = match job.write.clone() {
                Write::InMember(id, action) => {
                    let (member, uid) = (members.get(&id).cloned(), Arc::clone(&shared.hub));
                    writes.spawn(async move { in_member(member.as_ref(), &uid, &action).await })
                }
                Write::InHub(status) => {
                    let hub = hub.clone();
                    writes.spawn(async move { in_hub(&hub, &status).await })
                }
            };
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
async fn in_member(member: Option<&MemberClient>, hub: &str, action: &Action) -> Outcome {
    let Some(member) = member else { return Outcome::Retry(Arc::from("the member is not connected")) };
    let text = match tokio::time::timeout(WRITE_TIMEOUT, write_in_member(member, hub, action)).await {
        Ok(Ok(())) => return Outcome::Accepted,
        Ok(Err(error)) => format!("{}: {}", action.key(), error.explain()),
        Err(_) => format!("{}: not written within {} s", action.key(), WRITE_TIMEOUT.as_secs()),
    };
    Outcome::Retry(Arc::from(member.scrub(&text)))
}

async fn write_in_member(member: &MemberClient, hub: &str, action: &Action) -> Result<(), WriteError> {
    match action {
        Action::Apply(Desired::Namespace(desired)) => namespace::apply(member, desired, hub).await,
        Action::Apply(Desired::Service(desired)) => service::apply(member, desired, hub).await,
        Action::Delete { key: Key::Namespace(name), uid, resource_version } => {
            namespace::delete(member, name, uid, resource_version).await
        }
        Action::Delete { key: Key::Service(key), uid, resource_version } => {
            service::delete(member, key, uid, resource_version).await
        }
        Action::Release(Key::Service(key)) => service::let_go(member, key).await,
        // A Namespace holds nothing of ours that its owner could miss.
        Action::Release(Key::Namespace(_)) | Action::Leave(_) => Ok(()),
    }
}

async fn in_hub(hub: &kube::Client, status: &Status) -> Outcome {
    let written = match status {
        Status::Member(desired) => member_status::apply(hub, desired).await,
        Status::Accepted(desired) => accepted_status::apply(hub, desired).await,
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
        self.in_members += usize::from(matches!(job.write, Write::InMember(..)));
        self.by_task.insert(task, job);
    }

    fn end(&mut self, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            Err(error) => (error.id(), Outcome::Retry(Arc::from("the write ended unexpectedly"))),
        };
        let Some(job) = self.by_task.remove(&id) else { return };
        let in_hub = matches!(job.write, Write::InHub(_));
        self.in_members -= usize::from(!in_hub);
        log(&job, &outcome);
        self.shared.list().done(&job, outcome, Instant::now());
        if in_hub {
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
    match (&job.write, outcome) {
        (Write::InMember(member, action), Outcome::Retry(error)) => {
            tracing::warn!(%member, object = %action.key(), "a mirror could not be written: {error}");
        }
        (Write::InMember(member, action), Outcome::Accepted) => {
            let object = action.key();
            match action {
                Action::Apply(_) => tracing::info!(%member, %object, "mirror applied"),
                Action::Delete { .. } => tracing::info!(%member, %object, "mirror deleted"),
                Action::Release(_) => tracing::info!(%member, %object, "mirror released to its new owner"),
                Action::Leave(_) => {}
            }
        }
        (Write::InHub(Status::Member(status)), Outcome::Retry(error)) => {
            tracing::warn!(member = &*status.name, "status not written: {error}");
        }
        (Write::InHub(Status::Accepted(status)), Outcome::Retry(error)) => {
            tracing::warn!(kind = status.kind.as_str(), name = &*status.name, "status not written: {error}");
        }
        (Write::InHub(_), Outcome::Accepted) => {}
    }
}
