//! Load reports, sent by a scripted client.

use envoy_types::pb::envoy::config::core::v3::Locality;
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterStats, UpstreamLocalityStats};
use envoy_types::pb::envoy::service::load_stats::v3::load_reporting_service_client::LoadReportingServiceClient;
use envoy_types::pb::envoy::service::load_stats::v3::{LoadStatsRequest, LoadStatsResponse};
use envoy_types::pb::google::protobuf::Duration as Interval;

use super::*;

async fn reports(server: &Server) -> TestStream<LoadStatsRequest, LoadStatsResponse> {
    let (requests, receiver) = mpsc::channel(8);
    let mut client = LoadReportingServiceClient::new(server.channel().await);
    let responses = client.stream_load_stats(ReceiverStream::new(receiver)).await.expect("a stream").into_inner();
    TestStream { requests, responses }
}

fn load(cluster: &str, succeeded: u64, failed: u64) -> ClusterStats {
    let locality = Some(Locality { region: "eu".to_owned(), zone: "eu-a".to_owned(), sub_zone: "eu-1".to_owned() });
    let at = UpstreamLocalityStats {
        locality,
        total_successful_requests: succeeded,
        total_error_requests: failed,
        total_issued_requests: succeeded + failed,
        ..UpstreamLocalityStats::default()
    };
    ClusterStats {
        cluster_name: cluster.to_owned(),
        upstream_locality_stats: vec![at],
        total_dropped_requests: 2,
        load_report_interval: Some(Interval { seconds: 10, nanos: 500_000_000 }),
        ..ClusterStats::default()
    }
}

fn report(cluster_stats: Vec<ClusterStats>) -> LoadStatsRequest {
    LoadStatsRequest { node: node("web-1"), cluster_stats }
}

#[tokio::test]
async fn c47_the_last_report_on_each_cluster_is_kept_while_the_node_is_connected() {
    let server = Server::start(Effects::default()).await;
    let mut talk = reports(&server).await;
    talk.send(report(Vec::new())).await;
    let requested = talk.response().await;
    assert!(requested.send_all_clusters && !requested.report_endpoint_granularity);
    assert_eq!(requested.load_reporting_interval, Some(Interval { seconds: 10, nanos: 0 }));

    talk.send(report(vec![load("web", 5, 1), load("pay", 7, 0)])).await;
    assert_eq!(talk.response().await, requested, "each report: Envoy applies \"all clusters\" only then");
    // Later reports need no node, and need not mention what was not used.
    talk.send(LoadStatsRequest { node: None, ..report(vec![load("web", 9, 2)]) }).await;
    assert_eq!(talk.response().await, requested);
    let totals = &server.stats.loads;
    assert_eq!(totals.reports.get(), 3);
    let found = server.loads.of("web-1");
    assert_eq!(found.keys().map(|name| &**name).collect::<Vec<_>>(), ["pay", "web"]);
    let web = &found["web"];
    assert_eq!((web.dropped, web.interval), (2, Duration::from_millis(10_500)));
    let [at] = &*web.localities else { panic!("one locality, not {:?}", web.localities) };
    assert_eq!((&*at.region, &*at.zone, &*at.sub_zone), ("eu", "eu-a", "eu-1"));
    assert_eq!((at.issued, at.succeeded, at.failed, at.in_progress), (11, 9, 2, 0));
    assert_eq!((totals.succeeded.get(), totals.failed.get(), totals.dropped.get()), (21, 3, 6));
    assert_eq!(server.loads.of("web-2").len(), 0);

    drop(talk);
    server.until("the client is gone", |s| s.stats.loads.open.get() == 0).await;
    assert_eq!(server.loads.of("web-1").len(), 0);
}

#[tokio::test]
async fn c47_clusters_named_by_address_are_reported_as_their_service() {
    let server = Server::start(Effects::default()).await;
    let mut talk = reports(&server).await;
    let of_web =
        |vip: &str, succeeded| ClusterStats { cluster_service_name: "web".to_owned(), ..load(vip, succeeded, 0) };
    talk.send(report(vec![of_web("vip|10.0.0.7:80", 5), of_web("vip|[fd00::7]:80", 6), load("pay", 7, 0)])).await;
    talk.response().await;
    let found = server.loads.of("web-1");
    assert_eq!(found.keys().map(|name| &**name).collect::<Vec<_>>(), ["pay", "web"]);
    let [at] = &*found["web"].localities else { panic!("one locality, not {:?}", found["web"].localities) };
    assert_eq!(at.succeeded, 11, "of both its addresses");
}

#[tokio::test]
async fn c47_reports_without_a_node_are_refused_and_reports_are_bounded() {
    let server = Server::start(Effects::default()).await;
    for (bad, word) in [(None, "node"), (node(""), "node.id"), (node(&"x".repeat(300)), "300 bytes")] {
        let mut talk = reports(&server).await;
        talk.send(LoadStatsRequest { node: bad, cluster_stats: Vec::new() }).await;
        let status = talk.refusal().await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(word), "{}", status.message());
    }
    let mut talk = reports(&server).await;
    let mut first = load("a", 1, 0);
    let locality = first.upstream_locality_stats.first().cloned().expect("a locality");
    first.upstream_locality_stats = vec![locality; 100];
    let many = std::iter::once(first).chain((0..5_000).map(|i| load(&format!("c{i}"), 1, 0)));
    talk.send(report(many.collect())).await;
    talk.response().await;
    let kept = server.loads.of("web-1");
    assert_eq!(kept.len(), 1_000);
    assert_eq!(kept["a"].localities.len(), 16);
    assert_eq!(server.stats.loads.succeeded.get(), 5_016, "the totals miss only what one cluster has too many of");
}

#[tokio::test]
async fn c47_streams_of_reports_end_with_the_server() {
    let mut server = Server::start(Effects::default()).await;
    let mut talk = reports(&server).await;
    talk.send(report(Vec::new())).await;
    talk.response().await;
    server.stop.take().expect("running").send(()).expect("sent");
    assert_eq!(talk.refusal().await.code(), Code::Unavailable, "go to another replica");
    tokio::time::timeout(PATIENCE, server.served).await.expect("ended").expect("no panic");
}
