//! A scripted delta ADS client, for tests about what clients do and say.

use std::net::SocketAddr;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use envoy_types::pb::google::rpc::Status;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

pub const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
pub const ASSIGNMENT: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const PATIENCE: Duration = Duration::from_secs(20);

pub struct AdsClient {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl AdsClient {
    pub async fn open(xds: SocketAddr) -> Self {
        Self::open_from(xds, [127, 0, 0, 1]).await
    }

    /// From another address of this machine.
    pub async fn open_from(xds: SocketAddr, address: [u8; 4]) -> Self {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{xds}")).unwrap();
        let channel = endpoint.local_address(Some(address.into())).connect().await.unwrap();
        let mut client = AggregatedDiscoveryServiceClient::new(channel);
        let (requests, receiver) = mpsc::channel(16);
        let responses = client.delta_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Self { requests, responses }
    }

    /// Asks, and answers what comes: with an error if there is one to report.
    pub async fn take(&mut self, node: &str, type_url: &str, names: &[&str], error: Option<&str>) {
        self.ask(node, type_url, names).await;
        self.next(error).await;
    }

    pub async fn ask(&self, node: &str, type_url: &str, names: &[&str]) {
        self.ask_as(Node { id: node.to_owned(), ..Node::default() }, type_url, names).await;
    }

    /// The same with all that a node may say.
    pub async fn ask_as(&self, node: Node, type_url: &str, names: &[&str]) {
        let node = Some(node);
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let type_url = type_url.to_owned();
        let ask = DeltaDiscoveryRequest { node, type_url, resource_names_subscribe: names, ..Default::default() };
        self.requests.send(ask).await.unwrap();
    }

    /// Unsubscribes.
    pub async fn forget(&self, type_url: &str, name: &str) {
        let (type_url, names) = (type_url.to_owned(), vec![name.to_owned()]);
        let ask = DeltaDiscoveryRequest { type_url, resource_names_unsubscribe: names, ..Default::default() };
        self.requests.send(ask).await.unwrap();
    }

    /// The next response, which is acknowledged, or rejected with this error.
    pub async fn next(&mut self, error: Option<&str>) -> DeltaDiscoveryResponse {
        let response = tokio::time::timeout(PATIENCE, self.responses.message()).await.expect("an answer in time");
        let response = response.unwrap().expect("a response");
        let error_detail = error.map(|error| Status { code: 3, message: error.to_owned(), details: Vec::new() });
        let (type_url, response_nonce) = (response.type_url.clone(), response.nonce.clone());
        let answer = DeltaDiscoveryRequest { type_url, response_nonce, error_detail, ..Default::default() };
        self.requests.send(answer).await.unwrap();
        response
    }
}
