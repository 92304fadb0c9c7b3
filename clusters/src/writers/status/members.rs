//! The status of each `MemberCluster`: what it is, what it should be, and when the difference is worth a write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use federation::change::{Change, Delta};
use federation::model::{ClusterId, Time};
use federation::report::{LinkState, MemberReport};
use futures::{StreamExt as _, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::Instant;

use super::deadline::deadline;
use super::events::Events;
use super::observed::{Identity, ObservedMember, apply};
use super::sources::Sources;
use crate::api::{API_VERSION, FIELD_MANAGER, MemberCluster, MemberClusterStatus};
use crate::conditions::known::{Known, MEMBER_KIND as KIND};
use crate::conditions::member_status;
use crate::conditions::progress::MirrorProgress;
use crate::problem::Problems;

/// Counts and texts are written at most so often for one member; transitions are written at once.
const COALESCE: Duration = Duration::from_secs(1);
/// Our own write comes back as an event; until then what is observed is older than what was written.
const ECHO: Duration = Duration::from_secs(3);
/// While a connection is just being made, or its first lists run, what a status says is kept for so long: that
/// we were restarted is no news about a member.
const SETTLE: Duration = Duration::from_secs(10);
/// Writes under way.
const CONCURRENT_WRITES: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Members {
    rows: BTreeMap<Arc<str>, Row>,
    /// When the first pass was made.
    started: Option<Time>,
}

#[derive(Debug)]
struct Row {
    identity: Identity,
    /// As it was written or observed last.
    status: MemberClusterStatus,
    written: Option<Instant>,
}

/// A write that should be made.
struct Write {
    identity: Identity,
    status: MemberClusterStatus,
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
    pub(super) fn observe(&mut self, delta: Delta<ObservedMember>) {
        let keys = self.rows.keys().cloned().collect();
        apply(delta, keys, |change| match change {
            Change::Put(ObservedMember { identity, status }) => {
                let fresh = self.rows.get(&identity.name).is_some_and(|row| {
                    row.identity == identity && row.written.is_some_and(|written| written.elapsed() < ECHO)
                });
                if !fresh {
                    self.rows.insert(identity.name.clone(), Row { identity, status, written: None });
                }
            }
            Change::Delete(name) => {
                self.rows.remove(&name);
            }
        });
    }

    pub(super) fn identity(&self, name: &str) -> Option<&Identity> {
        self.rows.get(name).map(|row| &row.identity)
    }

    /// Writes what differs; false if something could not be written.
    pub(super) async fn write(&mut self, sources: &Sources, inputs: &Inputs<'_>, events: &Events) -> bool {
        let at = Instant::now();
        let started = *self.started.get_or_insert(inputs.now);
        let settled = self.rows.values().filter(|row| !row.settles(inputs, started));
        let writes: Vec<_> = settled.filter_map(|row| row.due(sources, inputs, at)).collect();
        let api: Api<MemberCluster> = Api::all(sources.client.clone());
        let results: Vec<_> = stream::iter(writes.into_iter().map(|write| async {
            let result = deadline(write_one(&api, &write)).await;
            (write, result)
        }))
        .buffer_unordered(CONCURRENT_WRITES)
        .collect()
        .await;
        let mut good = true;
        for (write, result) in results {
            match result {
                Ok(()) => {
                    if let Some(row) = self.rows.get_mut(&write.identity.name) {
                        events.changed(KIND, &row.identity, &row.status.conditions, &write.status.conditions);
                        row.status = write.status;
                        row.written = Some(Instant::now());
                    }
                }
                Err(error) => {
                    tracing::warn!(member = &*write.identity.name, "status not written: {error}");
                    good = false;
                }
            }
        }
        good
    }
}

impl Row {
    fn due(&self, sources: &Sources, inputs: &Inputs<'_>, at: Instant) -> Option<Write> {
        let status = self.wanted(sources, inputs)?;
        let quiet = self.written.is_none_or(|written| at.duration_since(written) >= COALESCE);
        let changed = turns(&status.conditions) != turns(&self.status.conditions);
        let due = status != self.status && (changed || quiet);
        due.then(|| Write { identity: self.identity.clone(), status })
    }

    /// Whether what it says may still turn out to be true.
    fn settles(&self, inputs: &Inputs<'_>, started: Time) -> bool {
        let report = ClusterId::new(&self.identity.name).ok().and_then(|id| inputs.reports.get(&id));
        let young = |since: Time| inputs.now.since(since) < SETTLE;
        let settling = report.is_some_and(|report| match &report.link {
            LinkState::Pending => young(started),
            LinkState::Up { since } => !report.listed && young(*since),
            LinkState::Down { .. } | LinkState::IdentityChanged { .. } => false,
        });
        settling && !self.status.conditions.is_empty()
    }

    /// `None`: nothing is known of it yet, so nothing is written.
    fn wanted(&self, sources: &Sources, inputs: &Inputs<'_>) -> Option<MemberClusterStatus> {
        let id = ClusterId::new(&self.identity.name).ok();
        let note = id.as_ref().and_then(|id| sources.notes.get(id));
        let known = Known {
            problems: inputs.problems,
            note: note.as_ref(),
            mirrors: id.as_ref().and_then(|id| inputs.mirrors.get(id)),
            // A controller that has just started has not called it yet; the last one had.
            seen: id.as_ref().and_then(|id| sources.seen.get(id)).or_else(|| member_status::seen_before(&self.status)),
            was_synced: member_status::was_synced(&self.status),
            now: inputs.now,
        };
        let spec_problems = known.spec_problems(&self.identity.name);
        let Some(report) = id.as_ref().and_then(|id| inputs.reports.get(id)) else {
            let unusable =
                || member_status::unusable(&spec_problems, self.identity.generation, &self.status, inputs.now);
            return (!spec_problems.is_empty()).then(unusable);
        };
        // A controller that has just started knows less than the last one wrote: its restart changes nothing about a member.
        let has_status = !self.status.conditions.is_empty();
        if inputs.settling && has_status && is_unsettled(report) {
            return None;
        }
        let facts = known.facts(report, &spec_problems);
        // What is wrong with it was found in its newest form.
        let generation = if spec_problems.is_empty() { report.generation } else { self.identity.generation };
        Some(member_status::status(&facts, &known.lines(&facts), generation, &self.status))
    }
}

/// Not yet connected, or not yet listed, and nothing is known to be wrong.
fn is_unsettled(report: &MemberReport) -> bool {
    match report.link {
        LinkState::Pending => true,
        LinkState::Up { .. } => !report.listed,
        LinkState::Down { .. } | LinkState::IdentityChanged { .. } => false,
    }
}

fn turns(conditions: &[Condition]) -> Vec<(&str, &str, &str)> {
    conditions.iter().map(|c| (c.type_.as_str(), c.status.as_str(), c.reason.as_str())).collect()
}

/// A server-side apply that names the UID: an object that was deleted meanwhile must not come back as an empty shell.
async fn write_one(api: &Api<MemberCluster>, write: &Write) -> kube::Result<MemberCluster> {
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": &*write.identity.name, "uid": &*write.identity.uid},
        "status": write.status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_status(&write.identity.name, &params, &Patch::Apply(&body)).await
}
