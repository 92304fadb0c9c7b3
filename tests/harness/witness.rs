//! A proxy that only listens: it subscribes to all clusters and their endpoints over ADS, acknowledges what comes, and
//! keeps it. What it was not sent did not change: an unchanged resource is never sent again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3::{Locality, Node};
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;

use super::{SOON, Scene};
use crate::testbed::eventually;

const CLUSTERS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const ENDPOINTS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";
const QUEUE: usize = 16;

/// One stream; it ends when this is dropped.
pub struct Witness {
    received: Arc<Mutex<Received>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Received {
    responses: u64,
    /// When each came.
    at: Vec<Instant>,
    clusters: BTreeMap<String, Cluster>,
    assignments: BTreeMap<String, ClusterLoadAssignment>,
    ended: Option<String>,
}

impl Witness {
    /// Connects as a proxy of a region and zone, in no member in particular.
    pub async fn start(xds: SocketAddr, region: &str, zone: &str) -> Self {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{xds}")).expect("an address");
        let client = AggregatedDiscoveryServiceClient::new(channel.connect().await.expect("connect to the region"));
        let locality = Locality { region: region.to_owned(), zone: zone.to_owned(), ..Locality::default() };
        let node = Node { id: format!("witness.{zone}"), locality: Some(locality), ..Node::default() };
        let received = Arc::new(Mutex::new(Received::default()));
        let task = tokio::spawn(listen(client, node, Arc::clone(&received)));
        Self { received, task }
    }

    /// Waits until some cluster whose name contains `part` has this many endpoints.
    pub async fn has_endpoints(&self, part: &str, count: usize) {
        eventually(&format!("xDS: {part} with {count} endpoints"), SOON, async || {
            let received = self.lock();
            let found: Vec<(&String, usize)> = received
                .assignments
                .iter()
                .filter(|(name, _)| name.contains(part))
                .map(|(name, assignment)| (name, assignment.endpoints.iter().map(|tier| tier.lb_endpoints.len()).sum()))
                .collect();
            if found.iter().any(|(_, endpoints)| *endpoints == count) { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    /// Everything it was sent, and how often it was sent anything.
    pub fn scene(&self) -> Scene {
        let received = self.lock();
        assert_eq!(received.ended, None, "the stream ended");
        let mut scene = Scene::of("xds responses", &received.responses);
        for (name, cluster) in &received.clusters {
            scene = scene + Scene::of(&format!("xds cluster {name}"), cluster);
        }
        for (name, assignment) in &received.assignments {
            scene = scene + Scene::of(&format!("xds endpoints {name}"), assignment);
        }
        scene
    }

    /// When each response came.
    pub fn response_times(&self) -> Vec<Instant> {
        self.lock().at.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(
    mut client: AggregatedDiscoveryServiceClient<tonic::transport::Channel>,
    node: Node,
    received: Arc<Mutex<Received>>,
) {
    let (sender, requests) = mpsc::channel(QUEUE);
    let first = DiscoveryRequest { node: Some(node), type_url: CLUSTERS.to_owned(), ..DiscoveryRequest::default() };
    sender.send(first).await.expect("room for one");
    let ended = match client.stream_aggregated_resources(ReceiverStream::new(requests)).await {
        Err(status) => status.to_string(),
        Ok(answer) => {
            let mut stream = answer.into_inner();
            loop {
                match stream.message().await {
                    Ok(Some(response)) => take(&response, &received, &sender).await,
                    Ok(None) => break "the region closed it".to_owned(),
                    Err(status) => break status.to_string(),
                }
            }
        }
    };
    received.lock().unwrap_or_else(PoisonError::into_inner).ended = Some(ended);
}

/// Keeps what came and acknowledges it; clusters that came are asked for their endpoints.
async fn take(response: &DiscoveryResponse, received: &Mutex<Received>, sender: &mpsc::Sender<DiscoveryRequest>) {
    let at = Instant::now();
    let mut acknowledge = DiscoveryRequest {
        version_info: response.version_info.clone(),
        response_nonce: response.nonce.clone(),
        type_url: response.type_url.clone(),
        ..DiscoveryRequest::default()
    };
    let mut follow = None;
    {
        let mut received = received.lock().unwrap_or_else(PoisonError::into_inner);
        received.responses += 1;
        received.at.push(at);
        if response.type_url == CLUSTERS {
            let decode =
                |any: &envoy_types::pb::google::protobuf::Any| Cluster::decode(&*any.value).expect("a Cluster");
            let clusters = response.resources.iter().map(decode);
            received.clusters = clusters.map(|cluster| (cluster.name.clone(), cluster)).collect();
            follow = Some(assignments_of(&received.clusters));
        } else {
            for any in &response.resources {
                let assignment = ClusterLoadAssignment::decode(&*any.value).expect("a ClusterLoadAssignment");
                received.assignments.insert(assignment.cluster_name.clone(), assignment);
            }
            acknowledge.resource_names = assignments_of(&received.clusters);
        }
    }
    let _ = sender.send(acknowledge).await;
    if let Some(resource_names) = follow {
        let request =
            DiscoveryRequest { type_url: ENDPOINTS.to_owned(), resource_names, ..DiscoveryRequest::default() };
        let _ = sender.send(request).await;
    }
}

fn assignments_of(clusters: &BTreeMap<String, Cluster>) -> Vec<String> {
    let with_endpoints = clusters.values().filter_map(|cluster| {
        let eds = cluster.eds_cluster_config.as_ref()?;
        Some(if eds.service_name.is_empty() { cluster.name.clone() } else { eds.service_name.clone() })
    });
    with_endpoints.collect()
}
