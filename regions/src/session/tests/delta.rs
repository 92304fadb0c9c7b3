use super::ResourceType::{Assignment, Cluster, Endpoint, Listener, Scope};
use super::*;

fn client() -> TestClient {
    TestClient::new(Variant::Delta)
}

#[test]
fn c16_a_first_request_without_names_wants_everything() {
    let mut client = client();
    assert_eq!(client.delta(Cluster, &[], &[]), ["cds +hole +pass +a +b"]);
    assert_eq!(client.ack(Cluster), NOTHING, "C14: an ACK triggers nothing");
    // "*" is what the legacy form means: it can be unsubscribed from.
    assert_eq!(client.delta(Cluster, &["a"], &[]), ["cds +a"]);
    client.ack(Cluster);
    assert_eq!(client.delta(Cluster, &[], &["*"]), NOTHING);
    let change = services(vec![web("shop/c", &["10.8.0.3:80"])]);
    assert_eq!(client.apply(&change), NOTHING, "only a is wanted now");
    assert_eq!(client.delta(Cluster, &[], &["a"]), NOTHING);
    assert_eq!(client.apply(&service_gone("shop/a")), NOTHING, "nothing is wanted now");
}

#[test]
fn c17_load_assignments_are_never_wanted_without_a_name() {
    let mut client = client();
    assert_eq!(client.delta(Assignment, &[], &[]), NOTHING);
    assert_eq!(client.delta(Assignment, &["*"], &[]), NOTHING);
    assert_eq!(client.delta(Assignment, &["a"], &[]), ["eds +a"]);
}

#[test]
fn c18_an_explicit_wildcard_goes_with_names() {
    let mut client = client();
    assert_eq!(client.delta(Cluster, &["*", "unknown"], &[]), ["cds +hole +pass +a +b -unknown"]);
}

#[test]
fn asking_for_everything_again_also_removes_what_is_gone() {
    let mut client = client();
    client.delta(Cluster, &["*"], &[]);
    assert_eq!(client.delta(Cluster, &["*"], &[]), NOTHING, "the first answer is not acknowledged yet");
    assert_eq!(client.apply(&service_gone("shop/b")), NOTHING);
    assert_eq!(client.ack(Cluster), ["cds +hole +pass +a"]);
    assert_eq!(client.ack(Cluster), ["cds -b"]);
}

#[test]
fn c19_under_the_wildcard_an_unsubscribed_name_is_answered() {
    let mut client = client();
    client.delta(Cluster, &["*", "a", "unknown"], &[]);
    client.ack(Cluster);
    assert_eq!(client.delta(Cluster, &[], &["a"]), ["cds +a"]);
    client.ack(Cluster);
    assert_eq!(client.delta(Cluster, &[], &["unknown"]), ["cds -unknown"]);
}

#[test]
fn c20_unsubscribing_the_unknown_is_ignored() {
    let mut client = client();
    client.delta(Cluster, &["*"], &[]);
    client.ack(Cluster);
    assert_eq!(client.delta(Cluster, &[], &["a", "never-asked-for"]), NOTHING);
    client.delta(Assignment, &["a"], &[]);
    client.ack(Assignment);
    assert_eq!(client.delta(Assignment, &[], &["b"]), NOTHING);
}

#[test]
fn c21_subscribing_again_is_always_answered() {
    let mut client = client();
    assert_eq!(client.delta(Assignment, &["a"], &[]), ["eds +a"]);
    client.ack(Assignment);
    assert_eq!(client.delta(Assignment, &["a"], &[]), ["eds +a"], "it may have been dropped meanwhile");
    client.ack(Assignment);
    assert_eq!(client.delta(Assignment, &["a"], &["a"]), ["eds +a"], "removed and added in one breath");
}

#[test]
fn c24_an_unknown_name_is_answered_at_once_and_again_when_it_exists() {
    let mut client = client();
    assert_eq!(client.delta(Assignment, &["a", "c"], &[]), ["eds +a -c"]);
    client.ack(Assignment);
    assert_eq!(client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])])), ["eds +c"]);
}

#[test]
fn c25_ten_thousand_names_in_one_request() {
    let all = (0..10_000).map(|i| web(&format!("shop/s{i}"), &["10.8.0.1:80"])).collect();
    let mut client = TestClient::with(Variant::Delta, None, services(all));
    let names: Vec<String> = (0..10_000).map(|i| format!("s{i}")).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let sent = client.delta(Assignment, &names, &[]);
    assert_eq!(sent.len(), 1, "C28: in one response");
    assert_eq!(sent.concat().matches('+').count(), 10_000);
}

#[test]
fn c28_only_what_changed_is_sent() {
    let mut client = client();
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.delta(Assignment, &["a", "b"], &[]);
    client.ack(Assignment);
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
    client.ack(Assignment);
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), NOTHING, "nothing changed");
    let both = services(vec![web("shop/a", &["10.8.0.7:80"]), web("shop/b", &["10.8.0.8:80"])]);
    assert_eq!(client.apply(&both), ["eds +a +b"]);
}

#[test]
fn c14_an_ack_triggers_nothing() {
    let mut client = TestClient::with(Variant::Delta, Some("eu-1"), services(vec![web("shop/a", &["10.8.0.1:80"])]));
    for t in ResourceType::ALL {
        let names: &[&str] = if t.allows_wildcard() { &[] } else { &["a"] };
        client.delta(t, names, &[]);
    }
    for t in ResourceType::ALL {
        assert_eq!(client.ack(t), NOTHING, "{}", t.label());
        assert_eq!(client.ack(t), NOTHING, "{}, sent twice", t.label());
    }
}

#[test]
fn c29_no_name_twice_and_none_both_sent_and_removed() {
    // The test client asserts it for every response; these are the likely ways to get it wrong.
    let mut client = client();
    assert_eq!(client.delta(Cluster, &["*", "a", "a", "unknown"], &[]), ["cds +hole +pass +a +b -unknown"]);
    client.apply(&service_gone("shop/b"));
    assert_eq!(
        client.delta(Cluster, &["b", "a", "unknown"], &["b"]),
        NOTHING,
        "the first answer is not acknowledged yet"
    );
    assert_eq!(client.ack(Cluster), ["cds -unknown"], "what was under way is not sent again");
    assert_eq!(client.ack(Cluster), ["cds -b"]);
    assert_eq!(client.ack(Cluster), NOTHING);
}

#[test]
fn c15_one_response_waits_for_its_ack_and_the_next_one_skips_what_is_outdated() {
    let mut client = client();
    client.delta(Assignment, &["a", "b"], &[]);
    for i in 1..=100 {
        let change = services(vec![web("shop/a", &[&*format!("10.8.1.{i}:80")])]);
        assert_eq!(client.apply(&change), NOTHING, "the first response is not acknowledged yet");
    }
    assert_eq!(client.ack(Assignment), ["eds +a"]);
    assert_eq!(client.ack(Assignment), NOTHING);
}

#[test]
fn a_change_that_was_taken_back_before_it_was_sent_is_not_sent() {
    let mut client = client();
    client.delta(Assignment, &["a"], &[]);
    client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    client.apply(&services(vec![web("shop/a", &["10.8.0.1:80"])]));
    assert_eq!(client.ack(Assignment), NOTHING);
}

#[test]
fn c08_what_was_rejected_is_not_sent_again_at_once() {
    let mut client = client();
    client.delta(Assignment, &["a"], &[]);
    assert_eq!(client.nack(Assignment), NOTHING);
    let status = client.session.status(Assignment);
    assert_eq!((status.nacks, status.acks, status.rejected), (1, 0, true), "C07");
    assert_eq!(status.last_error.as_deref(), Some("no good"));
    assert_eq!(client.delta(Assignment, &["a"], &[]), NOTHING, "not even if asked for");
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"], "but something else is");
    client.ack(Assignment);
    assert!(!client.session.status(Assignment).rejected);
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.1:80"])])), ["eds +a"], "a change back is a change");
}

#[test]
fn c11_subscriptions_count_even_with_a_stale_nonce() {
    let mut client = client();
    client.delta(Assignment, &["a"], &[]);
    assert_eq!(client.delta_full(Assignment, &["b"], &[], &[], "no-such-nonce", None), NOTHING, "a waits for its ACK");
    assert_eq!(client.ack(Assignment), ["eds +b"]);
    let answer = client.session.on_request(Request {
        resource_type: Assignment,
        nonce: "1".to_owned(),
        error: Some("about an earlier one".to_owned()),
        ask: Ask::Delta { subscribe: vec![], unsubscribe: vec![], known: Known::default() },
    });
    assert_eq!(answer, Ok(Answer::None), "and it is neither ACK nor NACK");
}

#[test]
fn c37_and_c38_a_resumed_stream_is_sent_the_difference() {
    let mut client = client();
    let same = client.version(Cluster, "a");
    let known = [("a", same.clone()), ("b", "0123456789abcdef".to_owned()), ("gone", same)];
    let sent = client.delta_full(Cluster, &[], &[], &known, "", None);
    assert_eq!(sent, ["cds +hole +pass +b -gone"], "C38: an unknown version counts as changed");
}

#[test]
fn c37_a_resumed_wildcard_is_answered_even_if_nothing_is_new() {
    let mut client = client();
    assert_eq!(client.delta(Listener, &[], &[]), ["lds +egress"]);
    client.reconnect();
    let known = [("egress", client.version(Listener, "egress"))];
    assert_eq!(client.delta_full(Listener, &[], &[], &known, "", None), ["lds"]);

    let mut empty = TestClient::with(Variant::Delta, None, Effects::default());
    assert_eq!(empty.delta(Scope, &[], &[]), ["srds"], "also if there is nothing at all");
    let known = [("a", client.version(Assignment, "a"))];
    client.reconnect();
    assert_eq!(client.delta_full(Assignment, &["a"], &[], &known, "", None), NOTHING, "names need no answer");
}

#[test]
fn what_the_client_knows_counts_in_its_first_request_only() {
    let mut client = client();
    client.delta(Assignment, &["a"], &[]);
    client.ack(Assignment);
    let known = [("b", client.version(Assignment, "b"))];
    assert_eq!(client.delta_full(Assignment, &["b"], &[], &known, "", None), ["eds +b"]);
}

/// More changes than a log remembers, and then the present endpoint of `a`.
fn a_long_time_passes(client: &mut TestClient) {
    let all = |octet: usize| {
        let host = format!("10.8.0.{octet}:80");
        services((0..500).map(|i| web(&format!("shop/s{i}"), &[&*host])).collect())
    };
    for i in 0..3 * crate::snapshot::MIN_LOG_CHANGES / 500 + 2 {
        client.apply(&all(1 + i % 2));
    }
    client.apply(&services(vec![web("shop/a", &["10.8.0.77:80"])]));
}

#[test]
fn a_client_of_names_that_falls_too_far_behind_is_sent_all_of_them() {
    let mut client = client();
    client.delta(Assignment, &["a", "b"], &[]);
    a_long_time_passes(&mut client);
    assert_eq!(client.ack(Assignment), ["eds +a +b"]);
    assert_eq!(client.ack(Assignment), NOTHING);
}

#[test]
fn a_client_of_everything_that_falls_too_far_behind_has_to_report_what_it_has() {
    let mut client = client();
    client.delta(Cluster, &[], &[]);
    let add = |client: &mut TestClient, round: usize| {
        let all = (0..500).map(|i| web(&format!("shop/s{round}-{i}"), &[])).collect();
        client.catalog.apply(&services(all));
        let gone = (0..500).map(|i| service_gone(&format!("shop/s{round}-{i}")).services.remove(0)).collect();
        client.catalog.apply(&Effects { services: gone, ..Effects::default() });
    };
    for round in 0..2 * crate::snapshot::MIN_LOG_CHANGES / 500 + 2 {
        add(&mut client, round);
    }
    let nonce = client.nonce(Cluster);
    let ack = Request {
        resource_type: Cluster,
        nonce,
        error: None,
        ask: Ask::Delta { subscribe: vec![], unsubscribe: vec![], known: Known::default() },
    };
    client.session.on_request(ack).expect("accepted");
    client.session.on_snapshot(client.view.snapshot().expect("a snapshot"));
    assert_eq!(client.session.responses(), Err(Refusal::TooFarBehind));
}

const GLOB: &str = "xdstp:///envoy.config.endpoint.v3.LbEndpoint/a.shop/80/eu-1/eu-a/*";

/// A client that takes endpoints one by one.
fn leds_talk() -> TestClient {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/a", &["10.8.0.1:80", "10.8.0.2:80"])]));
    catalog.set_ready();
    let mut class = class(None);
    if let crate::class::Profile::Envoy(envoy) = &mut class.profile {
        envoy.leds = true;
    }
    TestClient::of(Variant::Delta, class, catalog)
}

fn endpoint(ip: &str) -> String {
    format!("{}{ip}-80", GLOB.trim_end_matches('*'))
}

#[test]
fn c43_endpoints_come_and_go_one_by_one() {
    let mut client = leds_talk();
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    assert_eq!(client.delta(Assignment, &["a"], &[]), ["eds +a"]);
    client.ack(Assignment);
    let all = format!("leds +{} +{}", endpoint("10.8.0.1"), endpoint("10.8.0.2"));
    assert_eq!(client.delta(Endpoint, &[GLOB], &[]), [&*all]);
    client.ack(Endpoint);
    let sent = client.apply(&services(vec![web("shop/a", &["10.8.0.2:80!", "10.8.0.3:80"])]));
    let expected = format!("leds +{} +{} -{}", endpoint("10.8.0.2"), endpoint("10.8.0.3"), endpoint("10.8.0.1"));
    assert_eq!(sent, [expected], "and the load assignment stays");
    client.ack(Endpoint);
    assert_eq!(client.delta(Endpoint, &[], &[GLOB]), NOTHING);
    assert_eq!(
        client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])),
        NOTHING,
        "the client does not ask for it any more"
    );
}

#[test]
fn c43_a_cluster_made_again_needs_its_endpoints_again() {
    let mut client = leds_talk();
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    client.delta(Assignment, &["a"], &[]);
    client.ack(Assignment);
    client.delta(Endpoint, &[GLOB], &[]);
    client.ack(Endpoint);
    let backends = vec![backend("eu-1", "eu-a", &["10.8.0.1:80"])];
    let changed = merged("shop/a", vec![port(80, federation::model::AppProtocol::Http2, backends)]);
    let sent = client.apply(&services(vec![changed]));
    let follow = format!("leds +{} -{}", endpoint("10.8.0.1"), endpoint("10.8.0.2"));
    assert_eq!(sent, ["cds +a", "eds +a", &*follow]);
}

#[test]
fn c43_a_resumed_collection_is_sent_the_difference() {
    let mut client = leds_talk();
    let here = endpoint("10.8.0.1");
    let known = [(&*here, client.version(Endpoint, &here)), (&*endpoint("10.8.0.99"), "0123456789abcdef".to_owned())];
    let sent = client.delta_full(Endpoint, &[GLOB], &[], &known, "", None);
    assert_eq!(sent, [format!("leds +{} -{}", endpoint("10.8.0.2"), endpoint("10.8.0.99"))]);
}

#[test]
fn c33_no_route_before_the_endpoints_of_its_cluster() {
    let mut client = leds_talk();
    client.delta(Cluster, &[], &[]);
    client.delta(Assignment, &["a"], &[]);
    client.delta(Scope, &[], &[]);
    [Cluster, Assignment, Scope].into_iter().for_each(|t| _ = client.ack(t));
    // The load assignment is sent, and the client is about to ask for its endpoints.
    assert_eq!(client.apply(&services(vec![web("shop/b", &["10.8.0.7:80"])])), ["cds +b", "eds +b"]);
    let sent = client.delta(Endpoint, &[&GLOB.replace("a.shop", "b.shop")], &[]);
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[0].starts_with("leds +") && sent[1].starts_with("srds +"), "{sent:?}");
}
