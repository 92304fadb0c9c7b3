use super::ResourceType::{Assignment, Cluster, Listener};
use super::*;

fn client() -> TestClient {
    TestClient::new(Variant::Sotw)
}

#[test]
fn c16_the_four_states_of_a_wildcard() {
    let mut client = client();
    assert_eq!(client.sotw(Cluster, &[]), ["cds +hole +pass +a +b"], "no names: everything");
    assert_eq!(client.sotw(Cluster, &["*", "a"]), NOTHING, "the ACK also names a, which is there");
    assert_eq!(client.sotw(Cluster, &["a"]), NOTHING, "an ACK that wants less");
    assert_eq!(client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])])), NOTHING, "only a is wanted now");
    assert_eq!(client.sotw(Cluster, &[]), NOTHING, "no names after names: nothing");
    assert_eq!(client.apply(&services(vec![web("shop/d", &["10.8.0.3:80"])])), NOTHING);
}

#[test]
fn c17_load_assignments_are_never_wanted_without_a_name() {
    let mut client = client();
    assert_eq!(client.sotw(Assignment, &[]), NOTHING);
    assert_eq!(client.sotw(Assignment, &["b"]), ["eds +b"]);
}

#[test]
fn c26_a_wildcard_is_always_answered_with_the_full_state() {
    let mut client = client();
    client.sotw(Cluster, &[]);
    client.sotw(Cluster, &[]);
    let sent = client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(sent, ["cds +hole +pass +a +b +c"]);
    client.sotw(Cluster, &[]);
    assert_eq!(client.apply(&service_gone("shop/c")), ["cds +hole +pass +a +b"]);
}

#[test]
fn c27_load_assignments_come_one_by_one() {
    let mut client = client();
    assert_eq!(client.sotw(Assignment, &["a", "b"]), ["eds +a +b"]);
    assert_eq!(client.sotw(Assignment, &["a", "b"]), NOTHING, "C14: an ACK triggers nothing");
    assert_eq!(client.apply(&services(vec![web("shop/b", &["10.8.0.9:80"])])), ["eds +b"]);
}

#[test]
fn c09_a_stale_nonce_is_not_answered() {
    let mut client = client();
    client.sotw(Assignment, &["a"]);
    let old = client.nonce(Assignment);
    client.sotw(Assignment, &["a"]);
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
    assert_eq!(client.sotw_full(Assignment, &["a", "b"], &old, None), NOTHING);
    assert_eq!(client.sotw_full(Assignment, &["a", "b"], "", None), NOTHING);
    assert_eq!(client.sotw(Assignment, &["a", "b"]), ["eds +b"], "the ACK that follows names it again");
}

#[test]
fn c10_the_same_request_again_wants_everything_again() {
    let mut client = client();
    client.sotw(Assignment, &["a", "b"]);
    assert_eq!(client.sotw(Assignment, &["a", "b"]), NOTHING, "the ACK");
    assert_eq!(client.sotw(Assignment, &["a", "b"]), ["eds +a +b"], "identical to the ACK, but no ACK");
    assert_eq!(client.sotw(Assignment, &["a", "b"]), NOTHING, "the ACK of that");
    assert_eq!(client.sotw(Assignment, &["a"]), NOTHING, "wanting less needs no answer");
}

#[test]
fn c22_a_name_that_is_added_again_is_sent_at_an_unchanged_version() {
    let mut client = client();
    client.sotw(Assignment, &["a", "b"]);
    client.sotw(Assignment, &["a", "b"]);
    assert_eq!(client.sotw(Assignment, &["a"]), NOTHING);
    assert_eq!(client.sotw(Assignment, &["a", "b"]), ["eds +b"]);
}

#[test]
fn c23_an_unknown_name_is_remembered_and_answered_when_it_exists() {
    let mut client = client();
    assert_eq!(client.sotw(Assignment, &["c"]), NOTHING);
    assert_eq!(client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])])), ["eds +c"]);
}

#[test]
fn a_request_repeated_before_the_first_answer_is_answered_once() {
    let mut client = client();
    assert_eq!(client.sotw(Assignment, &["c"]), NOTHING);
    assert_eq!(client.sotw(Assignment, &["c", "d"]), NOTHING);
    let added = services(vec![web("shop/c", &["10.8.0.3:80"]), web("shop/d", &["10.8.0.4:80"])]);
    assert_eq!(client.apply(&added), ["eds +c +d"]);
}

#[test]
fn a_stream_that_continues_another_one_is_answered_whatever_its_nonce() {
    let mut client = client();
    assert_eq!(client.sotw_full(Cluster, &[], "nonce-of-another-life", None), ["cds +hole +pass +a +b"]);
    let nonce = client.nonce(Cluster);
    assert_eq!(client.session.status(Cluster).acks, 0);
    assert_eq!(client.sotw_full(Cluster, &[], &nonce, None), NOTHING);
    assert_eq!(client.session.status(Cluster).acks, 1);
}

#[test]
fn c08_what_was_rejected_is_not_sent_again_at_once() {
    let mut client = client();
    client.sotw(Cluster, &[]);
    assert_eq!(client.sotw_full(Cluster, &[], &client.nonce(Cluster), Some("no good")), NOTHING);
    assert_eq!(client.session.status(Cluster).nacks, 1, "C07");
    assert_eq!(client.sotw(Cluster, &[]), NOTHING, "the same state, even if asked for");
    let sent = client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(sent, ["cds +hole +pass +a +b +c"], "another state is another matter");

    client.sotw(Assignment, &["a"]);
    client.sotw_full(Assignment, &["a"], &client.nonce(Assignment), Some("no good"));
    assert_eq!(client.sotw(Assignment, &["a"]), NOTHING);
}

#[test]
fn c12_the_version_of_a_type_moves_with_its_content_and_is_the_same_everywhere() {
    let version = |client: &mut TestClient| client.session.status(Cluster).version;
    let (mut one, mut two) = (client(), TestClient::new(Variant::Delta));
    one.sotw(Cluster, &[]);
    two.delta(Cluster, &[], &[]);
    let first = version(&mut one);
    assert_eq!(first, version(&mut two));
    one.sotw(Cluster, &[]);
    one.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_ne!(first, version(&mut one));
    one.sotw(Cluster, &[]);
    one.apply(&service_gone("shop/c"));
    assert_eq!(first, version(&mut one), "back to the same content");
}

#[test]
fn listeners_by_name() {
    let mut client = client();
    assert_eq!(client.sotw(Listener, &["egress", "unknown"]), ["lds +egress"]);
}

/// A gRPC client.
fn grpc() -> TestClient {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/a", &["10.8.0.1:80"])]));
    catalog.set_ready();
    TestClient::of(Variant::Sotw, Class { profile: crate::class::Profile::Grpc, ..class(None) }, catalog)
}

#[test]
fn c48_grpc_is_sent_at_once_what_does_not_exist() {
    let mut client = grpc();
    assert_eq!(client.sotw(Cluster, &["a", "b"]), ["cds +a ?b"]);
    assert_eq!(client.sotw(Cluster, &["a", "b"]), NOTHING, "the ACK");
    assert_eq!(client.sotw(Assignment, &["b"]), ["eds ?b"]);
    client.sotw(Assignment, &["b"]);
    let sent = client.apply(&services(vec![web("shop/b", &["10.8.0.3:80"])]));
    assert_eq!(sent, ["cds +a +b", "eds +b"], "C23: and it is remembered");
}
