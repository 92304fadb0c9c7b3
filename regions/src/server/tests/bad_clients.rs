//! Clients that do what they should not, over real gRPC: each is answered by the book or not at all, costs little, and is
//! alone in what it suffers.

use super::*;
use crate::session::MAX_NAMES;

fn ask(t: ResourceType, names: &[&str]) -> xds::DeltaDiscoveryRequest {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    xds::DeltaDiscoveryRequest {
        node: node("bad"),
        type_url: url(t),
        resource_names_subscribe: names,
        ..<_>::default()
    }
}

fn nack(type_url: &str, nonce: &str, error: &str) -> xds::DeltaDiscoveryRequest {
    xds::DeltaDiscoveryRequest {
        type_url: type_url.to_owned(),
        response_nonce: nonce.to_owned(),
        error_detail: Some(rpc::Status { message: error.to_owned(), ..<_>::default() }),
        ..<_>::default()
    }
}

fn sotw_nack(response: &xds::DiscoveryResponse, names: &[&str], error: &str) -> xds::DiscoveryRequest {
    xds::DiscoveryRequest {
        type_url: response.type_url.clone(),
        response_nonce: response.nonce.clone(),
        resource_names: names.iter().map(|&name| name.to_owned()).collect(),
        error_detail: Some(rpc::Status { message: error.to_owned(), ..<_>::default() }),
        ..<_>::default()
    }
}

async fn web_server() -> Server {
    Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await
}

/// What was asked last is answered, so all before it was dealt with.
async fn still_served(talk: &mut TestStream<xds::DeltaDiscoveryRequest, xds::DeltaDiscoveryResponse>) {
    talk.send(ask(ResourceType::Listener, &[])).await;
    assert_eq!(talk.response().await.type_url, url(ResourceType::Listener), "and nothing was sent before");
}

#[tokio::test]
async fn c08_a_rejection_sent_ten_thousand_times_is_answered_by_nothing() {
    let server = web_server().await;
    let mut talk = server.delta().await;
    talk.send(ask(ResourceType::Cluster, &[])).await;
    let clusters = talk.response().await;
    for _ in 0..10_000 {
        talk.send(nack(&clusters.type_url, &clusters.nonce, "no good")).await;
    }
    still_served(&mut talk).await;
    let stats = server.stats.streams.of(ResourceType::Cluster);
    assert_eq!((stats.requests.get(), stats.responses.get()), (10_001, 1));
    assert_eq!(stats.nacks.get(), 1, "one response, one rejection, however often it is repeated");

    let mut talk = server.sotw().await;
    let ask = xds::DiscoveryRequest { node: node("bad"), type_url: url(ResourceType::Cluster), ..<_>::default() };
    talk.send(ask).await;
    let clusters = talk.response().await;
    for _ in 0..10_000 {
        talk.send(sotw_nack(&clusters, &[], "no good")).await;
    }
    talk.send(xds::DiscoveryRequest { type_url: url(ResourceType::Listener), ..<_>::default() }).await;
    assert_eq!(talk.response().await.type_url, url(ResourceType::Listener), "and nothing was sent before");
    assert_eq!((stats.responses.get(), stats.nacks.get()), (2, 2));
}

#[tokio::test]
async fn c07_a_client_that_rejects_everything_is_counted_and_sent_only_what_is_new() {
    let server = web_server().await;
    let mut talk = server.delta().await;
    talk.send(ask(ResourceType::Assignment, &[WEB])).await;
    for round in 0..200u64 {
        let loads = talk.response().await;
        assert_eq!(names(&loads), [WEB]);
        talk.send(nack(&loads.type_url, &loads.nonce, &format!("no good: {round}"))).await;
        server.until("rejected", |s| s.stats.streams.of(ResourceType::Assignment).nacks.get() == round + 1).await;
        let host = format!("10.8.{round}.2:80");
        server.effects.send(services(vec![web("shop/web", &[&host])])).await.expect("sent");
    }
    talk.response().await;
    let row = server.streams.list().pop().expect("a row");
    let status = row.of(ResourceType::Assignment);
    assert_eq!((status.nacks, status.acks, status.last_error.as_deref()), (200, 0, Some("no good: 199")));
    let complaints = server.streams.complaints("bad");
    let complaint = complaints[ResourceType::Assignment].as_ref().expect("remembered");
    assert_eq!((complaint.count, &*complaint.error), (200, "no good: 199"));
}

#[tokio::test]
async fn an_endless_complaint_is_cut() {
    let server = web_server().await;
    let mut talk = server.delta().await;
    talk.send(ask(ResourceType::Cluster, &[])).await;
    let clusters = talk.response().await;
    talk.send(nack(&clusters.type_url, &clusters.nonce, &"é".repeat(1 << 20))).await;
    still_served(&mut talk).await;
    let row = server.streams.list().pop().expect("a row");
    let error = row.of(ResourceType::Cluster).last_error.clone().expect("an error");
    assert_eq!(error.len(), crate::session::MAX_ERROR_LEN);
}

#[tokio::test]
async fn c09_nonces_that_were_never_given_out_are_no_answers() {
    let server = web_server().await;
    let mut talk = server.delta().await;
    talk.send(ask(ResourceType::Cluster, &[])).await;
    let clusters = talk.response().await;
    for nonce in ["0", "ffffffffffffffffff", "-1", " 1", "01", "\u{0}", &"1".repeat(100_000)] {
        talk.send(nack(&clusters.type_url, nonce, "no good")).await;
    }
    // The clusters are not acknowledged, so listeners wait for their load assignments.
    talk.send(ask(ResourceType::Assignment, &[WEB])).await;
    assert_eq!(talk.response().await.type_url, url(ResourceType::Assignment));
    still_served(&mut talk).await;
    let stats = server.stats.streams.of(ResourceType::Cluster);
    assert_eq!((stats.acks.get(), stats.nacks.get(), stats.responses.get()), (0, 0, 1));
    // The nonce of one type is none of another.
    talk.send(nack(&url(ResourceType::Listener), &clusters.nonce, "no good")).await;
    talk.send(ask(ResourceType::Scope, &[])).await;
    assert_eq!(talk.response().await.type_url, url(ResourceType::Scope));
    assert_eq!(server.stats.streams.of(ResourceType::Listener).nacks.get(), 0);
}

#[tokio::test]
async fn c02_a_later_request_of_any_type_must_not_name_another_node() {
    let server = web_server().await;
    for t in ResourceType::ALL {
        let mut talk = server.delta().await;
        talk.send(ask(ResourceType::Cluster, &[])).await;
        talk.response().await;
        talk.send(xds::DeltaDiscoveryRequest { node: node("worse"), ..ask(t, &[WEB]) }).await;
        let status = talk.refusal().await;
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains("\"worse\"") && status.message().contains("\"bad\""), "{}", status.message());
    }
    server.until("they are gone", |s| s.streams.is_empty()).await;
}

#[tokio::test]
async fn a_stream_may_want_so_many_names_and_no_more() {
    let server = web_server().await;
    let many = |count: usize| (0..count).map(|i| format!("n{i}")).collect::<Vec<_>>();
    let mut talk = server.delta().await;
    // In two parts, because it is the sum that counts; the second one's own answer is all that is sent.
    let request =
        |names| xds::DeltaDiscoveryRequest { resource_names_subscribe: names, ..ask(ResourceType::Assignment, &[]) };
    talk.send(request(many(MAX_NAMES))).await;
    assert_eq!(talk.response().await.removed_resources.len(), MAX_NAMES, "none of them exists");
    talk.send(request(vec!["one more".to_owned()])).await;
    let status = talk.refusal().await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("200000"), "{}", status.message());

    let mut talk = server.sotw().await;
    talk.send(xds::DiscoveryRequest {
        node: node("bad"),
        type_url: url(ResourceType::Assignment),
        resource_names: many(MAX_NAMES + 1),
        ..<_>::default()
    })
    .await;
    assert_eq!(talk.refusal().await.code(), Code::ResourceExhausted);
    server.until("they are gone", |s| s.streams.is_empty()).await;
}

#[tokio::test]
async fn a_client_that_closes_its_stream_is_answered_with_ok() {
    let server = web_server().await;
    let mut talk = server.delta().await;
    talk.send(ask(ResourceType::Cluster, &[])).await;
    talk.response().await;
    let TestStream { requests, mut responses } = talk;
    drop(requests);
    let end = tokio::time::timeout(PATIENCE, responses.message()).await.expect("an end in time");
    assert!(matches!(end, Ok(None)), "OK, and nothing more: {end:?}");
    server.until("it is gone", |s| s.streams.is_empty()).await;

    // Also before it sent anything.
    let TestStream { requests, mut responses } = server.sotw().await;
    drop(requests);
    let end = tokio::time::timeout(PATIENCE, responses.message()).await.expect("an end in time");
    assert!(matches!(end, Ok(None)), "{end:?}");
    assert_eq!(server.stats.streams.refused.get(), 0);
}

#[tokio::test]
async fn c37_a_stream_that_another_replica_began_is_taken_up() {
    let (first, second) = (web_server().await, web_server().await);
    let mut talk = first.delta().await;
    talk.send(ask(ResourceType::Cluster, &[])).await;
    let clusters = talk.response().await;
    talk.send(ask(ResourceType::Assignment, &[WEB])).await;
    let loads = talk.response().await;
    let versions = |r: &xds::DeltaDiscoveryResponse| {
        r.resources.iter().map(|resource| (resource.name.clone(), resource.version.clone())).collect()
    };
    drop(talk);

    // The same services, so the same versions; what is unknown there is removed, and an old nonce means nothing.
    let mut talk = second.delta().await;
    let mut known: std::collections::HashMap<String, String> = versions(&clusters);
    known.insert("gone".to_owned(), "0123456789abcdef".to_owned());
    talk.send(xds::DeltaDiscoveryRequest {
        initial_resource_versions: known,
        response_nonce: "7f".to_owned(),
        ..ask(ResourceType::Cluster, &[])
    })
    .await;
    let resumed = talk.response().await;
    assert_eq!((names(&resumed), &*resumed.removed_resources), (vec![], &["gone".to_owned()][..]));
    talk.send(xds::DeltaDiscoveryRequest {
        initial_resource_versions: versions(&loads),
        response_nonce: "80".to_owned(),
        ..ask(ResourceType::Assignment, &[WEB])
    })
    .await;
    still_served(&mut talk).await;
    let stats = &second.stats.streams;
    assert_eq!(stats.of(ResourceType::Cluster).resources_sent.get(), 0);
    assert_eq!(stats.of(ResourceType::Assignment).responses.get(), 0, "it has that");

    // A state-of-the-world client reports less of what it has: it is answered, whatever its nonce and version.
    let mut talk = second.sotw().await;
    talk.send(xds::DiscoveryRequest {
        node: node("bad"),
        type_url: url(ResourceType::Cluster),
        version_info: "0123456789abcdef".to_owned(),
        response_nonce: "7f".to_owned(),
        ..<_>::default()
    })
    .await;
    assert_eq!(talk.response().await.resources.len(), 3);
}
