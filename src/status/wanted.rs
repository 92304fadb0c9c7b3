//! The whole status of one member, from facts. No IO.

use federation::model::Time;
use federation::report::{CidrSource, LinkState, MemberReport};
use ipnet::IpNet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::conditions::{self, Facts, SYNCED, kube_time};
use super::text;
use crate::api::{
    AdmissionRecord, CidrSourceName, MAX_STATUS_PROBLEMS, MemberClusterStatus, MemberCounts, ObservedCidrs,
};

/// Ranges shown; the schema's bound.
const MAX_RANGES: usize = 4_096;
/// Characters of one problem; the schema's bound.
const MAX_PROBLEM_LEN: usize = 1_024;
/// Characters of short texts; the schema's bound.
const MAX_SHORT_LEN: usize = 253;
/// `lastSeen` moves in steps, so that it does not cost a write for every sign of life.
const SEEN_STEP_MS: i64 = 10_000;

/// The status that a member should have. `before` is the one it has: history is kept, and an admission on record is
/// never taken off it, because it decides who came first.
pub(super) fn status(facts: &Facts<'_>, problems: &[String], before: &MemberClusterStatus) -> MemberClusterStatus {
    let report = facts.report;
    let wanted = conditions::member(facts);
    let refused = text::refused_addresses(report);
    let conflicts = report.family_conflicts.iter().map(text::family_conflict);
    let problems = facts.spec_problems.iter().chain(problems).cloned().chain(refused).chain(conflicts);
    let short = |text: &str| text::bounded(text, MAX_SHORT_LEN);
    MemberClusterStatus {
        conditions: conditions::with_history(&before.conditions, &wanted, facts.now),
        // Who it was stays known while it cannot be asked.
        cluster_uid: report.uid.as_ref().map(|uid| short(&uid.0)).or_else(|| before.cluster_uid.clone()),
        kubernetes_version: report.version.as_deref().map(short).or_else(|| before.kubernetes_version.clone()),
        cidrs: Some(ObservedCidrs {
            pods: ranges(&report.cidrs.pods),
            services: ranges(&report.cidrs.services),
            pods_source: source(report.cidrs.pods_source),
            services_source: source(report.cidrs.services_source),
        }),
        admission: admission(report).or_else(|| before.admission.clone()),
        counts: Some(MemberCounts {
            services: count(report.counts.services),
            endpoints: count(report.counts.endpoints),
            mirrored: count(report.counts.mirrored),
        }),
        last_seen: seen(facts).map(kube_time).or_else(|| before.last_seen.clone()),
        notes: text::notes(report).iter().map(|text| text::bounded(text, MAX_PROBLEM_LEN)).collect(),
        problems: shown(&problems.collect::<Vec<_>>(), facts),
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

/// The status of a `MemberCluster` that was never good: only what is said of it changes.
pub(super) fn unusable(problems: &[String], before: &MemberClusterStatus, now: Time) -> MemberClusterStatus {
    let conditions = conditions::with_history(&before.conditions, &conditions::unusable(problems), now);
    let shown = problems.iter().take(MAX_STATUS_PROBLEMS).map(|text| text::bounded(text, MAX_PROBLEM_LEN));
    MemberClusterStatus { conditions, problems: shown.collect(), ..before.clone() }
}

pub(super) fn is_true(status: &MemberClusterStatus, kind: &str) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

pub(super) fn was_synced(status: &MemberClusterStatus) -> bool {
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

/// In steps while it is heard, exactly once it is not.
fn seen(facts: &Facts<'_>) -> Option<Time> {
    match &facts.report.link {
        LinkState::Down { seen, .. } => facts.seen.max(*seen),
        LinkState::Pending => facts.seen,
        LinkState::Up { .. } | LinkState::IdentityChanged { .. } => {
            facts.seen.map(|seen| Time::from_unix_ms(seen.unix_ms.div_euclid(SEEN_STEP_MS) * SEEN_STEP_MS))
        }
    }
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
