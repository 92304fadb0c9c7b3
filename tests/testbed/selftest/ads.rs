//! What a control plane hears first from a test's Envoy.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::protobuf::value::Kind;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

use crate::testbed::{Envoy, EnvoySpec, ports};

const LIMIT: Duration = Duration::from_secs(20);
/// Envoy's first request lists all its extensions.
const MAX_REQUEST_BYTES: usize = 1 << 20;

#[derive(Debug)]
struct FirstRequest {
    delta: bool,
    type_url: String,
    node: Node,
    authorization: Option<String>,
}

/// A control plane that never answers.
struct SilentServer(mpsc::UnboundedSender<FirstRequest>);

impl SilentServer {
    fn report(&self, delta: bool, type_url: String, node: Option<Node>, authorization: Option<String>) {
        let _ = self.0.send(FirstRequest { delta, type_url, node: node.unwrap_or_default(), authorization });
    }
}

fn authorization<T>(request: &Request<T>) -> Option<String> {
    Some(request.metadata().get("authorization")?.to_str().ok()?.to_owned())
}

type Silence<T> = tokio_stream::Pending<Result<T, Status>>;

#[tonic::async_trait]
impl discovery::aggregated_discovery_service_server::AggregatedDiscoveryService for SilentServer {
    type StreamAggregatedResourcesStream = Silence<discovery::DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Silence<discovery::DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<discovery::DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let authorization = authorization(&request);
        if let Some(first) = request.into_inner().message().await? {
            self.report(false, first.type_url, first.node, authorization);
        }
        Ok(Response::new(tokio_stream::pending()))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<discovery::DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let authorization = authorization(&request);
        if let Some(first) = request.into_inner().message().await? {
            self.report(true, first.type_url, first.node, authorization);
        }
        Ok(Response::new(tokio_stream::pending()))
    }
}

/// The first request of an Envoy whose first control plane address
/// is dead.
async fn first_request(change: impl FnOnce(&mut EnvoySpec)) -> FirstRequest {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let alive = listener.local_addr().unwrap();
    let (sender, mut requests) = mpsc::unbounded_channel();
    let service =
        discovery::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer::new(SilentServer(sender))
            .max_decoding_message_size(MAX_REQUEST_BYTES);
    let server = tonic::transport::Server::builder().add_service(service);
    let server = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let dead = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
    let mut spec = EnvoySpec::new("node-7", "r7", "z7", alive).metadata("CLUSTER_ID", "east");
    spec.xds = vec![dead, alive];
    change(&mut spec);
    let _envoy = Envoy::start(spec).await;
    let first = tokio::time::timeout(LIMIT, requests.recv()).await.expect("Envoy asks").expect("the server lives");
    server.abort();
    first
}

#[tokio::test]
async fn an_incremental_envoy_says_who_and_where_it_is() {
    let request = first_request(|spec| spec.token = Some("sesame".to_owned())).await;
    assert!(request.delta);
    assert_eq!(request.type_url, "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    assert_eq!(request.authorization.as_deref(), Some("Bearer sesame"));
    let locality = request.node.locality.unwrap();
    assert_eq!((request.node.id.as_str(), locality.region.as_str(), locality.zone.as_str()), ("node-7", "r7", "z7"));
    let metadata = request.node.metadata.unwrap().fields;
    assert_eq!(metadata["CLUSTER_ID"].kind, Some(Kind::StringValue("east".to_owned())));
}

#[tokio::test]
async fn an_envoy_can_ask_for_the_state_of_the_world() {
    let request = first_request(|spec| spec.delta = false).await;
    assert!(!request.delta);
    assert_eq!(request.type_url, "type.googleapis.com/envoy.config.cluster.v3.Cluster");
    assert_eq!((request.node.id.as_str(), request.authorization), ("node-7", None));
}
