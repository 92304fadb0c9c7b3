//! The JSON of `/debug/proxies` and `isthmus proxy -o json`. Field names are stable.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use federation::model::ClusterId;
use federation::report::MemberReport;
use regions::class::{Client, EnvoyProfile, Interception, Profile};
use regions::resource::{ResourceType, version_text};
use regions::server::{ClusterLoad, Complaint, Complaints, LoadReport, RefusedClient, StreamInfo};
use regions::session::{Held, State, TypeStatus, Variant};
use serde::{Deserialize, Serialize};

use crate::process::engine::why_unknown;

/// What the profile of an intercepted Envoy begins with.
const SIDECAR: &str = "sidecar";

/// One proxy: all streams that send one node id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyJson {
    pub node: String,
    /// False for one that is gone, and of which only rejections are remembered.
    pub connected: bool,
    pub namespace: Option<String>,
    /// The member it runs in.
    pub cluster: Option<String>,
    pub region: Option<String>,
    pub zone: Option<String>,
    /// `delta` or `sotw`.
    pub variant: Option<String>,
    /// What it is sent: `sidecar`, `envoy` or `grpc`, followed by what is special about it, with commas.
    pub profile: Option<String>,
    pub peer: Option<String>,
    /// RFC 3339.
    pub since: Option<String>,
    /// Why nothing federated is sent to it: the cluster it names is no admitted member. `None`: it is served.
    #[serde(default)]
    pub no_member: Option<String>,
    /// Which Envoy it is, `1.40.0`; `None`: none, or it does not say.
    #[serde(default)]
    pub version: Option<String>,
    /// What works, but not as one might expect: an Envoy that is too old, a region without members.
    #[serde(default)]
    pub notes: Vec<String>,
    /// It is refused, and still connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<RefusedJson>,
    /// Open streams.
    pub streams: u64,
    /// Types it ever asked for, in the order in which they are sent.
    pub types: Vec<TypeState>,
    /// The admin address of the replica that it is connected to; set by a caller that asks several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
}

/// Why a client is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedJson {
    /// `node`, `request`, `bounds`, `silent` or `other`, as the metric says it.
    pub reason: String,
    /// What it was answered last: the field, what was found, what would be right.
    pub message: String,
    /// Tries.
    pub count: u64,
    /// RFC 3339.
    pub first: String,
    pub last: String,
}

/// The state of one type at a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeState {
    #[serde(rename = "type")]
    pub kind: String,
    pub state: Delivery,
    pub wildcard: bool,
    /// Names asked for one by one.
    pub names: u64,
    pub sent: u64,
    pub acks: u64,
    pub nacks: u64,
    /// Of the type, as last sent; `None`: nothing was sent.
    pub version: Option<String>,
    pub acked_version: Option<String>,
    /// Since when a response waits for its answer; RFC 3339.
    pub pending_since: Option<String>,
    /// The last rejection, also one from an earlier stream.
    pub last_error: Option<Rejection>,
}

/// The state of a type at a proxy, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Delivery {
    /// Asked for; what was sent was accepted.
    Synced,
    /// Asked for, and nothing was sent.
    NotSent,
    /// What was sent last is not answered yet.
    Stale,
    /// What was answered last was rejected.
    Rejected,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Responses rejected, over all streams of the node.
    pub count: u64,
    pub message: String,
    /// Of the last one; RFC 3339.
    pub at: String,
    /// Nothing of the type was accepted since.
    pub standing: bool,
}

/// One proxy in detail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyDetail {
    pub proxy: ProxyJson,
    /// What it asked for by name, and what it has.
    pub resources: Vec<ResourceState>,
    /// Why `resources` is not complete, if it is not.
    pub unanswered: Option<String>,
    /// Its last load report on each cluster.
    pub loads: Vec<LoadState>,
}

/// The state of one resource at a proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceState {
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    /// `SYNCED`, `STALE`, `ERROR` or `NOT_SENT`, as CSDS says it.
    pub state: String,
    /// As last sent.
    pub version: Option<String>,
}

/// Requests to one locality of a cluster, as the proxy reported them last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadState {
    pub cluster: String,
    /// `region/zone/member`.
    pub locality: String,
    pub priority: u32,
    pub issued: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub in_progress: u64,
    /// Of the whole cluster.
    pub dropped: u64,
    /// What the sums are over.
    pub interval_seconds: u64,
    /// RFC 3339.
    pub at: String,
}

impl ProxyJson {
    /// `streams`: those of one node, oldest first; none if it is gone.
    pub fn new(node: &str, streams: &[StreamInfo], complaints: &Complaints) -> Self {
        let newest = streams.last();
        let client = newest.and_then(|stream| stream.client.as_ref());
        let place = client.map(|client| &client.class.client);
        let types = ResourceType::ALL.into_iter();
        Self {
            node: node.to_owned(),
            connected: newest.is_some(),
            namespace: client.and_then(|client| client.namespace.as_ref()).map(ToString::to_string),
            cluster: place.and_then(|place| place.cluster.as_ref()).map(ToString::to_string),
            region: place.map(|place| place.region.to_string()),
            zone: place.and_then(|place| place.zone.as_ref()).map(ToString::to_string),
            variant: newest.map(|stream| variant(stream.variant).to_owned()),
            profile: client.map(|client| profile(&client.class.profile)),
            peer: newest.and_then(|stream| stream.peer).map(|peer| peer.to_string()),
            since: streams.first().and_then(|stream| rfc3339(stream.since)),
            no_member: None,
            version: client.and_then(|client| client.version).map(|version| version.to_string()),
            notes: client.and_then(Client::lacks).into_iter().collect(),
            refused: None,
            streams: streams.len() as u64,
            types: types.filter_map(|t| TypeState::new(t, streams, complaints[t].as_ref())).collect(),
            admin: None,
        }
    }

    /// One that is refused.
    pub fn refused_client(client: &RefusedClient) -> Self {
        let RefusedClient { node, address, kind, message, count, first, last } = client;
        let time = |at: SystemTime| rfc3339(at).unwrap_or_default();
        let refused = RefusedJson {
            reason: kind.label().to_owned(),
            message: message.to_string(),
            count: *count,
            first: time(*first),
            last: time(*last),
        };
        let mut view = Self::new(node, &[], &Complaints::default());
        view.peer = Some(address.to_string());
        view.since = rfc3339(*first);
        view.refused = Some(refused);
        view
    }

    /// Adds what the control plane knows of the member that the proxy says it is in.
    pub fn placed(mut self, members: &BTreeMap<ClusterId, Arc<MemberReport>>) -> Self {
        let sidecar = self.profile.as_deref().is_some_and(|profile| profile.starts_with(SIDECAR));
        self.no_member = match self.cluster.as_deref() {
            None if sidecar => {
                Some("its node metadata has no CLUSTER_ID; expected the name of its MemberCluster".to_owned())
            }
            None => None,
            Some(named) => match members.iter().find(|(id, _)| id.as_str() == named) {
                Some((_, report)) if report.admitted.is_some() => None,
                Some((_, report)) if report.missing => {
                    Some(format!("member {named:?} is not known yet: {}", why_unknown(report)))
                }
                Some(_) => Some(format!("member {named:?} is not admitted: `isthmus status` says why")),
                None => Some(format!("there is no MemberCluster {named:?}, which its CLUSTER_ID names")),
            },
        };
        let region = self.region.as_deref().filter(|_| self.no_member.is_none());
        if let Some(region) = region.filter(|region| !members.values().any(|member| member.region.as_str() == *region))
        {
            self.notes.push(format!(
                "no member is in region {region:?}, which its node.locality.region names: no endpoint counts as near; expected \
                 the name of a Region that has members"
            ));
        }
        self
    }

    /// The state of the proxy as a whole.
    pub fn worst(&self) -> Option<Delivery> {
        self.types.iter().map(|found| found.state).max()
    }
}

impl TypeState {
    /// Of several streams that ask for a type, the worst one counts.
    fn new(resource_type: ResourceType, streams: &[StreamInfo], complaint: Option<&Complaint>) -> Option<Self> {
        let last_error = complaint.map(Rejection::from);
        let subscribed = streams.iter().filter(|stream| stream.of(resource_type).subscribed);
        let of_streams = subscribed.map(|stream| {
            let (status, since) = (stream.of(resource_type), stream.pending_since[resource_type]);
            Self {
                kind: resource_type.label().to_owned(),
                state: state(status),
                wildcard: status.wildcard,
                names: status.names as u64,
                sent: status.sent,
                acks: status.acks,
                nacks: status.nacks,
                version: (status.sent > 0).then(|| version_text(status.version)),
                acked_version: status.acked_version.map(version_text),
                pending_since: since.and_then(rfc3339),
                last_error: last_error.clone(),
            }
        });
        // A proxy that is gone: its last state.
        let gone = || complaint.filter(|_| streams.is_empty()).map(|complaint| Self::gone(resource_type, complaint));
        of_streams.max_by_key(|found| found.state).or_else(gone)
    }

    fn gone(resource_type: ResourceType, complaint: &Complaint) -> Self {
        Self {
            kind: resource_type.label().to_owned(),
            state: if complaint.standing { Delivery::Rejected } else { Delivery::Synced },
            wildcard: false,
            names: 0,
            sent: 0,
            acks: 0,
            nacks: complaint.count,
            version: None,
            acked_version: None,
            pending_since: None,
            last_error: Some(complaint.into()),
        }
    }
}

fn state(status: &TypeStatus) -> Delivery {
    match status {
        TypeStatus { rejected: true, .. } => Delivery::Rejected,
        TypeStatus { outstanding: true, .. } => Delivery::Stale,
        TypeStatus { reached: true, .. } => Delivery::Synced,
        _ => Delivery::NotSent,
    }
}

impl From<&Complaint> for Rejection {
    fn from(complaint: &Complaint) -> Self {
        let Complaint { count, error, at, standing } = complaint;
        let at = rfc3339(*at).unwrap_or_default();
        Self { count: *count, message: error.to_string(), at, standing: *standing }
    }
}

impl ResourceState {
    pub fn new(resource_type: ResourceType, held: &Held) -> Self {
        Self {
            kind: resource_type.label().to_owned(),
            name: held.name.to_string(),
            state: state_text(held.state).to_owned(),
            version: held.version.map(version_text),
        }
    }
}

pub fn state_text(state: State) -> &'static str {
    match state {
        State::Synced => "SYNCED",
        State::Stale => "STALE",
        State::Error => "ERROR",
        State::NotSent => "NOT_SENT",
    }
}

impl LoadState {
    pub fn all(report: &LoadReport) -> Vec<Self> {
        report.iter().flat_map(|(cluster, load)| Self::of(cluster, load)).collect()
    }

    fn of(cluster: &str, load: &ClusterLoad) -> impl Iterator<Item = Self> {
        load.localities.iter().map(move |at| Self {
            cluster: cluster.to_owned(),
            locality: [&*at.region, &*at.zone, &*at.sub_zone].join("/"),
            priority: at.priority,
            issued: at.issued,
            succeeded: at.succeeded,
            failed: at.failed,
            in_progress: at.in_progress,
            dropped: load.dropped,
            interval_seconds: load.interval.as_secs(),
            at: rfc3339(load.at).unwrap_or_default(),
        })
    }
}

fn variant(variant: Variant) -> &'static str {
    match variant {
        Variant::Delta => "delta",
        Variant::Sotw => "sotw",
    }
}

fn profile(profile: &Profile) -> String {
    let Profile::Envoy(EnvoyProfile { interception, on_demand, leds, .. }) = profile else {
        return "grpc".to_owned();
    };
    let kind = match interception {
        Interception::Redirect => SIDECAR,
        Interception::None | Interception::Unset => "envoy",
    };
    let special = [(*on_demand, ",on-demand"), (*leds, ",leds")];
    let special = special.into_iter().filter_map(|(is, text)| is.then_some(text));
    std::iter::once(kind).chain(special).collect()
}

fn rfc3339(at: SystemTime) -> Option<String> {
    jiff::Timestamp::try_from(at).ok().map(|at| at.to_string())
}
