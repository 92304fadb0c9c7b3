//! The JSON of pages and commands that show services, streams and proxies. Field names are stable. That of members is
//! [`clusters::conditions::json`].

pub mod proxy;

use regions::resource::ResourceType;
use regions::server::StreamInfo;
use regions::session::Variant;
use serde::{Deserialize, Serialize};

use crate::process::engine::ServiceSummary;

/// One merged service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceJson {
    pub namespace: String,
    pub name: String,
    /// Contributing clusters, oldest export first.
    pub clusters: Vec<String>,
    /// `name:port/protocol/application protocol`.
    pub ports: Vec<String>,
    pub ready: u64,
    pub endpoints: u64,
}

impl From<ServiceSummary> for ServiceJson {
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
pub struct StreamJson {
    pub node: Option<String>,
    pub region: Option<String>,
    pub zone: Option<String>,
    pub cluster: Option<String>,
    /// `delta` or `sotw`.
    pub protocol: String,
    pub peer: Option<String>,
    pub types: Vec<TypeJson>,
}

/// The state of one resource type on a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeJson {
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

impl StreamJson {
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
                .map(|(kind, status)| TypeJson {
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
