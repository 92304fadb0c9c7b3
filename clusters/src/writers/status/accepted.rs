//! `Accepted` of each `FederationPolicy` and each `Region`.

use std::sync::Arc;
use std::time::Duration;

use federation::model::Time;
use federation::references::HubNotice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use tokio::time::Instant;

use super::events::Events;
use super::row::Rows;
use super::submit::{report_transition, submission};
use crate::conditions;
use crate::conditions::hub_problems::HubProblems;
use crate::conditions::text;
use crate::tables::observed::ObservedKind;
use crate::writers::queue::{AcceptedKind, AcceptedStatus, Key, Queue, Status, StatusKey, Submission};

/// All objects of one kind, by name.
#[derive(Debug)]
pub(super) struct HubObjects {
    kind: AcceptedKind,
    rows: Rows<Vec<Condition>>,
}

/// What the conditions are made from, besides the objects.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a> {
    pub(super) problems: &'a HubProblems<'a>,
    pub(super) notices: &'a [HubNotice],
    pub(super) now: Time,
}

impl HubObjects {
    pub(super) fn new(kind: AcceptedKind) -> Self {
        Self { kind, rows: Rows::default() }
    }

    /// Follows what the hub shows. Returns what is not wanted any more.
    pub(super) fn follow(&mut self, shown: &ObservedKind<Vec<Condition>>, events: &Events) -> Vec<Submission> {
        let kind = self.kind;
        let over =
            self.rows.follow(shown, |identity, transition| events.transition(kind.as_str(), identity, &transition));
        over.into_iter().map(|name| Submission::TakeBack(Key::InHub(StatusKey::Accepted(kind, name)))).collect()
    }

    /// What should be written, and what need not be written any more.
    pub(super) fn submissions(&mut self, queue: &Queue, inputs: Inputs<'_>, events: &Events) -> Vec<Submission> {
        let (kind, at) = (self.kind, Instant::now());
        let mut submissions = Vec::new();
        for (name, row) in &mut self.rows.rows {
            let key = Key::InHub(StatusKey::Accepted(kind, Arc::clone(name)));
            report_transition(kind.as_str(), row, &key, queue, events);
            let problems = inputs.problems.of(kind.as_str(), name);
            let notices: Vec<_> = of(inputs.notices, kind.as_str(), name).map(text::hub_notice).collect();
            let wanted = conditions::accepted(kind.as_str(), &problems, row.idle(), &notices);
            let generation = Some(row.identity().generation);
            let conditions = conditions::with_history(row.status(), &[wanted], generation, inputs.now);
            let (step, uid) = (row.step(conditions, Duration::ZERO, at), Arc::clone(&row.identity().uid));
            let desired = |conditions| {
                Status::Accepted(Arc::new(AcceptedStatus { kind, name: Arc::clone(name), uid, conditions }))
            };
            submissions.extend(submission(step, key, desired));
        }
        submissions
    }
}

/// Those about one object.
fn of<'a>(notices: &'a [HubNotice], kind: &'a str, name: &'a str) -> impl Iterator<Item = &'a HubNotice> {
    notices.iter().filter(move |notice| text::hub_subject(notice) == (kind, name))
}
