//! From facts about a member to its four conditions. Reasons are for machines and never change their meaning;
//! messages are for people and say what to do.

mod facts;
pub mod hub_problems;
pub mod json;
pub mod known;
pub mod member_status;
mod notices;
pub mod progress;
pub mod reasons;
#[cfg(test)]
mod tests;
pub mod text;

use std::sync::Arc;

use federation::change::{LinkFailure, MemberKind};
use federation::model::Time;
use federation::report::{AddressRefusal, LinkState, MemberReport, PendingReason, Refusal, RefusedAddress, Verdict};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time as KubeTime};

use crate::convert::REJECTED;
use crate::tables::{Note, NoteReason};
use progress::Hold;

pub use facts::Facts;

pub const CONNECTED: &str = "Connected";
pub const ADMITTED: &str = "Admitted";
pub const SYNCED: &str = "Synced";
pub const READY: &str = "Ready";
pub const ACCEPTED: &str = "Accepted";
/// The reason for members whose Region does not exist.
const UNKNOWN_REGION: &str = "UnknownRegion";
/// The reason for members that were never reached.
pub const IDENTITY_UNKNOWN: &str = "IdentityUnknown";
/// The reason for kinds that cannot be read.
pub const UNREADABLE: &str = "KindUnreadable";

/// Longest message, in characters; the API's bound.
const MAX_MESSAGE_LEN: usize = 32_768;

/// A condition without its history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub kind: &'static str,
    pub status: Status,
    pub reason: &'static str,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    True,
    False,
    Unknown,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Connected, Admitted, Synced and Ready, in this order.
pub fn member(facts: &Facts<'_>) -> [Wanted; 4] {
    let connected = connected(facts);
    let admitted = admitted(facts);
    let synced = synced(facts, &connected, &admitted);
    let ready = ready(facts, &connected, &admitted, &synced);
    [connected, admitted, synced, ready]
}

/// For a `MemberCluster` that was never good: nothing can be reported but what is wrong with it.
pub fn unusable(problems: &[String]) -> [Wanted; 4] {
    let message = text::spec_problems(problems);
    let unknown =
        |kind| wanted(kind, Status::Unknown, "InvalidSpec", "the MemberCluster cannot be used as it is".into());
    [
        unknown(CONNECTED),
        wanted(ADMITTED, Status::False, "InvalidSpec", message.clone()),
        unknown(SYNCED),
        wanted(READY, Status::False, "InvalidSpec", message),
    ]
}

/// `Accepted` of an object of the hub. `idle`: fields that are accepted but do nothing yet. `notices`: what it names that
/// does not exist, and the like; the reason is that of the first.
pub fn accepted(kind: &str, problems: &[String], idle: &[&str], notices: &[(&'static str, String)]) -> Wanted {
    if !problems.is_empty() {
        let status = if is_rejected(problems) { Status::False } else { Status::True };
        return wanted(ACCEPTED, status, "Invalid", text::spec_problems(problems));
    }
    let mut parts = vec![format!("the {kind} is in force")];
    if !idle.is_empty() {
        parts.push(format!("these fields have no effect in this version: {}", idle.join(", ")));
    }
    parts.extend(notices.iter().map(|(_, text)| text.clone()));
    let reason = notices.first().map_or(ACCEPTED, |(reason, _)| reason);
    wanted(ACCEPTED, Status::True, reason, parts.join("; "))
}

/// Whether these problems keep the object they are about from being used as it is; else it is used without a part of it.
fn is_rejected(problems: &[String]) -> bool {
    problems.iter().any(|problem| problem.ends_with(REJECTED))
}

/// Puts wanted conditions into the form of the API. What did not turn keeps the time of its last turn.
/// `generation`: of the object that they were made from.
pub fn with_history(before: &[Condition], wanted: &[Wanted], generation: Option<i64>, now: Time) -> Vec<Condition> {
    let one = |wanted: &Wanted| {
        let same = before.iter().find(|old| old.type_ == wanted.kind && old.status == wanted.status.as_str());
        Condition {
            type_: wanted.kind.to_owned(),
            status: wanted.status.as_str().to_owned(),
            reason: wanted.reason.to_owned(),
            message: text::bounded(&wanted.message, MAX_MESSAGE_LEN),
            last_transition_time: same.map_or_else(|| kube_time(now), |old| old.last_transition_time.clone()),
            observed_generation: generation,
        }
    };
    wanted.iter().map(one).collect()
}

/// Seconds are all the API keeps.
pub(super) fn kube_time(time: Time) -> KubeTime {
    KubeTime(text::timestamp(time))
}

fn wanted(kind: &'static str, status: Status, reason: &'static str, message: String) -> Wanted {
    Wanted { kind, status, reason, message }
}

pub fn failure_reason(failure: LinkFailure) -> &'static str {
    match failure {
        LinkFailure::SecretMissing => "SecretMissing",
        LinkFailure::KubeconfigInvalid => "KubeconfigInvalid",
        LinkFailure::CredentialRefused => "CredentialRefused",
        LinkFailure::Unreachable => "Unreachable",
    }
}

fn note_reason(note: &Note) -> &'static str {
    match note.reason {
        NoteReason::Failure(failure) => failure_reason(failure),
        NoteReason::IdentityChanged => "IdentityChanged",
    }
}

fn connected(facts: &Facts<'_>) -> Wanted {
    match &facts.report.link {
        LinkState::Pending => wanted(CONNECTED, Status::Unknown, "Connecting", "no connection was tried yet".into()),
        LinkState::Up { .. } | LinkState::IdentityChanged { .. } => match facts.known.note {
            Some(note) => wanted(CONNECTED, Status::True, note_reason(note), note.message.to_string()),
            None if !facts.report.unreadable.is_empty() => {
                wanted(CONNECTED, Status::True, UNREADABLE, text::unreadable(&facts.report.unreadable))
            }
            None => wanted(CONNECTED, Status::True, "Connected", "its API answers, and its objects are watched".into()),
        },
        LinkState::Down { reason, message, seen, .. } => {
            // A time and not an age: the condition is not written again while it gets older.
            let answered = match facts.known.seen.max(*seen) {
                Some(seen) => format!("; it last answered at {}", text::timestamp(seen)),
                None => "; it has never answered".to_owned(),
            };
            wanted(CONNECTED, Status::False, failure_reason(*reason), format!("{message}{answered}"))
        }
    }
}

fn admitted(facts: &Facts<'_>) -> Wanted {
    let report = facts.report;
    if let LinkState::IdentityChanged { found, admitted, .. } = &report.link {
        let message = format!(
            "the credential leads to another cluster (kube-system UID {}) than the one that was admitted (UID {}): its \
             objects are not used, and what is known of the admitted one stays; put the right kubeconfig back, or delete \
             this MemberCluster and create it again to replace the cluster",
            found.0, admitted.0
        );
        return wanted(ADMITTED, Status::False, "IdentityChanged", message);
    }
    match &report.admission {
        Verdict::Pending(why) => {
            let (reason, message) = pending(why);
            wanted(ADMITTED, Status::Unknown, reason, message)
        }
        Verdict::Admitted | Verdict::AdmittedWithDrift(_) => {
            let findings = findings(report);
            let Some((reason, _)) = findings.first() else {
                return wanted(
                    ADMITTED,
                    Status::True,
                    "Admitted",
                    format!("admitted with {}", text::ranges(&report.cidrs)),
                );
            };
            let reason = *reason;
            let message = findings.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("; ");
            wanted(ADMITTED, Status::True, reason, message)
        }
        Verdict::Refused(refusal) => {
            let (reason, message) = refused(report, refusal);
            wanted(ADMITTED, Status::False, reason, message)
        }
    }
}

/// What is not as it should be with an admitted member, and the reason for each: what costs it most comes first.
fn findings(report: &MemberReport) -> Vec<(&'static str, String)> {
    let mut findings = Vec::new();
    if let Verdict::AdmittedWithDrift(clashes) = &report.admission {
        let clashes = text::clashes(clashes);
        let drift = format!(
            "it stays admitted with the ranges on record, but ranges that it uses now clash: {clashes}; endpoints in \
             them are not served; change the ranges of one of the two"
        );
        findings.push(("CIDRDrift", drift));
    }
    if report.region_missing {
        findings.push((UNKNOWN_REGION, text::region_missing(report)));
    }
    findings.extend(text::addresses(report).into_iter().map(|text| (address_reason(report), text)));
    if !report.undeclared.is_empty() {
        findings.push(("CIDRMismatch", text::undeclared(report)));
    }
    findings
}

/// What two members offer is worth more attention than what lies somewhere else than it should.
fn address_reason(report: &MemberReport) -> &'static str {
    let twice = |address: &RefusedAddress| matches!(address.why, AddressRefusal::AlsoOfferedBy(_));
    if report.refused.first.iter().any(twice) { "DuplicateAddresses" } else { "EndpointsOutOfRange" }
}

fn pending(why: &PendingReason) -> (&'static str, String) {
    match why {
        PendingReason::IdentityUnknown => {
            (IDENTITY_UNKNOWN, "it was never reached, so it is not known which cluster it is".to_owned())
        }
        PendingReason::CidrsUnknown { pods, services } => {
            let mut missing = Vec::new();
            if *pods {
                missing.push("pod ranges (none of its Nodes has a podCIDR): set spec.cidrs.pods");
            }
            if *services {
                missing.push("service ranges (it has no ServiceCIDR objects): set spec.cidrs.services");
            }
            ("CIDRsUnknown", format!("not known: {}", missing.join("; ")))
        }
        PendingReason::AwaitingDecision => {
            ("AwaitingDecision", "the federation's controller has not decided yet".to_owned())
        }
    }
}

fn refused(report: &MemberReport, refusal: &Refusal) -> (&'static str, String) {
    match refusal {
        Refusal::CidrOverlap(clashes) => {
            let clashes = text::clashes(clashes);
            let message = format!(
                "{clashes}; it contributes and receives nothing until they are apart: change its ranges, or take the other \
                 cluster out"
            );
            ("CIDROverlap", message)
        }
        Refusal::DuplicateCluster { of } => {
            let uid = report.uid.as_ref().map_or_else(String::new, |uid| format!(" (kube-system UID {})", uid.0));
            let message = format!(
                "this is the same cluster{uid} as member {of}: delete one of the two, or correct this one's kubeconfig"
            );
            ("DuplicateCluster", message)
        }
        Refusal::UnknownRegion => {
            let region = &report.region;
            let message = format!(
                "there is no Region {region}: create it, or create this MemberCluster again with the right spec.region"
            );
            (UNKNOWN_REGION, message)
        }
    }
}

fn synced(facts: &Facts<'_>, connected: &Wanted, admitted: &Wanted) -> Wanted {
    let report = facts.report;
    if connected.status != Status::True {
        let known = facts.known.seen.is_some() || report.uid.is_some();
        return if known {
            let message = "what was last known of it stays in use, and nothing is removed".to_owned();
            wanted(SYNCED, Status::False, "Stale", message)
        } else {
            wanted(SYNCED, Status::Unknown, connected.reason, "nothing is known of it yet".into())
        };
    }
    let decides = |(kind, _): &&(MemberKind, Arc<str>)| kind.is_deciding();
    if let Some(unreadable) = report.unreadable.iter().find(decides) {
        let message = text::unreadable(std::slice::from_ref(unreadable));
        return wanted(SYNCED, Status::False, UNREADABLE, message);
    }
    if !report.listed {
        return wanted(SYNCED, Status::False, "Listing", "its objects are not fully listed yet".into());
    }
    if admitted.status != Status::True {
        let message = "it is watched, but contributes and receives nothing until it is admitted".to_owned();
        return wanted(SYNCED, Status::False, "NotAdmitted", message);
    }
    match facts.known.mirrors.map(|mirrors| &mirrors.hold) {
        Some(Hold::Another(claim)) => {
            return wanted(SYNCED, Status::False, "HeldByAnotherHub", text::held(&report.id, claim));
        }
        Some(Hold::Failed(why)) => {
            let message = format!("which hub writes mirrors into it is not known, so nothing is written: {why}");
            return wanted(SYNCED, Status::False, "HolderUnknown", message);
        }
        Some(Hold::Unknown | Hold::Ours) | None => {}
    }
    mirrored(facts)
}

/// What differs between the mirrors that should be there and those that are: `Synced` is this comparison.
fn mirrored(facts: &Facts<'_>) -> Wanted {
    let report = facts.report;
    let pending = report.mirrors_pending.max(facts.known.mirrors.map_or(0, |mirrors| mirrors.pending));
    let error = facts.known.mirrors.and_then(|mirrors| mirrors.last_error.as_deref());
    if pending > 0 && (error.is_some() || facts.late || !facts.known.was_synced) {
        return wanted(SYNCED, Status::False, "MirrorsPending", text::mirrors_pending(pending, error));
    }
    if facts.rejected > 0 {
        let message = format!("objects that are not used, or only in part: {}; see status.problems", facts.rejected);
        return wanted(SYNCED, Status::True, "ObjectsRejected", message);
    }
    let mirrors = if pending > 0 { "its mirrors are being brought up to date" } else { "its mirrors are written" };
    let notes: String = text::notes(report).iter().map(|note| format!("; {note}")).collect();
    wanted(SYNCED, Status::True, "Synced", format!("its objects are listed, and {mirrors}{notes}"))
}

/// The summary: the first thing that is in the way, or the first thing worth knowing.
fn ready(facts: &Facts<'_>, connected: &Wanted, admitted: &Wanted, synced: &Wanted) -> Wanted {
    let summary = |status, of: &Wanted| wanted(READY, status, of.reason, of.message.clone());
    if connected.status != Status::True {
        return summary(Status::False, connected);
    }
    if admitted.status != Status::True {
        return summary(Status::False, admitted);
    }
    let invalid = |status| wanted(READY, status, "InvalidSpec", text::spec_problems(&facts.spec_problems));
    if is_rejected(&facts.spec_problems) {
        return invalid(Status::False);
    }
    if synced.status != Status::True {
        return summary(Status::False, synced);
    }
    if !facts.spec_problems.is_empty() {
        return invalid(Status::True); // it is in force, without what each problem says
    }
    let worth_knowing = [(connected, "Connected"), (admitted, "Admitted"), (synced, "Synced")];
    match worth_knowing.into_iter().find(|(condition, usual)| condition.reason != *usual) {
        Some((condition, _)) => summary(Status::True, condition),
        None => wanted(READY, Status::True, "Ready", "it takes part in the federation".into()),
    }
}
