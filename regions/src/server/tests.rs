//! Real streams over loopback, with a generated client.

mod bad_clients;
mod csds;
mod fuzz;
mod hogs;
mod hostile_bytes;
mod lrs;
mod refused;

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3 as xds;
use envoy_types::pb::google::rpc;
use federation::Effects;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Streaming};
use xds::aggregated_discovery_service_client::AggregatedDiscoveryServiceClient;

use super::*;
use crate::catalog::{Catalog, channel};
use crate::resource::ResourceType;
use crate::testing::*;

/// Nothing here takes longer unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on loopback, and the thread that owns its catalog.
struct Server {
    at: SocketAddr,
    effects: mpsc::Sender<Effects>,
    stats: Arc<Stats>,
    streams: Streams,
    loads: Loads,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(effects: Effects) -> Self {
        Self::start_with_limits(effects, StartLimits::default()).await
    }

    async fn start_with_limits(effects: Effects, start_limits: StartLimits) -> Self {
        let stats = Arc::new(Stats::default());
        let (catalog, mut commands) = channel();
        let (sender, mut changes) = mpsc::channel::<Effects>(8);
        let mut owned = Catalog::new(stats.clone());
        owned.apply(&two_members());
        owned.apply(&effects);
        owned.set_ready();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    Some(command) = commands.recv() => owned.handle_command(command),
                    Some(effects) = changes.recv() => owned.apply(&effects),
                    else => break,
                }
            }
        });
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let at = listener.local_addr().expect("an address");
        let streams = Streams::default();
        let loads = Loads::default();
        let shared = Shared {
            catalog,
            defaults: Arc::new(defaults()),
            start_limits,
            identifier: Arc::from("eu/test"),
            stats: stats.clone(),
            streams: streams.clone(),
            loads: loads.clone(),
        };
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(serve(
            vec![Listening { listener, tls: None }],
            shared,
            Limits { drain: Duration::from_secs(1), ..Limits::default() },
            async move { drop(stopped.await) },
        ));
        Self { at, effects: sender, stats, streams, loads, stop: Some(stop), served }
    }

    async fn client(&self) -> AggregatedDiscoveryServiceClient<Channel> {
        let client = AggregatedDiscoveryServiceClient::connect(format!("http://{}", self.at)).await.expect("connected");
        client.max_decoding_message_size(MAX_REQUEST_LEN)
    }

    async fn channel(&self) -> Channel {
        let endpoint = Channel::from_shared(format!("http://{}", self.at)).expect("an address");
        endpoint.connect().await.expect("connected")
    }

    /// Waits until a condition holds that no message reports.
    async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        let reached = async {
            while !so(self) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{what}: not in time"));
    }

    async fn delta(&self) -> TestStream<xds::DeltaDiscoveryRequest, xds::DeltaDiscoveryResponse> {
        let (requests, receiver) = mpsc::channel(8);
        let responses = self.client().await.delta_aggregated_resources(ReceiverStream::new(receiver)).await;
        TestStream { requests, responses: responses.expect("a stream").into_inner() }
    }

    async fn sotw(&self) -> TestStream<xds::DiscoveryRequest, xds::DiscoveryResponse> {
        let (requests, receiver) = mpsc::channel(8);
        let responses = self.client().await.stream_aggregated_resources(ReceiverStream::new(receiver)).await;
        TestStream { requests, responses: responses.expect("a stream").into_inner() }
    }
}

struct TestStream<Req, Resp> {
    requests: mpsc::Sender<Req>,
    responses: Streaming<Resp>,
}

impl<Req, Resp> TestStream<Req, Resp> {
    async fn send(&self, request: Req) {
        self.requests.send(request).await.expect("an open stream");
    }

    async fn receive(&mut self) -> Result<Option<Resp>, tonic::Status> {
        tokio::time::timeout(PATIENCE, self.responses.message()).await.expect("an answer in time")
    }

    async fn response(&mut self) -> Resp {
        self.receive().await.expect("no error").expect("a response")
    }

    async fn refusal(&mut self) -> tonic::Status {
        match self.receive().await {
            Err(status) => status,
            Ok(_) => panic!("expected the stream to be refused"),
        }
    }
}

fn node(id: &str) -> Option<Node> {
    Some(Node { id: id.to_owned(), ..Node::default() })
}

fn url(resource_type: ResourceType) -> String {
    resource_type.url().to_owned()
}

fn names(response: &xds::DeltaDiscoveryResponse) -> Vec<&str> {
    response.resources.iter().map(|resource| &*resource.name).collect()
}

const WEB: &str = "outbound|80||web.shop.svc.cluster.local";

#[tokio::test]
async fn delta_from_first_request_to_shutdown() {
    let mut server = Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await;
    let mut talk = server.delta().await;
    let ask = |t: ResourceType| xds::DeltaDiscoveryRequest { type_url: url(t), ..<_>::default() };
    talk.send(xds::DeltaDiscoveryRequest { node: node("web-1"), ..ask(ResourceType::Cluster) }).await;
    let clusters = talk.response().await;
    assert_eq!(names(&clusters), ["BlackHoleCluster", "PassthroughCluster", WEB]);
    assert_eq!(clusters.control_plane.as_ref().map(|c| &*c.identifier), Some("eu/test"));
    let ack = |r: &xds::DeltaDiscoveryResponse| xds::DeltaDiscoveryRequest {
        type_url: r.type_url.clone(),
        response_nonce: r.nonce.clone(),
        ..<_>::default()
    };
    // Later requests carry no node, for every type.
    talk.send(ack(&clusters)).await;
    let request =
        xds::DeltaDiscoveryRequest { resource_names_subscribe: vec![WEB.to_owned()], ..ask(ResourceType::Assignment) };
    talk.send(request).await;
    let loads = talk.response().await;
    assert_eq!(names(&loads), [WEB]);
    let nack = xds::DeltaDiscoveryRequest {
        error_detail: Some(rpc::Status { message: "cannot".to_owned(), ..<_>::default() }),
        ..ack(&loads)
    };
    talk.send(nack).await;

    server.effects.send(services(vec![web("shop/web", &["10.8.0.2:80"])])).await.expect("sent");
    let loads = talk.response().await;
    assert_eq!((names(&loads), &*loads.type_url), (vec![WEB], ResourceType::Assignment.url()));

    let row = server.streams.list().pop().expect("a row");
    assert_eq!(row.client.as_ref().map(|client| &*client.node_id), Some("web-1"));
    let status = row.of(ResourceType::Assignment);
    assert_eq!((status.nacks, status.last_error.as_deref()), (1, Some("cannot")));
    assert_eq!(row.of(ResourceType::Cluster).acks, 1);
    let counted = server.stats.streams.of(ResourceType::Assignment);
    assert_eq!((counted.responses.get(), counted.nacks.get(), counted.acks.get()), (2, 1, 0));

    server.stop.take().expect("running").send(()).expect("sent");
    assert_eq!(talk.refusal().await.code(), Code::Unavailable, "go to another replica");
    drop(talk);
    tokio::time::timeout(PATIENCE, server.served).await.expect("ended").expect("no panic");
    assert!(server.streams.is_empty());
    assert_eq!(server.stats.streams.open_delta.get(), 0);
}

#[tokio::test]
async fn sotw_from_first_request_to_the_end_of_the_client() {
    let server = Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await;
    let mut talk = server.sotw().await;
    let ask = |t: ResourceType| xds::DiscoveryRequest { type_url: url(t), ..<_>::default() };
    talk.send(xds::DiscoveryRequest { node: node("web-1"), ..ask(ResourceType::Cluster) }).await;
    let clusters = talk.response().await;
    assert_eq!(clusters.resources.len(), 3);
    let ack = |r: &xds::DiscoveryResponse| xds::DiscoveryRequest {
        response_nonce: r.nonce.clone(),
        version_info: r.version_info.clone(),
        type_url: r.type_url.clone(),
        ..<_>::default()
    };
    talk.send(ack(&clusters)).await;
    talk.send(xds::DiscoveryRequest { resource_names: vec![WEB.to_owned()], ..ask(ResourceType::Assignment) }).await;
    let loads = talk.response().await;
    assert_eq!(loads.resources.len(), 1);
    talk.send(xds::DiscoveryRequest { resource_names: vec![WEB.to_owned()], ..ack(&loads) }).await;

    server.effects.send(services(vec![web("shop/pay", &["10.8.0.2:80"])])).await.expect("sent");
    let more = talk.response().await;
    assert_eq!((more.resources.len(), &*more.type_url), (4, ResourceType::Cluster.url()));
    assert_ne!(more.version_info, clusters.version_info);

    drop(talk);
    let gone = async {
        while server.stats.streams.open_sotw.get() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the stream ends with its client");
    assert!(server.streams.is_empty());
}

#[tokio::test]
async fn c01_and_c02_bad_nodes_are_refused_with_the_reason() {
    let server = Server::start(Effects::default()).await;
    let ask = |node| xds::DeltaDiscoveryRequest { node, type_url: url(ResourceType::Cluster), ..<_>::default() };
    for (bad, word) in [(None, "node"), (node(""), "node.id")] {
        let mut talk = server.delta().await;
        talk.send(ask(bad)).await;
        let status = talk.refusal().await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(word), "{}", status.message());
    }
    let mut talk = server.delta().await;
    talk.send(ask(node("web-1"))).await;
    talk.response().await;
    talk.send(ask(node("web-2"))).await;
    assert_eq!(talk.refusal().await.code(), Code::InvalidArgument);
    assert_eq!(server.stats.streams.refused.get(), 3);
}

#[tokio::test]
async fn c03_a_missing_type_is_refused_and_an_unknown_one_is_not() {
    let server = Server::start(Effects::default()).await;
    let mut talk = server.sotw().await;
    let ask = |type_url: &str| xds::DiscoveryRequest {
        node: node("web-1"),
        type_url: type_url.to_owned(),
        ..xds::DiscoveryRequest::default()
    };
    talk.send(ask("type.googleapis.com/envoy.service.runtime.v3.Runtime")).await;
    talk.send(ask(ResourceType::Listener.url())).await;
    assert_eq!(talk.response().await.type_url, ResourceType::Listener.url(), "the stream stayed open");
    talk.send(ask("")).await;
    assert_eq!(talk.refusal().await.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn requests_of_many_megabytes_are_read() {
    let server = Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await;
    let mut talk = server.delta().await;
    let known =
        (0..100_000).map(|i| (format!("outbound|80||{i:060}.svc.cluster.local"), "0123456789abcdef".to_owned()));
    talk.send(xds::DeltaDiscoveryRequest {
        node: node("web-1"),
        type_url: url(ResourceType::Cluster),
        initial_resource_versions: known.collect(),
        ..<_>::default()
    })
    .await;
    let response = talk.response().await;
    assert_eq!((response.resources.len(), response.removed_resources.len()), (3, 100_000));
}

#[tokio::test]
async fn c41_a_client_that_acknowledges_without_reading_is_not_listened_to() {
    let all = (0..2_000).map(|i| web(&format!("shop/s{i}"), &["10.8.0.1:80"])).collect();
    let server = Server::start(services(all)).await;
    let talk = server.delta().await;
    let ask = xds::DeltaDiscoveryRequest {
        node: node("web-1"),
        type_url: url(ResourceType::Cluster),
        resource_names_subscribe: vec!["*".to_owned()],
        ..<_>::default()
    };
    // Each of these would be answered with a megabyte. Sending ends when the server does not read any more.
    let mut sent = 0u32;
    let stuck = async {
        while sent < 1_000_000 {
            let next = xds::DeltaDiscoveryRequest { response_nonce: format!("{sent:x}"), ..ask.clone() };
            let full = tokio::time::timeout(Duration::from_millis(500), talk.requests.send(next)).await.is_err();
            if full {
                break;
            }
            sent += 1;
        }
    };
    tokio::time::timeout(PATIENCE, stuck).await.expect("in time");
    assert!((1..1_000_000).contains(&sent), "{sent} requests were taken from who does not read");
    let responses = server.stats.streams.of(ResourceType::Cluster).responses.get();
    assert!(responses < 10, "what it costs is bounded: {responses} responses of a megabyte");
    // Others are served as if it were not there.
    let mut other = server.delta().await;
    other.send(xds::DeltaDiscoveryRequest { node: node("web-2"), ..ask }).await;
    assert_eq!(other.response().await.resources.len(), 2_002);
}

#[tokio::test]
async fn c05_the_older_services_serve_their_part() {
    use envoy_types::pb::envoy::service::cluster::v3::cluster_discovery_service_client::ClusterDiscoveryServiceClient;
    use envoy_types::pb::envoy::service::endpoint::v3::endpoint_discovery_service_client::EndpointDiscoveryServiceClient;
    use envoy_types::pb::envoy::service::listener::v3::listener_discovery_service_client::ListenerDiscoveryServiceClient;
    use envoy_types::pb::envoy::service::route::v3::route_discovery_service_client::RouteDiscoveryServiceClient;
    use envoy_types::pb::envoy::service::route::v3::scoped_routes_discovery_service_client::ScopedRoutesDiscoveryServiceClient;
    let server = Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await;
    let at = format!("http://{}", server.at);
    // (a client, its two methods, the type, the names to ask for)
    macro_rules! part {
        ($client:ident, $stream:ident, $delta:ident, $t:expr, $names:expr) => {
            let names: Vec<String> = $names;
            let (requests, receiver) = mpsc::channel(8);
            let mut client = $client::connect(at.clone()).await.expect("connected");
            let responses = client.$stream(ReceiverStream::new(receiver)).await.expect("a stream").into_inner();
            let mut talk = TestStream { requests, responses };
            // Without a type: it is clear from the service.
            talk.send(xds::DiscoveryRequest {
                node: node("web-1"),
                resource_names: names.clone(),
                ..xds::DiscoveryRequest::default()
            })
            .await;
            let response = talk.response().await;
            assert_eq!(response.type_url, url($t));
            let expected = response.resources.len();
            assert!(expected > 0);
            talk.send(xds::DiscoveryRequest { type_url: "something else".to_owned(), ..<_>::default() }).await;
            assert_eq!(talk.refusal().await.code(), Code::InvalidArgument);

            let (requests, receiver) = mpsc::channel(8);
            let responses = client.$delta(ReceiverStream::new(receiver)).await.expect("a stream").into_inner();
            let mut talk = TestStream { requests, responses };
            talk.send(xds::DeltaDiscoveryRequest {
                node: node("web-1"),
                resource_names_subscribe: names,
                ..xds::DeltaDiscoveryRequest::default()
            })
            .await;
            let response = talk.response().await;
            assert_eq!((response.type_url.clone(), response.resources.len()), (url($t), expected));
        };
    }
    let web = || vec![WEB.to_owned()];
    part!(ClusterDiscoveryServiceClient, stream_clusters, delta_clusters, ResourceType::Cluster, vec![]);
    part!(EndpointDiscoveryServiceClient, stream_endpoints, delta_endpoints, ResourceType::Assignment, web());
    part!(ListenerDiscoveryServiceClient, stream_listeners, delta_listeners, ResourceType::Listener, vec![]);
    part!(RouteDiscoveryServiceClient, stream_routes, delta_routes, ResourceType::Route, web());
    part!(ScopedRoutesDiscoveryServiceClient, stream_scoped_routes, delta_scoped_routes, ResourceType::Scope, vec![]);
}

#[tokio::test]
async fn c04_nonces_are_unique_and_the_control_plane_has_a_name() {
    let server = Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await;
    let mut talk = server.delta().await;
    let mut nonces = std::collections::BTreeSet::new();
    for t in [ResourceType::Cluster, ResourceType::Listener, ResourceType::Scope] {
        let node = node("web-1").filter(|_| t == ResourceType::Cluster);
        talk.send(xds::DeltaDiscoveryRequest { node, type_url: url(t), ..<_>::default() }).await;
        let response = talk.response().await;
        assert_eq!(response.control_plane.as_ref().map(|c| &*c.identifier), Some("eu/test"));
        assert!(!response.nonce.is_empty() && nonces.insert(response.nonce.clone()), "{nonces:?}");
        let (type_url, response_nonce) = (response.type_url, response.nonce);
        talk.send(xds::DeltaDiscoveryRequest { type_url, response_nonce, ..<_>::default() }).await;
    }
}

#[tokio::test]
async fn c06_of_a_node_only_its_name_and_place_are_kept() {
    use envoy_types::pb::envoy::config::core::v3::Extension;
    let server = Server::start(Effects::default()).await;
    let mut talk = server.delta().await;
    let extension = Extension { name: "envoy.some.extension".repeat(20), ..Extension::default() };
    let node = node("web-1").map(|node| Node { extensions: vec![extension; 516], ..node });
    talk.send(xds::DeltaDiscoveryRequest { node, type_url: url(ResourceType::Cluster), ..<_>::default() }).await;
    talk.response().await;
    let row = server.streams.list().pop().expect("a row");
    assert!(!format!("{row:?}").contains("envoy.some.extension"), "{row:?}");
}

#[tokio::test]
async fn c40_a_storm_is_admitted_a_few_at_a_time() {
    let effects = services(vec![web("shop/web", &["10.8.0.1:80"])]);
    let server = Server::start_with_limits(effects, StartLimits::of(2, Arc::default())).await;
    let ask = |id: &str| xds::DeltaDiscoveryRequest {
        node: node(id),
        type_url: url(ResourceType::Cluster),
        ..xds::DeltaDiscoveryRequest::default()
    };
    let mut talks = Vec::new();
    for id in ["a", "b", "c"] {
        let talk = server.delta().await;
        talk.send(ask(id)).await;
        talks.push(talk);
    }
    let mut answers = Vec::new();
    for talk in &mut talks[..2] {
        answers.push(talk.response().await);
    }
    // The third client is not even read: nothing is known of it.
    let known = || server.streams.list().iter().filter(|row| row.client.is_some()).count();
    assert_eq!(known(), 2);
    // One of the others has read its answer, and makes room.
    let ack = xds::DeltaDiscoveryRequest {
        type_url: url(ResourceType::Cluster),
        response_nonce: answers[0].nonce.clone(),
        ..xds::DeltaDiscoveryRequest::default()
    };
    talks[0].send(ack).await;
    talks[2].response().await;
    assert_eq!(known(), 3);
}
