//! How severe `isthmus check` finds each condition: what fails, what is worth a warning, and the outcome of all.

use clusters::conditions::json::{ConditionJson, MemberJson};
use clusters::conditions::text::{hub_notice, hub_subject};
use clusters::conditions::{ADMITTED, CONNECTED, READY, SYNCED};
use clusters::problem::Problem;
use federation::references::HubNotice;
use serde::Serialize;

/// The outcome of all findings: the worst of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Ok,
    /// All that was asked for is done, but perhaps not what was meant.
    Warnings,
    /// Something that was asked for is not done: a member is refused, an object is not used, an address is not served.
    Failed,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// `MemberCluster eu-1`.
    pub object: String,
    /// The condition and its reason, as in `Admitted=False CIDROverlap`; `None` for what no condition says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Warning,
    Failure,
}

impl Severity {
    /// For people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Failure => "FAILED",
        }
    }
}

/// What is wrong with it, besides the objects' own problems. `known`: whether what the conditions of a member say of
/// its connection and its lists is known, and not assumed.
pub fn findings(members: &[MemberJson], known: impl Fn(&str) -> bool, hub: &[HubNotice]) -> Vec<Finding> {
    let of_members = members.iter().flat_map(|member| of_member(member, known(&member.id)));
    let of_hub = hub.iter().map(|notice| {
        let ((kind, name), (reason, message)) = (hub_subject(notice), hub_notice(notice));
        let condition = Some(format!("Accepted=True {reason}"));
        Finding { severity: Severity::Warning, object: format!("{kind} {name}"), condition, message }
    });
    of_members.chain(of_hub).collect()
}

fn of_member(member: &MemberJson, known: bool) -> Vec<Finding> {
    let object = || format!("MemberCluster {}", member.id);
    let conditions = member.conditions.iter().filter(|condition| known || condition.kind == ADMITTED);
    let mut findings: Vec<Finding> = conditions
        .filter_map(|condition| {
            let ConditionJson { kind, status, reason, message } = condition;
            let severity = severity(member, condition)?;
            let condition = Some(format!("{kind}={status} {reason}"));
            Some(Finding { severity, object: object(), condition, message: message.clone() })
        })
        .collect();
    if known && member.conditions.is_empty() {
        let (severity, message) = (Severity::Warning, member.message.clone());
        findings.push(Finding { severity, object: object(), condition: None, message });
    }
    let lines = member.problems.iter().map(|line| (Severity::Failure, line));
    let notes = member.notes.iter().map(|line| (Severity::Warning, line));
    findings.extend(lines.chain(notes).map(|(severity, line)| Finding {
        severity,
        object: object(),
        condition: None,
        message: line.clone(),
    }));
    findings
}

/// `None`: it is as it should be, or another condition says the same.
fn severity(member: &MemberJson, condition: &ConditionJson) -> Option<Severity> {
    match (&*condition.kind, &*condition.status, &*condition.reason) {
        // The summary repeats the others, except for what only it says.
        (READY, _, reason) if reason != "InvalidSpec" => None,
        // What a member offers and is not served is among its problems.
        (ADMITTED, "True", "EndpointsOutOfRange" | "CIDRMismatch") => Some(Severity::Warning),
        (ADMITTED, "True", "DuplicateAddresses") | (SYNCED, "True", "ObjectsRejected")
            if !member.problems.is_empty() =>
        {
            None
        }
        (READY, "True", "InvalidSpec") => Some(Severity::Failure),
        (kind, "True", reason) if reason == kind => None,
        (_, "True", _) => Some(Severity::Failure),
        // Repeats of Connected and Admitted, and what passes by itself.
        (SYNCED, _, "Stale" | "NotAdmitted") => None,
        (SYNCED, "False", "Listing") => Some(Severity::Warning),
        (_, "False", _) => Some(Severity::Failure),
        (SYNCED | READY, ..) => None,
        (CONNECTED | ADMITTED, ..) => Some(Severity::Warning),
        _ => None,
    }
}

/// The outcome: of problems with objects, and of everything else.
pub fn outcome(problems: &[Problem], unlisted: usize, findings: &[Finding]) -> Outcome {
    let worst = findings.iter().map(|finding| finding.severity).max();
    match worst {
        _ if !problems.is_empty() || unlisted > 0 => Outcome::Failed,
        Some(Severity::Failure) => Outcome::Failed,
        Some(Severity::Warning) => Outcome::Warnings,
        None => Outcome::Ok,
    }
}
