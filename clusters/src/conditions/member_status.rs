//! The whole status of one member, from facts. No IO.

use federation::model::Time;
use federation::report::{CidrSource, Counts, LinkState, MemberReport};
use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time as KubeTimestamp};

use super::text;
use crate::api::{
    AdmissionRecord, CidrSourceName, MAX_STATUS_PROBLEMS, MemberClusterStatus, MemberCounts, ObservedCidrs,
};
use crate::conditions::{self, Facts, SYNCED, kube_time};

/// Ranges shown; the schema's bound.
const MAX_RANGES: usize = 4_096;
/// Characters of one problem; the schema's bound.
const MAX_PROBLEM_LEN: usize = 1_024;
/// Characters of short texts; the schema's bound.
const MAX_SHORT_LEN: usize = 253;
/// `lastSeen` moves in steps, so that it does not cost a write for every sign of life.
const SEEN_STEP_MS: i64 = 10_000;

/// The status that a member should have. `problems`: see [`Facts::lines`]. `generation`: of the
/// `MemberCluster` that was judged. `before` is the one it has: history is kept, and an admission on record is
/// never taken off it, because it decides who came first.
pub fn status(
    facts: &Facts<'_>,
    problems: &[String],
    generation: i64,
    before: &MemberClusterStatus,
) -> MemberClusterStatus {
    let report = facts.report;
    let wanted = conditions::member(facts);
    let short = |text: &str| text::bounded(text, MAX_SHORT_LEN);
    MemberClusterStatus {
        conditions: conditions::with_history(&before.conditions, &wanted, Some(generation), facts.known.now),
        // Who it was stays known while it cannot be asked.
        cluster_uid: report.uid.as_ref().map(|uid| short(&uid.0)).or_else(|| before.cluster_uid.clone()),
        kubernetes_version: report.version.as_deref().map(short).or_else(|| before.kubernetes_version.clone()),
        cidrs: Some(cidrs(report, before)),
        admission: admission(report).or_else(|| before.admission.clone()),
        counts: if report.known { None } else { before.counts }.or_else(|| Some(counts(report))),
        last_seen: seen(facts, before),
        notes: if report.known || before.notes.is_empty() { notes(report) } else { before.notes.clone() },
        problems: if report.known || before.problems.is_empty() {
            shown(problems, facts)
        } else {
            before.problems.clone()
        },
    }
}

/// The first problems. If there are more, the last line says how many, and how many objects have any.
fn shown(problems: &[String], facts: &Facts<'_>) -> Vec<String> {
    let bounded = |text: &String| text::bounded(text, MAX_PROBLEM_LEN);
    if problems.len() <= MAX_STATUS_PROBLEMS && facts.unlisted == 0 {
        return problems.iter().map(bounded).collect();
    }
    let named = problems.len().min(MAX_STATUS_PROBLEMS - 1);
    let rest = problems.len() - named + facts.unlisted;
    let last = format!("and {rest} more; objects with problems: {}; see /debug/problems", facts.rejected);
    problems.iter().take(named).map(bounded).chain([last]).collect()
}

/// The status of a `MemberCluster` that was never good: only what is reported of it changes.
pub fn unusable(problems: &[String], generation: i64, before: &MemberClusterStatus, now: Time) -> MemberClusterStatus {
    let unusable = conditions::unusable(problems);
    let conditions = conditions::with_history(&before.conditions, &unusable, Some(generation), now);
    let shown = problems.iter().take(MAX_STATUS_PROBLEMS).map(|text| text::bounded(text, MAX_PROBLEM_LEN));
    MemberClusterStatus { conditions, problems: shown.collect(), ..before.clone() }
}

/// When it last answered, as its status says.
pub fn seen_before(status: &MemberClusterStatus) -> Option<Time> {
    status.last_seen.as_ref().map(|seen| Time::from_unix_ms(seen.0.as_millisecond()))
}

pub fn is_true(status: &MemberClusterStatus, kind: &str) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

pub fn was_synced(status: &MemberClusterStatus) -> bool {
    is_true(status, SYNCED)
}

fn admission(report: &MemberReport) -> Option<AdmissionRecord> {
    let admission = report.admitted.as_ref()?;
    Some(AdmissionRecord {
        at: MicroTime(text::precise_timestamp(admission.at)),
        uid: text::bounded(&admission.uid.0, MAX_SHORT_LEN),
        pods: ranges(&admission.pods),
        services: ranges(&admission.services),
    })
}

/// What is not known since this process started is not known to be nothing: what the last one found stays.
fn cidrs(report: &MemberReport, before: &MemberClusterStatus) -> ObservedCidrs {
    let before = before.cidrs.clone().unwrap_or_default();
    let one = |found: &[IpNet], by: CidrSource, known: (Vec<String>, CidrSourceName)| match by {
        CidrSource::Unknown if !report.known => known,
        _ => (ranges(found), source(by)),
    };
    let found = &report.cidrs;
    let (pods, pods_source) = one(&found.pods, found.pods_source, (before.pods, before.pods_source));
    let (services, services_source) =
        one(&found.services, found.services_source, (before.services, before.services_source));
    ObservedCidrs { pods, services, pods_source, services_source }
}

fn counts(report: &MemberReport) -> MemberCounts {
    let Counts { services, endpoints, mirrored, .. } = report.counts;
    MemberCounts { services: count(services), endpoints: count(endpoints), mirrored: count(mirrored) }
}

fn notes(report: &MemberReport) -> Vec<String> {
    text::notes(report).iter().map(|text| text::bounded(text, MAX_PROBLEM_LEN)).collect()
}

/// In steps while it answers, exactly once it does not. It never goes back.
fn seen(facts: &Facts<'_>, before: &MemberClusterStatus) -> Option<KubeTimestamp> {
    let exact = match &facts.report.link {
        LinkState::Down { seen, .. } => facts.known.seen.max(*seen),
        LinkState::Pending | LinkState::Up { .. } | LinkState::IdentityChanged { .. } => facts.known.seen,
    };
    let Some(exact) = exact else { return before.last_seen.clone() };
    let Some(recorded) = &before.last_seen else { return Some(kube_time(exact)) };
    let ahead_ms = exact.unix_ms.saturating_sub(recorded.0.as_millisecond());
    let answers = matches!(facts.report.link, LinkState::Up { .. } | LinkState::IdentityChanged { .. });
    let step_ms = if answers { SEEN_STEP_MS } else { 1_000 };
    Some(if ahead_ms < step_ms { recorded.clone() } else { kube_time(exact) })
}

fn ranges(ranges: &[IpNet]) -> Vec<String> {
    ranges.iter().take(MAX_RANGES).map(IpNet::to_string).collect()
}

fn source(source: CidrSource) -> CidrSourceName {
    match source {
        CidrSource::Unknown => CidrSourceName::Unknown,
        CidrSource::Declared => CidrSourceName::Declared,
        CidrSource::Discovered => CidrSourceName::Discovered,
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
