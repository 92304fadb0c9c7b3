//! A bare delta ADS client: everything a control plane has for a node, byte by byte.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{Locality, Node};
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

pub(super) const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
pub(super) const ASSIGNMENT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
pub(super) const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
pub(super) const SCOPE: &str = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration";
/// Nothing more for this long means that this was all.
const QUIET: Duration = Duration::from_secs(2);
const FIRST_ANSWER: Duration = Duration::from_secs(20);
const MAX_RESPONSES: usize = 1_000;

/// `(type, name)` to `(version, bytes)`.
pub(super) type Resources = BTreeMap<(&'static str, String), (String, Vec<u8>)>;

pub(super) fn node(region: &str, zone: &str, cluster: Option<&str>) -> Node {
    let text = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let cluster = cluster.map(|id| ("CLUSTER_ID".to_owned(), text(id)));
    let metadata = cluster.into_iter().chain([("CLUSTERS".to_owned(), text("eager"))]);
    Node {
        id: format!("{region}-{zone}"),
        locality: Some(Locality { region: region.to_owned(), zone: zone.to_owned(), sub_zone: String::new() }),
        metadata: Some(Struct { fields: metadata.collect() }),
        ..Node::default()
    }
}

/// Subscribes to all clusters, listeners and scopes, and to the load assignment of each cluster.
pub(super) async fn everything(xds: SocketAddr, node: &Node) -> Resources {
    let mut stream = Client::open(xds).await;
    stream.ask(CLUSTER, node, Vec::new()).await;
    let mut found = Resources::new();
    stream.collect(&mut found, FIRST_ANSWER).await;
    let names: Vec<String> = found.keys().filter(|(kind, _)| *kind == CLUSTER).map(|(_, name)| name.clone()).collect();
    stream.ask(ASSIGNMENT, node, names).await;
    stream.ask(LISTENER, node, Vec::new()).await;
    stream.ask(SCOPE, node, Vec::new()).await;
    stream.collect(&mut found, QUIET).await;
    found
}

struct Client {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl Client {
    async fn open(xds: SocketAddr) -> Self {
        let channel = Channel::from_shared(format!("http://{xds}")).unwrap().connect().await.unwrap();
        let (requests, receiver) = mpsc::channel(16);
        let mut client = AggregatedDiscoveryServiceClient::new(channel).max_decoding_message_size(64 << 20);
        let responses = client.delta_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Self { requests, responses }
    }

    /// No names means all there are.
    async fn ask(&self, kind: &str, node: &Node, names: Vec<String>) {
        let request = DeltaDiscoveryRequest {
            node: Some(node.clone()),
            type_url: kind.to_owned(),
            resource_names_subscribe: names,
            ..DeltaDiscoveryRequest::default()
        };
        self.requests.send(request).await.unwrap();
    }

    /// Takes and acknowledges what comes until nothing does.
    async fn collect(&mut self, found: &mut Resources, mut patience: Duration) {
        for _ in 0..MAX_RESPONSES {
            let Ok(message) = tokio::time::timeout(patience, self.responses.message()).await else { return };
            let response = message.unwrap().expect("the stream stays open");
            patience = QUIET;
            let kind = [CLUSTER, ASSIGNMENT, LISTENER, SCOPE].into_iter().find(|kind| *kind == response.type_url);
            let kind = kind.unwrap_or_else(|| panic!("{} was not subscribed to", response.type_url));
            let ack = DeltaDiscoveryRequest {
                type_url: response.type_url.clone(),
                response_nonce: response.nonce,
                ..DeltaDiscoveryRequest::default()
            };
            self.requests.send(ack).await.unwrap();
            for resource in response.resources {
                let any = resource.resource.expect("a body");
                assert_eq!(any.type_url, response.type_url);
                found.insert((kind, resource.name), (resource.version, any.value));
            }
            for name in response.removed_resources {
                found.remove(&(kind, name));
            }
        }
        panic!("{MAX_RESPONSES} responses and no end");
    }
}
