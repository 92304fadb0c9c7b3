//! Resources with a time to live, and the heartbeats that keep them.

use std::time::Duration;

use super::ResourceType::{Assignment, Cluster, Listener, Scope};
use super::*;

const TTL: Duration = Duration::from_secs(30);

fn expiring(mut client: TestClient) -> TestClient {
    client.session.ttl = Some(TTL);
    client
}

/// Time passes.
fn later(client: &mut TestClient) -> Vec<String> {
    client.session.confirm();
    client.receive()
}

fn delta() -> TestClient {
    all_asked(expiring(TestClient::new(Variant::Delta)))
}

fn all_asked(mut client: TestClient) -> TestClient {
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.delta(Assignment, &["a", "b"], &[]);
    client.ack(Assignment);
    client.delta(Listener, &[], &[]);
    client.ack(Listener);
    client.delta(Scope, &[], &[]);
    client.ack(Scope);
    client
}

fn sotw() -> TestClient {
    let mut client = expiring(TestClient::new(Variant::Sotw));
    client.sotw(Cluster, &[]);
    client.sotw(Cluster, &[]);
    client.sotw(Assignment, &["a"]);
    client.sotw(Assignment, &["a"]);
    client
}

/// The responses themselves.
fn responses(client: &mut TestClient) -> Vec<Response> {
    client.session.responses().expect("not too far behind")
}

#[test]
fn c42_a_third_of_the_time_to_live_is_the_time_between_heartbeats() {
    let mut session = Session::new(Variant::Delta);
    assert_eq!(session.heartbeat(), None);
    session.ttl = Some(TTL);
    assert_eq!(session.heartbeat(), Some(Duration::from_secs(10)));
}

#[test]
fn c42_what_may_expire_has_a_time_to_live_and_is_confirmed_as_a_whole() {
    let mut client = delta();
    let all = ["cds ~hole ~pass ~a ~b", "eds ~a ~b", "lds ~egress"];
    for _ in 0..2 {
        assert_eq!(later(&mut client), all, "no scope, no route");
        for t in [Cluster, Assignment, Listener] {
            assert_eq!(client.ack(t), NOTHING);
        }
    }
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"], "updates go on");
    client.ack(Assignment);
    client.session.confirm();
    for beat in responses(&mut client) {
        assert_eq!(beat.ttl, Some(TTL));
        for resource in &beat.resources {
            let now = client.view.snapshot().expect("a snapshot").find(beat.resource_type, resource.name());
            assert_eq!(now.map(|now| now.version()), Some(resource.version()), "{resource:?}");
        }
    }
}

#[test]
fn c42_what_never_expires_is_not_confirmed() {
    let mut client = all_asked(TestClient::new(Variant::Delta));
    assert_eq!(later(&mut client), NOTHING);
    let [response] = &{
        client.catalog.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
        client.session.on_snapshot(client.view.snapshot().expect("a snapshot"));
        responses(&mut client)
    }[..] else {
        panic!("expected one response")
    };
    assert_eq!(response.ttl, None);
}

#[test]
fn c42_a_heartbeat_waits_for_the_ack_of_what_was_sent_before() {
    let mut client = delta();
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
    assert_eq!(later(&mut client), ["cds ~hole ~pass ~a ~b", "lds ~egress"]);
    assert_eq!(later(&mut client), NOTHING, "the first ones are not acknowledged yet");
    assert_eq!(client.ack(Assignment), ["eds ~a ~b"]);
}

#[test]
fn c42_what_was_rejected_is_not_confirmed_and_rejecting_a_heartbeat_rejects_nothing() {
    let mut client = delta();
    client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    client.nack(Assignment);
    assert_eq!(later(&mut client).get(1).map(String::as_str), Some("eds ~b"));
    client.nack(Assignment);
    assert_eq!(client.delta(Assignment, &["b"], &[]), ["eds +b"]);
}

#[test]
fn c42_a_resumed_stream_confirms_at_once_what_it_does_not_send() {
    let mut client = delta();
    let known = [("a", client.version(Cluster, "a")), ("b", "0123456789abcdef".to_owned())];
    client.reconnect();
    client.session.ttl = Some(TTL);
    assert_eq!(client.delta_full(Cluster, &[], &[], &known, "", None), ["cds +hole +pass +b"]);
    assert_eq!(client.ack(Cluster), ["cds ~hole ~pass ~a ~b"]);
    assert_eq!(client.ack(Cluster), NOTHING);
    let known = [("a", client.version(Assignment, "a"))];
    assert_eq!(client.delta_full(Assignment, &["a"], &[], &known, "", None), ["eds ~a"], "as it was");
    let known = [("egress", client.version(Listener, "egress"))];
    assert_eq!(client.delta_full(Listener, &[], &[], &known, "", None), ["lds"]);
    assert_eq!(client.ack(Listener), ["lds ~egress"]);
}

#[test]
fn c42_a_full_state_is_confirmed_with_bodies_or_everything_would_be_gone() {
    let mut client = sotw();
    for _ in 0..2 {
        assert_eq!(later(&mut client), ["cds +hole +pass +a +b"], "load assignments never expire here");
        assert_eq!(client.sotw(Cluster, &[]), NOTHING);
    }
    client.apply(&service_gone("shop/b"));
    client.sotw(Cluster, &[]);
    assert_eq!(later(&mut client), ["cds +hole +pass +a"]);
}
