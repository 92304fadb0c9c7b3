//! What people and programs are shown of members and services: one shape for `isthmus status`, `isthmus check` and the
//! admin pages. Field names are stable.

use federation::model::Time;
use federation::report::MemberReport;
use regions::resource::ResourceType;
use regions::server::StreamInfo;
use regions::session::Variant;
use serde::{Deserialize, Serialize};

use crate::clusters::now;
use crate::mirror::MirrorProgress;
use crate::problem::{ProblemOrigin, Problems};
use crate::runtime::ServiceSummary;
use crate::status;
use crate::status::conditions::{self, Facts, Wanted};
use crate::status::text;

/// One member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    pub id: String,
    pub region: String,
    pub ready: bool,
    /// Machine-readable reason of `Ready`.
    pub reason: String,
    pub message: String,
    pub conditions: Vec<ConditionView>,
    pub uid: Option<String>,
    pub kubernetes_version: Option<String>,
    pub pod_cidrs: Vec<String>,
    pub service_cidrs: Vec<String>,
    pub services: u64,
    pub endpoints: u64,
    pub mirrored: u64,
    /// RFC 3339; `None` if it was never heard.
    pub last_seen: Option<String>,
    /// What is wrong with objects of this member, what is lost by it, and endpoint addresses that are not served.
    pub problems: Vec<String>,
    /// What works, but not as one might expect.
    #[serde(default)]
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConditionView {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    pub reason: String,
    pub message: String,
}

impl MemberView {
    /// `seen`: when its API was last heard, `mirrors`: how its mirroring goes, if that is known.
    pub fn new(
        report: &MemberReport,
        problems: &Problems,
        seen: Option<Time>,
        mirrors: Option<&MirrorProgress>,
    ) -> Self {
        let origin = ProblemOrigin::from(&report.id);
        let page = problems.get(&origin);
        let mut problems: Vec<String> =
            page.into_iter().flat_map(|page| page.problems()).map(ToString::to_string).collect();
        let conflicts = report.family_conflicts.iter().map(text::family_conflict);
        let facts = Facts {
            report,
            note: None,
            mirrors,
            seen,
            spec_problems: &[],
            rejected: page.map_or(0, |page| page.total()),
            unlisted: page.map_or(0, |page| page.unlisted()),
            // Only the writer of mirrors can tell slow from stuck; whoever merely looks does not call a plan a failure.
            was_synced: true,
            late: mirrors.is_some_and(MirrorProgress::is_late),
            now: now(),
        };
        let shown: Vec<ConditionView> = conditions::member(&facts).into_iter().map(ConditionView::from).collect();
        problems.extend(page.and_then(|page| page.rest()));
        problems.extend(status::refused_addresses(report));
        let ready = shown.iter().find(|condition| condition.kind == "Ready");
        let texts = |ranges: &[ipnet::IpNet]| ranges.iter().map(ToString::to_string).collect();
        Self {
            id: report.id.to_string(),
            region: report.region.to_string(),
            ready: ready.is_some_and(|condition| condition.status == "True"),
            reason: ready.map(|condition| condition.reason.clone()).unwrap_or_default(),
            message: ready.map(|condition| condition.message.clone()).unwrap_or_default(),
            conditions: shown,
            uid: report.uid.as_ref().map(|uid| uid.0.to_string()),
            kubernetes_version: report.version.as_ref().map(ToString::to_string),
            pod_cidrs: texts(&report.cidrs.pods),
            service_cidrs: texts(&report.cidrs.services),
            services: report.counts.services as u64,
            endpoints: report.counts.endpoints as u64,
            mirrored: report.counts.mirrored as u64,
            last_seen: seen
                .and_then(|seen| jiff::Timestamp::from_millisecond(seen.unix_ms).ok())
                .map(|seen| seen.to_string()),
            problems: problems.into_iter().chain(conflicts).collect(),
            notes: status::notes(report),
        }
    }
}

impl From<Wanted> for ConditionView {
    fn from(Wanted { kind, status, reason, message }: Wanted) -> Self {
        Self { kind: kind.to_owned(), status: status.as_str().to_owned(), reason: reason.to_owned(), message }
    }
}

/// One merged service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceView {
    pub namespace: String,
    pub name: String,
    /// Contributing clusters, oldest export first.
    pub clusters: Vec<String>,
    /// `name:port/protocol/application protocol`.
    pub ports: Vec<String>,
    pub ready: u64,
    pub endpoints: u64,
}

impl From<ServiceSummary> for ServiceView {
    fn from(summary: ServiceSummary) -> Self {
        Self {
            namespace: summary.key.namespace.to_string(),
            name: summary.key.name.to_string(),
            clusters: summary.sources.iter().map(ToString::to_string).collect(),
            ports: summary.ports,
            ready: summary.ready as u64,
            endpoints: summary.endpoints as u64,
        }
    }
}

/// One proxy's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamView {
    pub node: Option<String>,
    pub region: Option<String>,
    pub zone: Option<String>,
    pub cluster: Option<String>,
    /// `delta` or `sotw`.
    pub protocol: String,
    pub peer: Option<String>,
    pub types: Vec<TypeView>,
}

/// How one resource type stands on a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeView {
    #[serde(rename = "type")]
    pub kind: String,
    pub sent: u64,
    pub acks: u64,
    pub nacks: u64,
    /// True when the last answer was a rejection.
    pub rejected: bool,
    /// True while a response waits for its answer.
    pub outstanding: bool,
    pub version: String,
}

impl StreamView {
    pub fn new(stream: &StreamInfo) -> Self {
        let client = stream.client.as_ref();
        let place = client.map(|client| &client.class.client);
        let types =
            ResourceType::ALL.into_iter().map(|kind| (kind, stream.of(kind))).filter(|(_, status)| status.subscribed);
        Self {
            node: client.map(|client| client.node_id.clone()),
            region: place.map(|place| place.region.to_string()),
            zone: place.and_then(|place| place.zone.as_ref()).map(ToString::to_string),
            cluster: place.and_then(|place| place.cluster.as_ref()).map(ToString::to_string),
            protocol: match stream.variant {
                Variant::Delta => "delta",
                Variant::Sotw => "sotw",
            }
            .to_owned(),
            peer: stream.peer.map(|peer| peer.to_string()),
            types: types
                .map(|(kind, status)| TypeView {
                    kind: kind.label().to_owned(),
                    sent: status.sent,
                    acks: status.acks,
                    nacks: status.nacks,
                    rejected: status.rejected,
                    outstanding: status.outstanding,
                    version: format!("{:016x}", status.version),
                })
                .collect(),
        }
    }
}
