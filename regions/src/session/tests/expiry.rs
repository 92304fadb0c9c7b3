//! Resources with a time to live, and the heartbeats that keep them.

use std::time::Duration;

use super::ResourceType::{Assignment, Cluster, Listener, Scope};
use super::*;

const TTL: Duration = Duration::from_secs(30);

fn expiring(mut talk: Talk) -> Talk {
    talk.session.ttl = Some(TTL);
    talk
}

/// Time passes.
fn later(talk: &mut Talk) -> Vec<String> {
    talk.session.confirm();
    talk.listen()
}

fn delta() -> Talk {
    all_asked(expiring(Talk::new(Variant::Delta)))
}

fn all_asked(mut talk: Talk) -> Talk {
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    talk.delta(Assignment, &["a", "b"], &[]);
    talk.ack(Assignment);
    talk.delta(Listener, &[], &[]);
    talk.ack(Listener);
    talk.delta(Scope, &[], &[]);
    talk.ack(Scope);
    talk
}

fn sotw() -> Talk {
    let mut talk = expiring(Talk::new(Variant::Sotw));
    talk.sotw(Cluster, &[]);
    talk.sotw(Cluster, &[]);
    talk.sotw(Assignment, &["a"]);
    talk.sotw(Assignment, &["a"]);
    talk
}

/// The responses themselves.
fn responses(talk: &mut Talk) -> Vec<Response> {
    talk.session.responses().expect("not too far behind")
}

#[test]
fn c42_a_third_of_the_time_to_live_is_the_time_between_heartbeats() {
    let mut session = Session::new(Variant::Delta);
    assert_eq!(session.heartbeat(), None);
    session.ttl = Some(TTL);
    assert_eq!(session.heartbeat(), Some(Duration::from_secs(10)));
}

#[test]
fn c42_what_may_expire_says_so_and_is_confirmed_as_a_whole() {
    let mut talk = delta();
    let all = ["cds ~hole ~pass ~a ~b", "eds ~a ~b", "lds ~egress"];
    for _ in 0..2 {
        assert_eq!(later(&mut talk), all, "no scope, no route");
        for t in [Cluster, Assignment, Listener] {
            assert_eq!(talk.ack(t), NOTHING);
        }
    }
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"], "updates go on");
    talk.ack(Assignment);
    talk.session.confirm();
    for beat in responses(&mut talk) {
        assert_eq!(beat.ttl, Some(TTL));
        for resource in &beat.resources {
            let now = talk.view.snapshot().expect("a snapshot").find(beat.resource_type, resource.name());
            assert_eq!(now.map(|now| now.version()), Some(resource.version()), "{resource:?}");
        }
    }
}

#[test]
fn c42_nobody_is_confirmed_what_lives_for_ever() {
    let mut talk = all_asked(Talk::new(Variant::Delta));
    assert_eq!(later(&mut talk), NOTHING);
    let [response] = &{
        talk.catalog.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
        talk.session.on_snapshot(talk.view.snapshot().expect("a snapshot"));
        responses(&mut talk)
    }[..] else {
        panic!("expected one response")
    };
    assert_eq!(response.ttl, None);
}

#[test]
fn c42_a_heartbeat_waits_for_the_ack_of_what_was_sent_before() {
    let mut talk = delta();
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
    assert_eq!(later(&mut talk), ["cds ~hole ~pass ~a ~b", "lds ~egress"]);
    assert_eq!(later(&mut talk), NOTHING, "the first ones are not acknowledged yet");
    assert_eq!(talk.ack(Assignment), ["eds ~a ~b"]);
}

#[test]
fn c42_what_was_rejected_is_not_confirmed_and_rejecting_a_heartbeat_rejects_nothing() {
    let mut talk = delta();
    talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    talk.nack(Assignment);
    assert_eq!(later(&mut talk).get(1).map(String::as_str), Some("eds ~b"));
    talk.nack(Assignment);
    assert_eq!(talk.delta(Assignment, &["b"], &[]), ["eds +b"]);
}

#[test]
fn c42_a_resumed_stream_confirms_at_once_what_it_does_not_send() {
    let mut talk = delta();
    let known = [("a", talk.version(Cluster, "a")), ("b", "0123456789abcdef".to_owned())];
    talk.reconnect();
    talk.session.ttl = Some(TTL);
    assert_eq!(talk.delta_full(Cluster, &[], &[], &known, "", None), ["cds +hole +pass +b"]);
    assert_eq!(talk.ack(Cluster), ["cds ~hole ~pass ~a ~b"]);
    let known = [("a", talk.version(Assignment, "a"))];
    assert_eq!(talk.delta_full(Assignment, &["a"], &[], &known, "", None), ["eds ~a"], "as it was");
    let known = [("egress", talk.version(Listener, "egress"))];
    assert_eq!(talk.delta_full(Listener, &[], &[], &known, "", None), ["lds"]);
    assert_eq!(talk.ack(Listener), ["lds ~egress"]);
}

#[test]
fn c42_a_full_state_is_confirmed_with_bodies_or_everything_would_be_gone() {
    let mut talk = sotw();
    for _ in 0..2 {
        assert_eq!(later(&mut talk), ["cds +hole +pass +a +b"], "load assignments live for ever here");
        assert_eq!(talk.sotw(Cluster, &[]), NOTHING);
    }
    talk.world(&service_gone("shop/b"));
    talk.sotw(Cluster, &[]);
    assert_eq!(later(&mut talk), ["cds +hole +pass +a"]);
}
