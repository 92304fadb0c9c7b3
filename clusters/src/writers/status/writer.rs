//! Keeps statuses in the hub. Level-triggered: whatever wakes it, it compares what each object says with what it should
//! say, and gives the difference to the queue of writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use federation::model::ClusterId;
use federation::references::HubNotice;
use federation::report::MemberReport;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::accepted::{self, HubObjects};
use super::events::Events;
use super::members::{Inputs, Members};
use super::sources::Sources;
use crate::clock::now;
use crate::conditions::hub_problems::HubProblems;
use crate::problem::{ObjectName, ProblemOrigin, Problems};
use crate::tables::observed::{HubObserved, Identity};
use crate::writers::queue::{AcceptedKind, Submission};

/// How often ages and `lastSeen` are looked at.
const TICK: Duration = Duration::from_secs(1);
/// News is collected for so long before it is looked at.
const GATHER: Duration = Duration::from_millis(100);
/// After a start, what is merely not known yet is not written over what was known before; after this it is.
const SETTLE: Duration = Duration::from_secs(30);
/// Events about rejected objects in one pass.
const MAX_PROBLEM_EVENTS: usize = 16;

/// The handle that reports are given to; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Held for moments only, never across IO.
    reports: Mutex<BTreeMap<ClusterId, Arc<MemberReport>>>,
    hub_notices: Mutex<Arc<Vec<HubNotice>>>,
    wake: Notify,
}

impl Writer {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes reports that changed; `None`: no longer a member. Never waits, so any thread may call it.
    pub fn submit(&self, reports: Vec<(ClusterId, Option<Arc<MemberReport>>)>) {
        let mut table = self.shared.reports.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, report) in reports {
            match report {
                Some(report) => table.insert(id, report),
                None => table.remove(&id),
            };
        }
        drop(table);
        self.shared.wake.notify_one();
    }

    /// Takes what the hub's objects name that does not exist, if that changed.
    pub fn submit_hub(&self, notices: Option<&Arc<Vec<HubNotice>>>) {
        let Some(notices) = notices else { return };
        *self.shared.hub_notices.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(notices);
        self.shared.wake.notify_one();
    }

    /// Compares until the future is dropped. To be run on the leader only, as the queue is.
    pub async fn run(&self, sources: Sources) {
        let (events, write_events) = Events::new(sources.client.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(write_events);
        let mut shown = sources.hub.subscribe();
        shown.mark_changed();
        let started = Instant::now();
        let mut kinds = Kinds::default();
        let mut sent = Sent::default();
        let (mut notes, mut problems) = (sources.notes.subscribe(), sources.problems.subscribe());
        let mut mirrors = sources.queue.progress();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Ok(()) = shown.changed() => {}
                () = self.shared.wake.notified() => {}
                () = sources.queue.hub_written() => {}
                Ok(()) = notes.changed() => {}
                Ok(()) = problems.changed() => {}
                Ok(()) = mirrors.changed() => {}
                _ = tick.tick() => {}
            }
            tokio::time::sleep(GATHER).await;
            let objects = shown.borrow_and_update().clone();
            sources.queue.submit_statuses(kinds.follow(&objects, &events));
            let snapshot = problems.borrow_and_update().clone();
            let reports = self.shared.reports.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let progress = mirrors.borrow_and_update().clone();
            let settling = started.elapsed() < SETTLE;
            let inputs = Inputs { reports: &reports, mirrors: &progress, problems: &snapshot, now: now(), settling };
            let notices = self.shared.hub_notices.lock().unwrap_or_else(PoisonError::into_inner).clone();
            sources.queue.submit_statuses(kinds.submissions(&sources, &inputs, &notices, &events));
            sent.send(&snapshot, &kinds.members, &events);
        }
    }
}

/// The objects of the hub that have a status.
#[derive(Debug)]
struct Kinds {
    members: Members,
    policies: HubObjects,
    regions: HubObjects,
}

impl Default for Kinds {
    fn default() -> Self {
        let (policies, regions) = (HubObjects::new(AcceptedKind::Policy), HubObjects::new(AcceptedKind::Region));
        Self { members: Members::default(), policies, regions }
    }
}

impl Kinds {
    fn follow(&mut self, shown: &HubObserved, events: &Events) -> Vec<Submission> {
        let mut over = self.members.follow(&shown.members, events);
        over.extend(self.policies.follow(&shown.policies, events));
        over.extend(self.regions.follow(&shown.regions, events));
        over
    }

    fn submissions(
        &mut self,
        sources: &Sources,
        inputs: &Inputs<'_>,
        notices: &[HubNotice],
        events: &Events,
    ) -> Vec<Submission> {
        let mut submissions = self.members.submissions(sources, inputs, events);
        let inputs = accepted::Inputs { problems: &HubProblems(inputs.problems), notices, now: inputs.now };
        submissions.extend(self.policies.submissions(&sources.queue, inputs, events));
        submissions.extend(self.regions.submissions(&sources.queue, inputs, events));
        submissions
    }
}

/// Rejected objects that an Event was sent for.
#[derive(Debug, Default)]
struct Sent {
    objects: BTreeSet<(ProblemOrigin, ObjectName)>,
}

impl Sent {
    fn send(&mut self, problems: &Problems, members: &Members, events: &Events) {
        let mut current = BTreeSet::new();
        let mut budget = MAX_PROBLEM_EVENTS;
        for (origin, page) in problems {
            for (object, list) in page.listed() {
                let (Some((kind, about)), Some(problem)) = (about(origin, object, members), list.first()) else {
                    continue;
                };
                let key = (origin.clone(), object.clone());
                if !self.objects.contains(&key) {
                    if budget == 0 {
                        continue; // its turn comes with the next pass
                    }
                    budget -= 1;
                    events.send(kind, &about, false, "ObjectRejected", &problem.to_string());
                }
                current.insert(key);
            }
        }
        self.objects = current;
    }
}

/// The object of the hub that an Event about a rejected object is hung on. Members and policies have conditions for what
/// is wrong with themselves.
fn about(origin: &ProblemOrigin, object: &ObjectName, members: &Members) -> Option<(&'static str, Identity)> {
    match origin {
        ProblemOrigin::Member(id) => Some(("MemberCluster", members.identity(id)?.clone())),
        ProblemOrigin::Hub if object.kind == "Region" => {
            Some(("Region", Identity { name: Arc::from(object.name.as_str()), uid: Arc::from(""), generation: 0 }))
        }
        ProblemOrigin::Hub => None,
    }
}
