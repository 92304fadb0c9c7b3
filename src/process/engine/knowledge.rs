//! Whether it is known what there is, and what may be done before it is. Readiness, metrics, the log and
//! `isthmus status` all speak from [`Knowledge`].
//!
//! ```text
//! waiting for the hub ─► waiting for members ─► incomplete: served, not ready ─► incomplete: served, ready ─► complete
//!   for as long as it takes    --sync-deadline              --member-deadline
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use clusters::conditions::failure_reason;
use federation::HubKind;
use federation::change::MemberKind;
use federation::model::{ClusterId, Time};
use federation::report::{LinkState, MemberReport};
use serde::{Deserialize, Serialize};

/// Members named in one text; more of them are counted.
const MAX_NAMED: usize = 8;

/// How far a process got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub enum Phase {
    /// The hub's lists are not complete: nothing is known, and nothing is served.
    #[default]
    WaitingForHub,
    /// The hub's lists are complete; members on record are waited for, and nothing is served yet.
    WaitingForMembers,
    /// The deadline for members passed: what is known is served, and what clients have of the others is left alone.
    Incomplete,
    /// Every member that has to be known was known at least once since the start.
    Complete,
}

/// How long members are waited for, counted from when the hub's lists are complete.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Before what is known is served.
    pub sync: Duration,
    /// Before the process counts as ready without them.
    pub member: Duration,
}

/// What is known, and what is missing.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    pub phase: Phase,
    pub hub_missing: Vec<HubKind>,
    /// When the next deadline passes: see [`Phase`].
    pub until: Option<Time>,
    /// No deadline is left to wait for.
    pub waited: bool,
}

/// The JSON of `/debug/knowledge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeView {
    pub phase: Phase,
    pub ready: bool,
    pub message: String,
    /// Lists of the hub that are not complete.
    pub hub_missing: Vec<String>,
    /// Members that have to be known and are not, and why not.
    pub unknown: BTreeMap<String, String>,
    /// Merged services.
    #[serde(default)]
    pub services: usize,
    /// What works, but perhaps not as it was meant.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Knowledge {
    /// Whether clients are answered.
    pub fn serves(&self) -> bool {
        matches!(self.phase, Phase::Incomplete | Phase::Complete)
    }

    pub fn is_ready(&self) -> bool {
        match self.phase {
            Phase::WaitingForHub | Phase::WaitingForMembers => false,
            Phase::Incomplete => self.waited,
            Phase::Complete => true,
        }
    }

    /// For people. `hub_troubles`: what went wrong last with each of the hub's lists.
    pub fn text(&self, members: &BTreeMap<ClusterId, Arc<MemberReport>>, hub_troubles: &[String]) -> String {
        let until =
            self.until.map(|until| clusters::conditions::text::timestamp(until).to_string()).unwrap_or_default();
        match self.phase {
            Phase::WaitingForHub => {
                let missing: Vec<&str> = self.hub_missing.iter().map(|kind| kind.as_str()).collect();
                let troubles =
                    if hub_troubles.is_empty() { String::new() } else { format!(": {}", hub_troubles.join("; ")) };
                format!("waiting for the hub, nothing is served: not listed yet: {}{troubles}", missing.join(", "))
            }
            Phase::WaitingForMembers => {
                format!("waiting for members, nothing is served before {until}: {}", unknown_text(members))
            }
            Phase::Incomplete if self.waited => format!(
                "ok, but these members are not known, and what proxies have of them is left alone: {}",
                unknown_text(members)
            ),
            Phase::Incomplete => format!(
                "serving, but not ready before {until}, because these members are not known: {}",
                unknown_text(members)
            ),
            Phase::Complete if unknown(members).next().is_some() => {
                format!("ok; not known yet: {}", unknown_text(members))
            }
            Phase::Complete => "ok".to_owned(),
        }
    }

    pub fn view(&self, members: &BTreeMap<ClusterId, Arc<MemberReport>>, hub_troubles: &[String]) -> KnowledgeView {
        KnowledgeView {
            phase: self.phase,
            ready: self.is_ready(),
            message: self.text(members, hub_troubles),
            hub_missing: self.hub_missing.iter().map(|kind| kind.as_str().to_owned()).collect(),
            unknown: unknown(members).map(|report| (report.id.to_string(), why_unknown(report))).collect(),
            services: 0,
            notes: Vec::new(),
        }
    }
}

fn unknown(members: &BTreeMap<ClusterId, Arc<MemberReport>>) -> impl Iterator<Item = &Arc<MemberReport>> {
    members.values().filter(|report| report.missing)
}

fn unknown_text(members: &BTreeMap<ClusterId, Arc<MemberReport>>) -> String {
    let all: Vec<&Arc<MemberReport>> = unknown(members).collect();
    let named = all.iter().take(MAX_NAMED).map(|report| format!("{}: {}", report.id, why_unknown(report)));
    let mut text = named.collect::<Vec<_>>().join("; ");
    let rest = all.len().saturating_sub(MAX_NAMED);
    if rest > 0 {
        text.push_str(&format!("; and {rest} more"));
    }
    text
}

/// Why nothing is known of a member since this process started: a condition's reason and its message.
pub fn why_unknown(report: &MemberReport) -> String {
    match &report.link {
        LinkState::Pending => "no connection was tried yet".to_owned(),
        LinkState::Down { reason, message, .. } => format!("{}: {message}", failure_reason(*reason)),
        LinkState::IdentityChanged { found, admitted, .. } => format!(
            "IdentityChanged: its credential leads to another cluster (kube-system UID {}) than the one that was \
             admitted (UID {})",
            found.0, admitted.0
        ),
        LinkState::Up { .. } => match report.unreadable.iter().find(|(kind, _)| MemberKind::is_deciding(*kind)) {
            Some((kind, message)) => format!("{}: {}: {message}", clusters::conditions::UNREADABLE, kind.plural()),
            None => "Listing: it answers, but its objects are not fully listed yet".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
