//! What people and programs are shown of members: one shape for `isthmus status`, `isthmus check` and the admin pages. Field
//! names are stable.

use std::sync::Arc;

use federation::report::MemberReport;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::known::Known;
use super::{Wanted, text};
use crate::clock::now;
use crate::problem::Problems;

/// One member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberJson {
    pub id: String,
    pub region: String,
    #[serde(default)]
    pub network: String,
    /// `Active` or `Drained`.
    #[serde(default)]
    pub traffic: String,
    #[serde(default)]
    pub weight: Option<u32>,
    pub ready: bool,
    /// Machine-readable reason of `Ready`.
    pub reason: String,
    pub message: String,
    pub conditions: Vec<ConditionJson>,
    pub uid: Option<String>,
    pub kubernetes_version: Option<String>,
    pub pod_cidrs: Vec<String>,
    pub service_cidrs: Vec<String>,
    pub services: u64,
    pub endpoints: u64,
    pub mirrored: u64,
    /// RFC 3339; `None` if it has never answered.
    pub last_seen: Option<String>,
    /// What is wrong with objects of this member, what is lost by it, and endpoint addresses that are not served.
    pub problems: Vec<String>,
    /// What works, but not as one might expect.
    #[serde(default)]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionJson {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub message: String,
}

impl MemberJson {
    pub fn new(report: &MemberReport, known: &Known<'_>) -> Self {
        let facts = Facts::new(report, *known);
        let problems = facts.lines().into_iter().chain(facts.rest());
        let texts = |ranges: &[ipnet::IpNet]| ranges.iter().map(ToString::to_string).collect();
        let view = Self {
            region: report.region.to_string(),
            network: report.network.to_string(),
            traffic: crate::api::Traffic::from(report.traffic).as_str().to_owned(),
            weight: report.weight,
            uid: report.uid.as_ref().map(|uid| uid.0.to_string()),
            kubernetes_version: report.version.as_ref().map(ToString::to_string),
            pod_cidrs: texts(&report.cidrs.pods),
            service_cidrs: texts(&report.cidrs.services),
            services: report.counts.services as u64,
            endpoints: report.counts.endpoints as u64,
            mirrored: report.counts.mirrored as u64,
            last_seen: known
                .seen
                .and_then(|seen| jiff::Timestamp::from_millisecond(seen.unix_ms).ok())
                .map(|seen| seen.to_string()),
            problems: problems.collect(),
            notes: text::notes(report),
            ..Self::default()
        };
        view.with(report.id.to_string(), super::member(&facts).into_iter().map(ConditionJson::from).collect())
    }

    /// Of a `MemberCluster` that was never usable: nothing is known but what is wrong with it.
    pub fn unusable(id: String, problems: Vec<String>) -> Self {
        let conditions = super::unusable(&problems).into_iter().map(ConditionJson::from).collect();
        Self { problems, ..Self::default() }.with(id, conditions)
    }

    /// With its conditions, and the summary that they hold.
    pub fn with(self, id: String, conditions: Vec<ConditionJson>) -> Self {
        let ready = conditions.iter().find(|condition| condition.kind == super::READY);
        Self {
            id,
            ready: ready.is_some_and(|condition| condition.status == "True"),
            reason: ready.map_or_else(|| "Pending".to_owned(), |condition| condition.reason.clone()),
            message: ready
                .map_or_else(|| "no controller has looked at it yet".to_owned(), |condition| condition.message.clone()),
            conditions,
            ..self
        }
    }

    pub fn condition(&self, kind: &str) -> Option<&ConditionJson> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }
}

/// All members, those that were never usable included, by name. `known`: what is known of each.
pub fn members<'a>(
    reports: impl IntoIterator<Item = &'a Arc<MemberReport>>,
    problems: &Problems,
    mut view: impl FnMut(&MemberReport) -> MemberJson,
) -> Vec<MemberJson> {
    let mut views: Vec<MemberJson> = reports.into_iter().map(|report| view(report)).collect();
    let known = Known::new(problems, now());
    let unusable = known.unusable(|name| views.iter().any(|view| view.id == name));
    views.extend(unusable.into_iter().map(|id| {
        let problems = known.spec_problems(&id);
        MemberJson::unusable(id, problems)
    }));
    views.sort_by(|a, b| a.id.cmp(&b.id));
    views
}

impl From<Wanted> for ConditionJson {
    fn from(Wanted { kind, status, reason, message }: Wanted) -> Self {
        Self { kind: kind.to_owned(), status: status.as_str().to_owned(), reason: reason.to_owned(), message }
    }
}
