//! The answer: what clients have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use envoy_types::pb::envoy::admin::v3::UpdateFailureState;
use envoy_types::pb::envoy::config::core::v3::{Locality, Node};
use envoy_types::pb::envoy::service::status::v3::client_config::GenericXdsConfig;
use envoy_types::pb::envoy::service::status::v3::{ClientConfig, ClientStatusResponse, ConfigStatus};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Any, Struct, Timestamp, Value};
use prost::Message;
use tonic::Status;

use super::matcher::Matcher;
use crate::class::Client;
use crate::resource::{ResourceType, version_text};
use crate::server::streams::{Complaint, Complaints, StreamInfo, Streams};
use crate::session::{Held, Inspection, State, TypeStatus, Variant};

/// Resources in one answer, contents included or not.
const MAX_RESOURCES: usize = 200_000;
/// Bytes of contents in one answer.
const MAX_CONTENT: usize = 256 << 20;

pub(super) async fn answer(
    matcher: &Matcher,
    contents: bool,
    streams: &Streams,
) -> Result<ClientStatusResponse, Status> {
    // A node may have several streams: one for each type, or an old one that is about to end.
    let mut nodes: BTreeMap<Arc<str>, Vec<StreamInfo>> = BTreeMap::new();
    for stream in streams.list() {
        if let Some(client) = stream.client.as_ref().filter(|client| matcher.matches(&client.node_id)) {
            nodes.entry(Arc::from(&*client.node_id)).or_default().push(stream);
        }
    }
    let mut room = Room { resources: MAX_RESOURCES, content: MAX_CONTENT };
    let mut config = Vec::new();
    for (id, open) in nodes {
        let mut node =
            NodeConfigs { complaints: streams.complaints(&id), contents, seen: BTreeSet::new(), configs: Vec::new() };
        // What the newest stream reports counts.
        for stream in open.iter().rev() {
            match streams.inspect(stream.id).await {
                Ok(inspection) => node.resources(&inspection, &mut room)?,
                Err(_) => node.types(stream),
            }
        }
        let newest = open.last().and_then(|stream| stream.client.as_ref());
        config.push(ClientConfig {
            node: newest.map(describe),
            generic_xds_configs: node.configs,
            ..ClientConfig::default()
        });
    }
    Ok(ClientStatusResponse { config })
}

/// What an answer may still hold.
struct Room {
    resources: usize,
    content: usize,
}

/// What is answered about one node.
struct NodeConfigs {
    complaints: Complaints,
    contents: bool,
    seen: BTreeSet<(ResourceType, Arc<str>)>,
    configs: Vec<GenericXdsConfig>,
}

impl NodeConfigs {
    fn resources(&mut self, inspection: &Inspection, room: &mut Room) -> Result<(), Status> {
        for resource_type in ResourceType::ALL {
            for held in inspection.held(resource_type) {
                if !self.seen.insert((resource_type, held.name.clone())) {
                    continue;
                }
                let config = self.one(resource_type, held, inspection)?;
                let content = config.xds_config.as_ref().map_or(0, |any| any.value.len());
                let (Some(resources), Some(content)) =
                    (room.resources.checked_sub(1), room.content.checked_sub(content))
                else {
                    return Err(Status::resource_exhausted(format!(
                        "the answer has more than {MAX_RESOURCES} resources or {MAX_CONTENT} bytes; narrow it down with `node_matchers`, or set `exclude_resource_contents`"
                    )));
                };
                *room = Room { resources, content };
                self.configs.push(config);
            }
        }
        Ok(())
    }

    fn one(
        &self,
        resource_type: ResourceType,
        held: Held,
        inspection: &Inspection,
    ) -> Result<GenericXdsConfig, Status> {
        let any = |held: &Held| held.resource.as_ref().map(|resource| Any::decode(resource.any_bytes())).transpose();
        let content = if self.contents { any(&held) } else { Ok(None) };
        let content = content.map_err(|error| Status::internal(format!("{} does not decode: {error}", held.name)))?;
        // What the client sees: in state of the world, the version of the whole.
        let version = match inspection.variant {
            Variant::Delta => held.version,
            Variant::Sotw => held.version.map(|_| inspection.version(resource_type)),
        };
        let version_info = version.map(version_text).unwrap_or_default();
        let complaint = self.complaints[resource_type].as_ref();
        // Also while what a client rejected before it connected again waits for its answer.
        let failed =
            held.state == State::Error || (held.state == State::Stale && complaint.is_some_and(|c| c.standing));
        Ok(GenericXdsConfig {
            type_url: resource_type.url().to_owned(),
            name: held.name.to_string(),
            config_status: status(held.state).into(),
            error_state: complaint.filter(|_| failed).map(|complaint| UpdateFailureState {
                failed_configuration: content.clone().filter(|_| held.state == State::Error),
                version_info: version_info.clone(),
                ..failure(complaint)
            }),
            xds_config: content,
            version_info,
            ..GenericXdsConfig::default()
        })
    }

    /// All that is known of a stream whose client does not read: the state of each type as a whole.
    fn types(&mut self, stream: &StreamInfo) {
        for resource_type in ResourceType::ALL {
            let found = stream.of(resource_type);
            let name: Arc<str> = Arc::from("");
            if !found.subscribed || !self.seen.insert((resource_type, name)) {
                continue;
            }
            let complaint = self.complaints[resource_type].as_ref().filter(|_| found.rejected);
            self.configs.push(GenericXdsConfig {
                type_url: resource_type.url().to_owned(),
                version_info: if found.sent > 0 { version_text(found.version) } else { String::new() },
                config_status: status(state(found)).into(),
                error_state: complaint.map(failure),
                ..GenericXdsConfig::default()
            });
        }
    }
}

/// The state of a type as a whole.
fn state(status: &TypeStatus) -> State {
    match status {
        TypeStatus { outstanding: true, .. } => State::Stale,
        TypeStatus { rejected: true, .. } => State::Error,
        TypeStatus { reached: true, .. } => State::Synced,
        _ => State::NotSent,
    }
}

fn status(state: State) -> ConfigStatus {
    match state {
        State::Synced => ConfigStatus::Synced,
        State::Stale => ConfigStatus::Stale,
        State::Error => ConfigStatus::Error,
        State::NotSent => ConfigStatus::NotSent,
    }
}

fn failure(complaint: &Complaint) -> UpdateFailureState {
    UpdateFailureState {
        last_update_attempt: Some(timestamp(complaint.at)),
        details: complaint.error.to_string(),
        ..UpdateFailureState::default()
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default(),
    }
}

/// The node as far as it was kept.
fn describe(client: &Client) -> Node {
    let place = &client.class.client;
    let zone = place.zone.as_ref().map(ToString::to_string).unwrap_or_default();
    let text = |text: String| Value { kind: Some(Kind::StringValue(text)) };
    let kept = [
        ("CLUSTER_ID", place.cluster.as_ref().map(ToString::to_string)),
        ("NAMESPACE", client.namespace.as_ref().map(ToString::to_string)),
    ];
    let fields = kept.into_iter().filter_map(|(key, value)| Some((key.to_owned(), text(value?)))).collect();
    Node {
        id: client.node_id.clone(),
        locality: Some(Locality { region: place.region.to_string(), zone, ..Locality::default() }),
        metadata: Some(Struct { fields }),
        ..Node::default()
    }
}
