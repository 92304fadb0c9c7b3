//! What a process knows and what is missing, as text and JSON. Readiness, metrics, the log and `isthmus status` are all made
//! from the engine's [`Knowledge`], which has the phases; `--sync-deadline` and `--member-deadline` are its deadlines.

use std::collections::BTreeMap;
use std::sync::Arc;

use clusters::conditions::failure_reason;
use federation::change::MemberKind;
use federation::model::ClusterId;
use federation::report::{LinkState, MemberReport};
use federation::{Knowledge, Phase};
use serde::{Deserialize, Serialize};

/// Members named in one text; more of them are counted.
const MAX_NAMED: usize = 8;

/// How [`Phase`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Phase", rename_all = "PascalCase")]
enum PhaseText {
    WaitingForHub,
    WaitingForMembers,
    Incomplete,
    Complete,
}

/// The JSON of `/debug/knowledge`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KnowledgeJson {
    #[serde(with = "PhaseText")]
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

/// For people. `hub_troubles`: what failed last with each of the hub's lists.
pub fn text(
    knowledge: &Knowledge,
    members: &BTreeMap<ClusterId, Arc<MemberReport>>,
    hub_troubles: &[String],
) -> String {
    let until =
        knowledge.until.map(|until| clusters::conditions::text::timestamp(until).to_string()).unwrap_or_default();
    match knowledge.phase {
        Phase::WaitingForHub => {
            let missing: Vec<&str> = knowledge.hub_missing.iter().map(|kind| kind.as_str()).collect();
            let troubles =
                if hub_troubles.is_empty() { String::new() } else { format!(": {}", hub_troubles.join("; ")) };
            format!("waiting for the hub, nothing is served: not listed yet: {}{troubles}", missing.join(", "))
        }
        Phase::WaitingForMembers => {
            format!("waiting for members, nothing is served before {until}: {}", unknown_text(members))
        }
        Phase::Incomplete if knowledge.waited => format!(
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

/// As JSON, without services and notes.
pub fn knowledge_json(
    knowledge: &Knowledge,
    members: &BTreeMap<ClusterId, Arc<MemberReport>>,
    hub_troubles: &[String],
) -> KnowledgeJson {
    KnowledgeJson {
        phase: knowledge.phase,
        ready: knowledge.is_ready(),
        message: text(knowledge, members, hub_troubles),
        hub_missing: knowledge.hub_missing.iter().map(|kind| kind.as_str().to_owned()).collect(),
        unknown: unknown(members).map(|report| (report.id.to_string(), why_unknown(report))).collect(),
        services: 0,
        notes: Vec::new(),
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
