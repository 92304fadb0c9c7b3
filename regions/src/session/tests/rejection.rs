//! What a client rejected and why it may be acceptable later: C08, and what is shown to people meanwhile.

use super::ResourceType::{Assignment, Cluster, Listener, Scope};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
/// Longer than the first wait of the timer, whatever its jitter.
const FIRST_TIMER: Duration = Duration::from_secs(73);

/// A delta client that has everything and took it, except `lacks`, which it rejects.
fn delta_but(lacks: ResourceType) -> TestClient {
    let mut client = TestClient::new(Variant::Delta);
    for (t, names) in [(Cluster, &[][..]), (Assignment, &["a", "b"]), (Listener, &[]), (Scope, &[])] {
        client.delta(t, names, &[]);
        if t == lacks {
            client.nack(t)
        } else {
            client.ack(t)
        };
    }
    client
}

/// Without the scopes that follow a listener.
fn listeners(sent: &[String]) -> Vec<&str> {
    sent.iter().map(String::as_str).filter(|sent| !sent.starts_with("srds")).collect()
}

fn a_moves(client: &mut TestClient, last: u8) -> Vec<String> {
    client.apply(&services(vec![web("shop/a", &[&format!("10.8.0.{last}:80")])]))
}

#[test]
fn c08_a_rejected_listener_is_offered_again_by_the_timer_and_then_taken() {
    let mut client = delta_but(Listener);
    // The ACK of scopes came after the rejection: one try follows.
    assert_eq!(listeners(&client.wait(SECOND)), ["lds +egress"]);
    client.ack(Scope);
    assert_eq!(client.nack(Listener), NOTHING);
    assert_eq!(client.wait(FIRST_TIMER), NOTHING, "the second wait is twice as long");
    assert_eq!(listeners(&client.wait(FIRST_TIMER)), ["lds +egress"]);
    assert_eq!(client.ack(Listener), NOTHING);
    client.ack(Scope);
    assert_eq!(client.session.wake_at(), None);
    assert_eq!(client.wait(FIRST_TIMER * 20), NOTHING);
}

#[test]
fn c08_an_ack_of_a_related_type_offers_again_what_was_rejected() {
    for (rejected, label) in [(Listener, "lds"), (Scope, "srds")] {
        let mut client = delta_but(rejected);
        for _ in 0..30 {
            if !client.wait(SECOND).is_empty() {
                client.ack(if rejected == Listener { Scope } else { Listener });
                while !client.nack(rejected).is_empty() {}
            }
        }
        assert_eq!(a_moves(&mut client, 7), ["eds +a"], "the change alone is no reason");
        let sent = client.ack(Assignment);
        assert!(sent.first().is_some_and(|sent| sent.starts_with(label)), "{label}: {sent:?}");
        assert!(client.session.rejects(rejected));
        while !client.ack(rejected).is_empty() {}
        assert!(!client.session.rejects(rejected));
    }
}

#[test]
fn c08_a_change_of_the_same_type_offers_again_what_was_rejected() {
    let mut client = delta_but(Assignment);
    assert_eq!(client.wait(SECOND), ["eds +a +b"], "scopes and listeners were acknowledged");
    assert_eq!(client.nack(Assignment), ["eds +a"], "together they are no good: one after the other");
    assert_eq!(client.nack(Assignment), ["eds +b"]);
    assert_eq!(client.ack(Assignment), NOTHING);
    let sent = client.apply(&services(vec![web("shop/b", &["10.8.0.9:80"])]));
    assert_eq!(sent, ["eds +b"], "what is rejected does not spoil what is well");
    assert_eq!(client.ack(Assignment), NOTHING);
    assert_eq!(client.wait(SECOND * 3), ["eds +a"]);
}

#[test]
fn c08_a_client_rejects_as_long_as_it_lacks_something_whatever_else_it_accepts() {
    let mut client = TestClient::new(Variant::Delta);
    client.delta(Assignment, &["a"], &[]);
    client.nack(Assignment);
    assert_eq!(client.delta(Assignment, &["b"], &[]), ["eds +b"]);
    client.ack(Assignment);
    assert!(client.session.status(Assignment).rejected && client.session.rejects(Assignment), "a is still rejected");
    assert_eq!(a_moves(&mut client, 7), ["eds +a"]);
    client.ack(Assignment);
    assert!(!client.session.status(Assignment).rejected);
}

#[test]
fn c08_what_is_gone_or_no_longer_wanted_is_not_rejected() {
    let mut client = TestClient::new(Variant::Delta);
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    client.nack(Cluster);
    assert!(client.session.rejects(Cluster));
    client.apply(&service_gone("shop/c"));
    client.ack(Cluster);
    assert!(!client.session.rejects(Cluster));

    client.delta(Assignment, &["a", "b"], &[]);
    client.nack(Assignment);
    client.delta(Assignment, &[], &["a", "b"]);
    assert!(!client.session.rejects(Assignment));
    assert_eq!(client.wait(FIRST_TIMER), NOTHING);
}

#[test]
fn c08_a_cluster_that_is_accepted_at_last_is_followed_by_its_load_assignment() {
    let mut client = TestClient::new(Variant::Delta);
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.delta(Assignment, &["a", "b"], &[]);
    client.ack(Assignment);
    assert_eq!(client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])])), ["cds +c", "eds +c"]);
    client.ack(Assignment);
    client.nack(Cluster);
    assert_eq!(client.wait(FIRST_TIMER), ["cds +c", "eds +c"], "C34");
}

#[test]
fn c08_state_of_the_world_is_offered_again_as_a_whole() {
    let mut client = TestClient::new(Variant::Sotw);
    client.sotw(Cluster, &[]);
    assert_eq!(client.sotw_full(Cluster, &[], &client.nonce(Cluster), Some("no good")), NOTHING);
    assert_eq!(client.wait(FIRST_TIMER), ["cds +hole +pass +a +b"]);
    assert!(client.session.rejects(Cluster));
    assert_eq!(client.sotw(Cluster, &[]), NOTHING);
    assert!(!client.session.rejects(Cluster));
    assert_eq!(client.wait(FIRST_TIMER * 20), NOTHING);

    client.sotw(Assignment, &["a"]);
    client.sotw_full(Assignment, &["a"], &client.nonce(Assignment), Some("no good"));
    assert_eq!(client.wait(FIRST_TIMER), ["eds +a"]);
}

#[test]
fn c08_churn_around_a_rejected_resource_never_makes_a_loop() {
    let mut client = TestClient::new(Variant::Delta);
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.delta(Assignment, &["a", "b"], &[]);
    client.ack(Assignment);
    client.delta(Listener, &[], &[]);
    client.nack(Listener);
    // Ten minutes with twenty endpoint changes a second.
    let mut offers = 0;
    for step in 0..12_000_u32 {
        let sent = a_moves(&mut client, if step % 2 == 0 { 7 } else { 8 });
        assert_eq!(sent.first().map(String::as_str), Some("eds +a"));
        client.ack(Assignment);
        if client.wait(SECOND / 20) == ["lds +egress"] {
            offers += 1;
            client.nack(Listener);
        }
    }
    assert!((20..=26).contains(&offers), "{offers} offers; one in 30 s at most, and a few at first");
}

#[test]
fn c08_a_listener_that_is_accepted_at_last_is_followed_by_the_scopes() {
    let mut client = delta_but(Listener);
    assert_eq!(client.session.status(Scope).names, 0);
    let sent = client.wait(SECOND);
    assert_eq!(sent.first().map(String::as_str), Some("lds +egress"));
    assert!(sent.get(1).is_some_and(|sent| sent.starts_with("srds +")), "Envoy would not ask for them: {sent:?}");
    client.ack(Listener);
    client.ack(Scope);
    assert_eq!(client.wait(FIRST_TIMER), NOTHING);
}
