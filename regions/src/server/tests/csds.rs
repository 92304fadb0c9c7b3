//! CSDS over gRPC, about clients of the same server.

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::service::status::v3::client_config::GenericXdsConfig;
use envoy_types::pb::envoy::service::status::v3::client_status_discovery_service_client::ClientStatusDiscoveryServiceClient;
use envoy_types::pb::envoy::service::status::v3::{ClientConfig, ClientStatusRequest, ConfigStatus};
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{NodeMatcher, StringMatcher, StructMatcher};
use prost::Message;

use super::*;

type Delta = TestStream<xds::DeltaDiscoveryRequest, xds::DeltaDiscoveryResponse>;

fn ask(t: ResourceType, names: &[&str]) -> xds::DeltaDiscoveryRequest {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    xds::DeltaDiscoveryRequest { type_url: url(t), resource_names_subscribe: names, ..<_>::default() }
}

fn answer(response: &xds::DeltaDiscoveryResponse, error: Option<&str>) -> xds::DeltaDiscoveryRequest {
    xds::DeltaDiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        error_detail: error.map(|error| rpc::Status { message: error.to_owned(), ..<_>::default() }),
        ..<_>::default()
    }
}

/// A client that has its clusters.
async fn connected(server: &Server, id: &str) -> Delta {
    let mut talk = server.delta().await;
    talk.send(xds::DeltaDiscoveryRequest { node: node(id), ..ask(ResourceType::Cluster, &[]) }).await;
    let clusters = talk.response().await;
    let before = server.stats.streams.of(ResourceType::Cluster).acks.get();
    talk.send(answer(&clusters, None)).await;
    server.until("acknowledged", |s| s.stats.streams.of(ResourceType::Cluster).acks.get() > before).await;
    talk
}

async fn rejected(server: &Server, talk: &mut Delta, error: &str) {
    let loads = talk.response().await;
    assert_eq!(loads.type_url, url(ResourceType::Assignment));
    let before = server.stats.streams.of(ResourceType::Assignment).nacks.get();
    talk.send(answer(&loads, Some(error))).await;
    server.until("rejected", |s| s.stats.streams.of(ResourceType::Assignment).nacks.get() > before).await;
}

async fn status(server: &Server, request: ClientStatusRequest) -> Result<Vec<ClientConfig>, tonic::Status> {
    let mut client = ClientStatusDiscoveryServiceClient::new(server.channel().await);
    let answer = client.fetch_client_status(request);
    let answer = tokio::time::timeout(PATIENCE, answer).await.expect("an answer in time");
    answer.map(|answer| answer.into_inner().config)
}

fn matching(pattern: MatchPattern) -> ClientStatusRequest {
    let node_id = Some(StringMatcher { match_pattern: Some(pattern), ignore_case: false });
    let node_matchers = vec![NodeMatcher { node_id, node_metadatas: Vec::new() }];
    ClientStatusRequest { node_matchers, ..ClientStatusRequest::default() }
}

fn ids(configs: &[ClientConfig]) -> Vec<&str> {
    configs.iter().filter_map(|config| config.node.as_ref()).map(|node| &*node.id).collect()
}

fn one<'a>(config: &'a ClientConfig, t: ResourceType, name: &str) -> &'a GenericXdsConfig {
    let found = config.generic_xds_configs.iter().find(|found| found.type_url == t.url() && found.name == name);
    found.unwrap_or_else(|| panic!("no {name} among {:?}", config.generic_xds_configs))
}

#[tokio::test]
async fn c46_every_resource_is_synced_stale_rejected_or_not_sent() {
    let server = Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await;
    let mut talk = connected(&server, "web-1").await;
    talk.send(ask(ResourceType::Listener, &[])).await;
    talk.response().await;
    talk.send(ask(ResourceType::Assignment, &[WEB, "no such service"])).await;
    rejected(&server, &mut talk, "no thanks").await;

    let configs = status(&server, ClientStatusRequest::default()).await.expect("an answer");
    let [config] = &*configs else { panic!("one node, not {configs:?}") };
    assert_eq!(ids(&configs), ["web-1"]);
    assert_eq!(config.node.as_ref().and_then(|node| node.locality.as_ref()).map(|l| &*l.region), Some("eu"));
    let cluster = one(config, ResourceType::Cluster, WEB);
    assert_eq!((cluster.config_status(), &cluster.error_state), (ConfigStatus::Synced, &None));
    let content = cluster.xds_config.as_ref().expect("its content");
    assert_eq!((&content.type_url, cluster.version_info.len()), (&cluster.type_url, 16));
    assert_eq!(Cluster::decode(&*content.value).expect("a cluster").name, WEB);
    let listener = config.generic_xds_configs.iter().find(|c| c.type_url == ResourceType::Listener.url());
    assert_eq!(listener.expect("a listener").config_status(), ConfigStatus::Stale, "not answered yet");
    let unknown = one(config, ResourceType::Assignment, "no such service");
    assert_eq!((unknown.config_status(), &*unknown.version_info), (ConfigStatus::NotSent, ""));
    let load = one(config, ResourceType::Assignment, WEB);
    let error = load.error_state.as_ref().expect("an error");
    assert_eq!((load.config_status(), &*error.details), (ConfigStatus::Error, "no thanks"));
    assert_eq!((&error.version_info, &error.failed_configuration), (&load.version_info, &load.xds_config));
    assert!(error.last_update_attempt.is_some_and(|at| at.seconds > 0));

    let bare = ClientStatusRequest { exclude_resource_contents: true, ..ClientStatusRequest::default() };
    let bare = status(&server, bare).await.expect("an answer");
    let without = |c: &GenericXdsConfig| {
        c.xds_config.is_none() && c.error_state.as_ref().is_none_or(|error| error.failed_configuration.is_none())
    };
    assert!(bare.iter().flat_map(|config| &config.generic_xds_configs).all(without));
    assert_eq!(bare.first().map(|c| c.generic_xds_configs.len()), Some(config.generic_xds_configs.len()));
}

#[tokio::test]
async fn c46_a_rejection_is_remembered_until_something_is_accepted() {
    let server = Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await;
    let mut talk = connected(&server, "web-1").await;
    talk.send(ask(ResourceType::Assignment, &[WEB])).await;
    rejected(&server, &mut talk, "once").await;
    drop(talk);
    server.until("gone", |s| s.streams.is_empty()).await;
    let complaint = || server.streams.complaints("web-1")[ResourceType::Assignment].clone().expect("remembered");
    assert_eq!((complaint().count, &*complaint().error, complaint().standing), (1, "once", true));

    let mut talk = connected(&server, "web-1").await;
    talk.send(ask(ResourceType::Assignment, &[WEB])).await;
    let loads = talk.response().await;
    let error_state = async || {
        let configs = status(&server, ClientStatusRequest::default()).await.expect("an answer");
        let load = one(configs.first().expect("a node"), ResourceType::Assignment, WEB);
        (load.config_status(), load.error_state.as_ref().map(|error| error.details.clone()))
    };
    assert_eq!(error_state().await, (ConfigStatus::Stale, Some("once".to_owned())), "sent again, not answered yet");
    talk.send(answer(&loads, None)).await;
    server.until("accepted", |s| s.stats.streams.of(ResourceType::Assignment).acks.get() == 1).await;
    assert_eq!(error_state().await, (ConfigStatus::Synced, None));
    assert_eq!((complaint().count, complaint().standing), (1, false), "the count stays");
}

#[tokio::test]
async fn c46_nodes_are_matched_by_id_and_the_unsupported_is_refused() {
    let server = Server::start(Effects::default()).await;
    let _talks =
        [connected(&server, "web-1").await, connected(&server, "web-2").await, connected(&server, "pay").await];
    let found = async |pattern| ids(&status(&server, matching(pattern)).await.expect("an answer")).join(" ");
    assert_eq!(found(MatchPattern::Exact("web-2".to_owned())).await, "web-2");
    assert_eq!(found(MatchPattern::Prefix("web-".to_owned())).await, "web-1 web-2");
    assert_eq!(found(MatchPattern::Exact("web".to_owned())).await, "");
    let mut either = matching(MatchPattern::Exact("pay".to_owned()));
    either.node_matchers.extend(matching(MatchPattern::Exact("web-1".to_owned())).node_matchers);
    assert_eq!(ids(&status(&server, either).await.expect("an answer")), ["pay", "web-1"]);

    let regex = matching(MatchPattern::SafeRegex(Default::default()));
    assert_eq!(status(&server, regex).await.expect_err("refused").code(), Code::Unimplemented);
    let node_matchers = vec![NodeMatcher { node_id: None, node_metadatas: vec![StructMatcher::default()] }];
    let metadata = ClientStatusRequest { node_matchers, ..ClientStatusRequest::default() };
    assert_eq!(status(&server, metadata).await.expect_err("refused").code(), Code::Unimplemented);
}

#[tokio::test]
async fn c46_a_stream_of_questions_is_answered_until_the_server_ends() {
    let mut server = Server::start(Effects::default()).await;
    let talk = connected(&server, "web-1").await;
    let (requests, receiver) = mpsc::channel(8);
    let mut client = ClientStatusDiscoveryServiceClient::new(server.channel().await);
    let responses = client.stream_client_status(ReceiverStream::new(receiver)).await.expect("a stream").into_inner();
    let mut questions = TestStream { requests, responses };
    questions.send(ClientStatusRequest::default()).await;
    assert_eq!(ids(&questions.response().await.config), ["web-1"]);
    drop(talk);
    server.until("gone", |s| s.streams.is_empty()).await;
    questions.send(ClientStatusRequest::default()).await;
    assert_eq!(questions.response().await.config, []);
    server.stop.take().expect("running").send(()).expect("sent");
    assert_eq!(questions.refusal().await.code(), Code::Unavailable);
}

#[tokio::test]
async fn c46_a_client_that_does_not_read_is_shown_as_far_as_it_is_known() {
    let all = (0..6_000).map(|i| web(&format!("shop/s{i}"), &["10.8.0.1:80"])).collect();
    let server = Server::start(services(all)).await;
    let talk = server.delta().await;
    let all = xds::DeltaDiscoveryRequest { node: node("stuck"), ..ask(ResourceType::Cluster, &["*"]) };
    // Three megabytes fit into no window, and the client does not read.
    talk.send(all).await;
    server.until("written", |s| s.stats.streams.of(ResourceType::Cluster).responses.get() == 1).await;
    let configs = status(&server, ClientStatusRequest::default()).await.expect("an answer all the same");
    let [config] = &*configs else { panic!("one node, not {configs:?}") };
    let clusters = one(config, ResourceType::Cluster, "");
    assert_eq!(clusters.config_status(), ConfigStatus::Stale);
    assert_eq!(config.generic_xds_configs.len(), 1);
}
