//! The end of a region's control plane, as its proxies see it.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;
use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

use super::world::world;
use crate::harness::{Isthmus, Source};

const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const LIMIT: Duration = Duration::from_secs(30);
/// Enough that their streams are closed one after another.
const PROXIES: usize = 50;

struct Proxy {
    /// Open as long as the proxy does not want to leave.
    _requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

/// Each stream is closed with the advice to use another replica, and none because its snapshots ended before.
#[tokio::test(flavor = "multi_thread")]
async fn every_proxy_is_served_until_its_stream_is_closed() {
    let world = world();
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    region.wait_ready().await;
    let mut proxies = Vec::new();
    for number in 0..PROXIES {
        proxies.push(connect(&region, number).await);
    }
    let connections = region.metrics().await["isthmus_xds_connections"];
    assert_eq!(connections, PROXIES as f64);

    let ends = async {
        for mut proxy in proxies {
            let status = proxy.end().await;
            assert_eq!(status.code(), Code::Unavailable, "{status}");
            // The message of a stream that the server closes; one whose snapshots ended has another message.
            assert!(status.message().contains("another one may serve you"), "{status}");
        }
    };
    let (code, ()) = tokio::join!(region.stop(), ends);
    assert_eq!(code, Some(0));
}

impl Proxy {
    async fn end(&mut self) -> Status {
        loop {
            match tokio::time::timeout(LIMIT, self.responses.message()).await.expect("an end in time") {
                Ok(Some(_)) => {}
                Ok(None) => panic!("expected a status"),
                Err(status) => return status,
            }
        }
    }
}

/// One connection with one stream, which has had its first answer.
async fn connect(region: &Isthmus, number: usize) -> Proxy {
    let channel = Channel::from_shared(format!("http://{}", region.xds())).unwrap().connect().await.unwrap();
    let (requests, receiver) = mpsc::channel(4);
    let ask = DeltaDiscoveryRequest {
        node: Some(Node { id: format!("proxy-{number}"), ..Node::default() }),
        type_url: CLUSTER.to_owned(),
        ..DeltaDiscoveryRequest::default()
    };
    requests.send(ask).await.unwrap();
    let mut client = AggregatedDiscoveryServiceClient::new(channel);
    let mut responses = client.delta_aggregated_resources(ReceiverStream::new(receiver)).await.unwrap().into_inner();
    tokio::time::timeout(LIMIT, responses.message()).await.expect("an answer in time").unwrap().unwrap();
    Proxy { _requests: requests, responses }
}
