//! What a control plane has to reckon with when a client says no: of a response that it rejects it uses what is good. The
//! control plane here is a script, because ours sends nothing that gRPC rejects.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::LbPolicy;
use envoy_types::pb::envoy::config::endpoint::v3::ClusterLoadAssignment;
use envoy_types::pb::envoy::config::route::v3::RouteConfiguration;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_action::ClusterSpecifier;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::protobuf::Any;
use federation::model::{
    Affinity, Backend, ClusterId, Family, Health, Host, Merged, RegionId, SecondAddresses, ServiceKey,
};
use federation::ranking::{Assignment, Locality, RankReason, Reach};
use prost::{Message, Name};
use regions::resource::Resource;
use regions::translate::{grpc, route};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

use super::peer::{Library, Peer};
use super::test_region::TestRegion;
use crate::testbed::ports;

/// Port 9000 of `web` is good, port 9001 is not; one route table knows both.
const GOOD: &str = "outbound|9000||web.shop.svc.cluster.local";
const BAD: &str = "outbound|9001||web.shop.svc.cluster.local";
const QUEUE: usize = 16;
const MAX_REQUESTS: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// A policy that no gRPC library knows.
    Cluster,
    /// A gap before the first priority.
    Assignment,
}

#[tokio::test(flavor = "multi_thread")]
async fn c54_what_is_good_of_a_rejected_response_is_used() {
    let address = SocketAddr::from((Ipv4Addr::new(127, 93, 0, 1), ports::free()));
    let no_control_plane = "127.0.0.1:1".parse().unwrap();
    let server = Peer::start(Library::GrpcGo, no_control_plane).await;
    server.serve(address, "good").await;
    for library in Library::ALL {
        for broken in [Broken::Cluster, Broken::Assignment] {
            let (script, xds) = Script::start(resources(address, broken)).await;
            let client = Peer::start(library, xds).await;
            client.settles(&TestRegion::target("web"), &["good"]).await;
            let nacks = script.nacks();
            assert!(nacks.iter().any(|text| text.contains(BAD)), "{library:?}, {broken:?}: {nacks:?}");
            assert!(nacks.iter().all(|text| !text.contains(GOOD)), "{library:?}, {broken:?}: {nacks:?}");
        }
    }
}

fn resources(at: SocketAddr, broken: Broken) -> HashMap<String, Any> {
    let web = ServiceKey::new("shop", "web").unwrap();
    let mut table: RouteConfiguration = read(&route::table(&web, 9000, false));
    let host = table.virtual_hosts.first_mut().unwrap();
    let mut other = host.routes.first().unwrap().clone();
    other.r#match.as_mut().unwrap().path_specifier = Some(PathSpecifier::Prefix("/other".to_owned()));
    let Some(Action::Route(action)) = &mut other.action else { panic!("{other:?}") };
    action.cluster_specifier = Some(ClusterSpecifier::Cluster(BAD.to_owned()));
    host.routes.insert(0, other);

    let mut cluster: Cluster = read(&grpc::cluster(&web, 9001, false));
    let mut load: ClusterLoadAssignment = read(&assignment(BAD, at));
    match broken {
        Broken::Cluster => cluster.lb_policy = LbPolicy::Maglev.into(),
        Broken::Assignment => load.endpoints.first_mut().unwrap().priority = 1,
    }
    let good = [grpc::listener(&web, 9000), grpc::cluster(&web, 9000, false), assignment(GOOD, at)];
    let good = good.iter().map(|resource| Any::decode(&*resource.any_bytes()).unwrap());
    let good =
        good.zip(["web.shop.svc.cluster.local:9000", GOOD, GOOD]).map(|(any, name)| (key(&any.type_url, name), any));
    let other = [any(&table, GOOD), any(&cluster, BAD), any(&load, BAD)];
    good.chain(other).collect()
}

fn assignment(name: &str, at: SocketAddr) -> Resource {
    let (region, cluster) = (RegionId::new("eu").unwrap(), ClusterId::new("eu-1").unwrap());
    let hosts = Box::new([Host::new(at, Health::Ready)]);
    let backend = Backend { cluster, zone: None, hosts, second: SecondAddresses::default() };
    let locality = Locality { region: &region, weight: 1, reason: RankReason::UNRANKED, backend: &backend };
    let reach = Reach::new(None, &merged());
    grpc::load_assignment(name, &Assignment { tiers: vec![vec![locality]], weighted: false, reach })
}

/// A service without anything that an assignment depends on.
fn merged() -> Merged {
    Merged {
        key: ServiceKey::new("shop", "web").unwrap(),
        sources: Vec::new(),
        headless: false,
        affinity: Affinity::None,
        family: Family::V4,
        ports: Vec::new(),
    }
}

fn read<T: Message + Default>(resource: &Resource) -> T {
    T::decode(&*Any::decode(&*resource.any_bytes()).unwrap().value).unwrap()
}

fn any<T: Message + Name>(message: &T, name: &str) -> (String, Any) {
    let any = Any { type_url: T::type_url(), value: message.encode_to_vec() };
    (key(&any.type_url, name), any)
}

fn key(type_url: &str, name: &str) -> String {
    format!("{type_url} {name}")
}

/// A control plane that answers each new list of names with all of them, and notes who objects.
#[derive(Clone)]
struct Script {
    resources: Arc<HashMap<String, Any>>,
    nacks: Arc<Mutex<Vec<String>>>,
}

impl Script {
    async fn start(resources: HashMap<String, Any>) -> (Self, SocketAddr) {
        let script = Self { resources: Arc::new(resources), nacks: Arc::default() };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let service =
            discovery::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer::new(script.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        (script, address)
    }

    fn nacks(&self) -> Vec<String> {
        self.nacks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn talk(
        &self,
        mut requests: Streaming<discovery::DiscoveryRequest>,
        responses: mpsc::Sender<Result<discovery::DiscoveryResponse, Status>>,
    ) {
        let mut subscribed = HashMap::new();
        for nonce in 0..MAX_REQUESTS {
            let Ok(Some(request)) = requests.message().await else { return };
            if let Some(error) = request.error_detail {
                self.nacks.lock().unwrap_or_else(PoisonError::into_inner).push(error.message);
            }
            let names = &request.resource_names;
            if subscribed.insert(request.type_url.clone(), names.clone()).as_ref() == Some(names) {
                continue; // nothing new is asked for
            }
            let found = names.iter().filter_map(|name| self.resources.get(&key(&request.type_url, name)));
            let response = discovery::DiscoveryResponse {
                version_info: nonce.to_string(),
                resources: found.cloned().collect(),
                type_url: request.type_url,
                nonce: nonce.to_string(),
                ..discovery::DiscoveryResponse::default()
            };
            if responses.send(Ok(response)).await.is_err() {
                return;
            }
        }
    }
}

#[tonic::async_trait]
impl discovery::aggregated_discovery_service_server::AggregatedDiscoveryService for Script {
    type StreamAggregatedResourcesStream = ReceiverStream<Result<discovery::DiscoveryResponse, Status>>;
    type DeltaAggregatedResourcesStream = tokio_stream::Pending<Result<discovery::DeltaDiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<discovery::DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let script = self.clone();
        tokio::spawn(async move { script.talk(request.into_inner(), sender).await });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn delta_aggregated_resources(
        &self,
        _request: Request<Streaming<discovery::DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented("the script knows state of the world only"))
    }
}
