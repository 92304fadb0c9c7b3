//! The status of each `MemberCluster`: what it is, and what it should be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation::model::{ClusterId, Time};
use federation::report::{LinkState, MemberReport};
use tokio::time::Instant;

use super::events::Events;
use super::row::{Row, Rows};
use super::sources::Sources;
use super::submit::{report_transition, submission};
use crate::api::MemberClusterStatus;
use crate::conditions::known::{Known, MEMBER_KIND as KIND};
use crate::conditions::progress::MirrorProgress;
use crate::conditions::{Facts, member_status};
use crate::problem::Problems;
use crate::tables::observed::{Identity, ObservedKind};
use crate::writers::queue::{Key, MemberStatus, Status, StatusKey, Submission};

/// Counts and texts are written at most so often for one member; transitions are written at once.
const COALESCE: Duration = Duration::from_secs(1);
/// While a connection is just being made, or its first lists run, what a status says is kept for so long: that
/// we were restarted is no news about a member.
const SETTLE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Members {
    rows: Rows<MemberClusterStatus>,
    /// When the first pass was made.
    started: Option<Time>,
}

/// What all members' statuses are made from, besides the sources.
pub(super) struct Inputs<'a> {
    pub(super) reports: &'a BTreeMap<ClusterId, Arc<MemberReport>>,
    pub(super) mirrors: &'a BTreeMap<ClusterId, MirrorProgress>,
    pub(super) problems: &'a Problems,
    pub(super) now: Time,
    /// The writer started a moment ago.
    pub(super) settling: bool,
}

impl Members {
    /// Follows what the hub shows. Returns what is not wanted any more.
    pub(super) fn follow(&mut self, shown: &ObservedKind<MemberClusterStatus>, events: &Events) -> Vec<Submission> {
        let over = self.rows.follow(shown, |identity, transition| events.transition(KIND, identity, &transition));
        over.into_iter().map(|name| Submission::TakeBack(Key::InHub(StatusKey::Member(name)))).collect()
    }

    pub(super) fn identity(&self, name: &str) -> Option<&Identity> {
        self.rows.rows.get(name).map(Row::identity)
    }

    /// What should be written, and what need not be written any more.
    pub(super) fn submissions(&mut self, sources: &Sources, inputs: &Inputs<'_>, events: &Events) -> Vec<Submission> {
        let at = Instant::now();
        let started = *self.started.get_or_insert(inputs.now);
        let mut submissions = Vec::new();
        for (name, row) in &mut self.rows.rows {
            let key = Key::InHub(StatusKey::Member(Arc::clone(name)));
            report_transition(KIND, row, &key, &sources.queue, events);
            if settles(row, inputs, started) {
                continue;
            }
            let Some(wanted) = wanted(row, sources, inputs) else { continue };
            let (step, uid) = (row.step(wanted, COALESCE, at), Arc::clone(&row.identity().uid));
            let desired = |status| Status::Member(Arc::new(MemberStatus { name: Arc::clone(name), uid, status }));
            submissions.extend(submission(step, key, desired));
        }
        submissions
    }
}

/// Whether what its status says may still turn out to be true.
fn settles(row: &Row<MemberClusterStatus>, inputs: &Inputs<'_>, started: Time) -> bool {
    let report = ClusterId::new(&row.identity().name).ok().and_then(|id| inputs.reports.get(&id));
    let young = |since: Time| inputs.now.since(since) < SETTLE;
    let settling = report.is_some_and(|report| match &report.link {
        LinkState::Pending => young(started),
        LinkState::Up { since } => !report.listed && young(*since),
        LinkState::Down { .. } | LinkState::IdentityChanged { .. } => false,
    });
    settling && !row.status().conditions.is_empty()
}

/// `None`: nothing is known of it yet, so nothing is written.
fn wanted(row: &Row<MemberClusterStatus>, sources: &Sources, inputs: &Inputs<'_>) -> Option<MemberClusterStatus> {
    let (identity, status) = (row.identity(), row.status());
    let id = ClusterId::new(&identity.name).ok();
    let note = id.as_ref().and_then(|id| sources.notes.get(id));
    let known = Known {
        problems: inputs.problems,
        note: note.as_ref(),
        mirrors: id.as_ref().and_then(|id| inputs.mirrors.get(id)),
        // A controller that has just started has not called it yet; the last one had.
        seen: id.as_ref().and_then(|id| sources.seen.get(id)).or_else(|| member_status::seen_before(status)),
        was_synced: member_status::was_synced(status),
        now: inputs.now,
    };
    let Some(report) = id.as_ref().and_then(|id| inputs.reports.get(id)) else {
        let spec_problems = known.spec_problems(&identity.name);
        let unusable = || member_status::unusable(&spec_problems, identity.generation, status, inputs.now);
        return (!spec_problems.is_empty()).then(unusable);
    };
    // A controller that has just started knows less than the last one wrote: its restart changes nothing about a member.
    let has_status = !status.conditions.is_empty();
    if inputs.settling && has_status && is_unsettled(report) {
        return None;
    }
    let facts = Facts::new(report, known);
    // What is wrong with it was found in its newest form.
    let generation = if facts.spec_problems.is_empty() { report.generation } else { identity.generation };
    Some(member_status::status(&facts, &facts.lines(), generation, status))
}

/// Not yet connected, or not yet listed, and nothing is known to be wrong.
fn is_unsettled(report: &MemberReport) -> bool {
    match report.link {
        LinkState::Pending => true,
        LinkState::Up { .. } => !report.listed,
        LinkState::Down { .. } | LinkState::IdentityChanged { .. } => false,
    }
}
