//! What a client rejected and why it may be acceptable later: C08, and what people are told meanwhile.

use super::ResourceType::{Assignment, Cluster, Listener, Scope};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// Longer than the first wait of the timer, whatever its jitter.
const FIRST_TIMER: Duration = Duration::from_secs(73);

/// A delta client that has everything and took it, except `lacks`, which it rejects.
fn delta_but(lacks: ResourceType) -> Talk {
    let mut talk = Talk::new(Variant::Delta);
    for (t, names) in [(Cluster, &[][..]), (Assignment, &["a", "b"]), (Listener, &[]), (Scope, &[])] {
        talk.delta(t, names, &[]);
        if t == lacks {
            talk.nack(t)
        } else {
            talk.ack(t)
        };
    }
    talk
}

/// Without the scopes that follow a listener.
fn listeners(said: &[String]) -> Vec<&str> {
    said.iter().map(String::as_str).filter(|said| !said.starts_with("srds")).collect()
}

fn a_moves(talk: &mut Talk, last: u8) -> Vec<String> {
    talk.world(&services(vec![web("shop/a", &[&format!("10.8.0.{last}:80")])]))
}

#[test]
fn c08_a_rejected_listener_is_offered_again_by_the_timer_and_then_taken() {
    let mut talk = delta_but(Listener);
    // The ACK of scopes came after the rejection: one try follows.
    assert_eq!(listeners(&talk.wait(SECOND)), ["lds +egress"]);
    talk.ack(Scope);
    assert_eq!(talk.nack(Listener), NOTHING);
    assert_eq!(talk.wait(FIRST_TIMER), NOTHING, "the second wait is twice as long");
    assert_eq!(listeners(&talk.wait(FIRST_TIMER)), ["lds +egress"]);
    assert_eq!(talk.ack(Listener), NOTHING);
    talk.ack(Scope);
    assert_eq!(talk.session.wake_at(), None);
    assert_eq!(talk.wait(FIRST_TIMER * 20), NOTHING);
}

#[test]
fn c08_an_ack_of_a_related_type_offers_again_what_was_rejected() {
    for (rejected, label) in [(Listener, "lds"), (Scope, "srds")] {
        let mut talk = delta_but(rejected);
        for _ in 0..30 {
            if !talk.wait(SECOND).is_empty() {
                talk.ack(if rejected == Listener { Scope } else { Listener });
                while !talk.nack(rejected).is_empty() {}
            }
        }
        assert_eq!(a_moves(&mut talk, 7), ["eds +a"], "the change alone is no reason");
        let said = talk.ack(Assignment);
        assert!(said.first().is_some_and(|said| said.starts_with(label)), "{label}: {said:?}");
        assert!(talk.session.rejects(rejected));
        while !talk.ack(rejected).is_empty() {}
        assert!(!talk.session.rejects(rejected));
    }
}

#[test]
fn c08_a_change_of_the_same_type_offers_again_what_was_rejected() {
    let mut talk = delta_but(Assignment);
    assert_eq!(talk.wait(SECOND), ["eds +a +b"], "scopes and listeners were acknowledged");
    assert_eq!(talk.nack(Assignment), ["eds +a"], "together they are no good: one after the other");
    assert_eq!(talk.nack(Assignment), ["eds +b"]);
    assert_eq!(talk.ack(Assignment), NOTHING);
    let said = talk.world(&services(vec![web("shop/b", &["10.8.0.9:80"])]));
    assert_eq!(said, ["eds +b"], "what is rejected does not spoil what is well");
    assert_eq!(talk.ack(Assignment), NOTHING);
    assert_eq!(talk.wait(SECOND * 3), ["eds +a"]);
}

#[test]
fn c08_a_client_rejects_as_long_as_it_lacks_something_whatever_else_it_accepts() {
    let mut talk = Talk::new(Variant::Delta);
    talk.delta(Assignment, &["a"], &[]);
    talk.nack(Assignment);
    assert_eq!(talk.delta(Assignment, &["b"], &[]), ["eds +b"]);
    talk.ack(Assignment);
    assert!(talk.session.status(Assignment).rejected && talk.session.rejects(Assignment), "a is still rejected");
    assert_eq!(a_moves(&mut talk, 7), ["eds +a"]);
    talk.ack(Assignment);
    assert!(!talk.session.status(Assignment).rejected);
}

#[test]
fn c08_what_is_gone_or_no_longer_wanted_is_not_rejected() {
    let mut talk = Talk::new(Variant::Delta);
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    talk.nack(Cluster);
    assert!(talk.session.rejects(Cluster));
    talk.world(&service_gone("shop/c"));
    talk.ack(Cluster);
    assert!(!talk.session.rejects(Cluster));

    talk.delta(Assignment, &["a", "b"], &[]);
    talk.nack(Assignment);
    talk.delta(Assignment, &[], &["a", "b"]);
    assert!(!talk.session.rejects(Assignment));
    assert_eq!(talk.wait(FIRST_TIMER), NOTHING);
}

#[test]
fn c08_a_cluster_that_is_taken_at_last_is_followed_by_its_load_assignment() {
    let mut talk = Talk::new(Variant::Delta);
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    talk.delta(Assignment, &["a", "b"], &[]);
    talk.ack(Assignment);
    assert_eq!(talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])])), ["cds +c", "eds +c"]);
    talk.ack(Assignment);
    talk.nack(Cluster);
    assert_eq!(talk.wait(FIRST_TIMER), ["cds +c", "eds +c"], "C34");
}

#[test]
fn c08_state_of_the_world_is_offered_again_as_a_whole() {
    let mut talk = Talk::new(Variant::Sotw);
    talk.sotw(Cluster, &[]);
    assert_eq!(talk.sotw_full(Cluster, &[], &talk.nonce(Cluster), Some("no good")), NOTHING);
    assert_eq!(talk.wait(FIRST_TIMER), ["cds +hole +pass +a +b"]);
    assert!(talk.session.rejects(Cluster));
    assert_eq!(talk.sotw(Cluster, &[]), NOTHING);
    assert!(!talk.session.rejects(Cluster));
    assert_eq!(talk.wait(FIRST_TIMER * 20), NOTHING);

    talk.sotw(Assignment, &["a"]);
    talk.sotw_full(Assignment, &["a"], &talk.nonce(Assignment), Some("no good"));
    assert_eq!(talk.wait(FIRST_TIMER), ["eds +a"]);
}

#[test]
fn c08_churn_around_a_rejected_resource_never_makes_a_loop() {
    let mut talk = Talk::new(Variant::Delta);
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    talk.delta(Assignment, &["a", "b"], &[]);
    talk.ack(Assignment);
    talk.delta(Listener, &[], &[]);
    talk.nack(Listener);
    // Ten minutes with twenty endpoint changes a second.
    let mut offers = 0;
    for step in 0..12_000_u32 {
        let said = a_moves(&mut talk, if step % 2 == 0 { 7 } else { 8 });
        assert_eq!(said.first().map(String::as_str), Some("eds +a"));
        talk.ack(Assignment);
        if talk.wait(SECOND / 20) == ["lds +egress"] {
            offers += 1;
            talk.nack(Listener);
        }
    }
    assert!((20..=26).contains(&offers), "{offers} offers; one in 30 s at most, and a few at first");
}

#[test]
fn c08_a_listener_that_is_taken_at_last_is_followed_by_the_scopes() {
    let mut talk = delta_but(Listener);
    assert_eq!(talk.session.status(Scope).names, 0);
    let said = talk.wait(SECOND);
    assert_eq!(said.first().map(String::as_str), Some("lds +egress"));
    assert!(said.get(1).is_some_and(|said| said.starts_with("srds +")), "Envoy would not ask for them: {said:?}");
    talk.ack(Listener);
    talk.ack(Scope);
    assert_eq!(talk.wait(FIRST_TIMER), NOTHING);
}
