use super::ResourceType::{Assignment, Cluster, Endpoint, Listener, Scope};
use super::*;

fn talk() -> Talk {
    Talk::new(Variant::Delta)
}

#[test]
fn c16_a_first_request_without_names_wants_everything() {
    let mut talk = talk();
    assert_eq!(talk.delta(Cluster, &[], &[]), ["cds +hole +pass +a +b"]);
    assert_eq!(talk.ack(Cluster), NOTHING, "C14: an ACK triggers nothing");
    // "*" is what the legacy form stands for: it can be unsubscribed from.
    assert_eq!(talk.delta(Cluster, &["a"], &[]), ["cds +a"]);
    talk.ack(Cluster);
    assert_eq!(talk.delta(Cluster, &[], &["*"]), NOTHING);
    let change = services(vec![web("shop/c", &["10.8.0.3:80"])]);
    assert_eq!(talk.world(&change), NOTHING, "only a is wanted now");
    assert_eq!(talk.delta(Cluster, &[], &["a"]), NOTHING);
    assert_eq!(talk.world(&service_gone("shop/a")), NOTHING, "nothing is wanted now");
}

#[test]
fn c17_load_assignments_are_never_wanted_without_a_name() {
    let mut talk = talk();
    assert_eq!(talk.delta(Assignment, &[], &[]), NOTHING);
    assert_eq!(talk.delta(Assignment, &["*"], &[]), NOTHING);
    assert_eq!(talk.delta(Assignment, &["a"], &[]), ["eds +a"]);
}

#[test]
fn c18_an_explicit_wildcard_goes_with_names() {
    let mut talk = talk();
    assert_eq!(talk.delta(Cluster, &["*", "nobody"], &[]), ["cds +hole +pass +a +b -nobody"]);
}

#[test]
fn asking_for_everything_again_also_tells_what_is_gone() {
    let mut talk = talk();
    talk.delta(Cluster, &["*"], &[]);
    assert_eq!(talk.delta(Cluster, &["*"], &[]), NOTHING, "the first answer is not acknowledged yet");
    assert_eq!(talk.world(&service_gone("shop/b")), NOTHING);
    assert_eq!(talk.ack(Cluster), ["cds +hole +pass +a"]);
    assert_eq!(talk.ack(Cluster), ["cds -b"]);
}

#[test]
fn c19_under_the_wildcard_an_unsubscribed_name_is_answered() {
    let mut talk = talk();
    talk.delta(Cluster, &["*", "a", "nobody"], &[]);
    talk.ack(Cluster);
    assert_eq!(talk.delta(Cluster, &[], &["a"]), ["cds +a"]);
    talk.ack(Cluster);
    assert_eq!(talk.delta(Cluster, &[], &["nobody"]), ["cds -nobody"]);
}

#[test]
fn c20_unsubscribing_the_unknown_is_ignored() {
    let mut talk = talk();
    talk.delta(Cluster, &["*"], &[]);
    talk.ack(Cluster);
    assert_eq!(talk.delta(Cluster, &[], &["a", "never-heard-of"]), NOTHING);
    talk.delta(Assignment, &["a"], &[]);
    talk.ack(Assignment);
    assert_eq!(talk.delta(Assignment, &[], &["b"]), NOTHING);
}

#[test]
fn c21_subscribing_again_is_always_answered() {
    let mut talk = talk();
    assert_eq!(talk.delta(Assignment, &["a"], &[]), ["eds +a"]);
    talk.ack(Assignment);
    assert_eq!(talk.delta(Assignment, &["a"], &[]), ["eds +a"], "it may have been dropped meanwhile");
    talk.ack(Assignment);
    assert_eq!(talk.delta(Assignment, &["a"], &["a"]), ["eds +a"], "removed and added in one breath");
}

#[test]
fn c24_an_unknown_name_is_answered_at_once_and_again_when_it_is_born() {
    let mut talk = talk();
    assert_eq!(talk.delta(Assignment, &["a", "c"], &[]), ["eds +a -c"]);
    talk.ack(Assignment);
    assert_eq!(talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])])), ["eds +c"]);
}

#[test]
fn c25_ten_thousand_names_in_one_request() {
    let all = (0..10_000).map(|i| web(&format!("shop/s{i}"), &["10.8.0.1:80"])).collect();
    let mut talk = Talk::with(Variant::Delta, None, services(all));
    let names: Vec<String> = (0..10_000).map(|i| format!("s{i}")).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let said = talk.delta(Assignment, &names, &[]);
    assert_eq!(said.len(), 1, "C28: in one response");
    assert_eq!(said.concat().matches('+').count(), 10_000);
}

#[test]
fn c28_only_what_changed_is_sent() {
    let mut talk = talk();
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    talk.delta(Assignment, &["a", "b"], &[]);
    talk.ack(Assignment);
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
    talk.ack(Assignment);
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), NOTHING, "nothing changed");
    let both = services(vec![web("shop/a", &["10.8.0.7:80"]), web("shop/b", &["10.8.0.8:80"])]);
    assert_eq!(talk.world(&both), ["eds +a +b"]);
}

#[test]
fn c14_an_ack_triggers_nothing() {
    let mut talk = Talk::with(Variant::Delta, Some("eu-1"), services(vec![web("shop/a", &["10.8.0.1:80"])]));
    for t in ResourceType::ALL {
        let names: &[&str] = if t.allows_wildcard() { &[] } else { &["a"] };
        talk.delta(t, names, &[]);
    }
    for t in ResourceType::ALL {
        assert_eq!(talk.ack(t), NOTHING, "{}", t.label());
        assert_eq!(talk.ack(t), NOTHING, "{}, said twice", t.label());
    }
}

#[test]
fn c29_no_name_twice_and_none_both_sent_and_removed() {
    // Whoever listens asserts it for every response there is; these are the likely ways to get it wrong.
    let mut talk = talk();
    assert_eq!(talk.delta(Cluster, &["*", "a", "a", "nobody"], &[]), ["cds +hole +pass +a +b -nobody"]);
    talk.world(&service_gone("shop/b"));
    assert_eq!(talk.delta(Cluster, &["b", "a", "nobody"], &["b"]), NOTHING, "the first answer is not acknowledged yet");
    assert_eq!(talk.ack(Cluster), ["cds -nobody"], "what was on its way is not sent again");
    assert_eq!(talk.ack(Cluster), ["cds -b"]);
    assert_eq!(talk.ack(Cluster), NOTHING);
}

#[test]
fn c15_one_response_waits_for_its_ack_and_the_next_one_skips_what_is_outdated() {
    let mut talk = talk();
    talk.delta(Assignment, &["a", "b"], &[]);
    for i in 1..=100 {
        let change = services(vec![web("shop/a", &[&*format!("10.8.1.{i}:80")])]);
        assert_eq!(talk.world(&change), NOTHING, "the first response is not acknowledged yet");
    }
    assert_eq!(talk.ack(Assignment), ["eds +a"]);
    assert_eq!(talk.ack(Assignment), NOTHING);
}

#[test]
fn a_change_that_was_taken_back_before_it_was_sent_is_not_sent() {
    let mut talk = talk();
    talk.delta(Assignment, &["a"], &[]);
    talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])]));
    talk.world(&services(vec![web("shop/a", &["10.8.0.1:80"])]));
    assert_eq!(talk.ack(Assignment), NOTHING);
}

#[test]
fn c08_what_was_rejected_is_not_sent_again_at_once() {
    let mut talk = talk();
    talk.delta(Assignment, &["a"], &[]);
    assert_eq!(talk.nack(Assignment), NOTHING);
    let status = talk.session.status(Assignment);
    assert_eq!((status.nacks, status.acks, status.rejected), (1, 0, true), "C07");
    assert_eq!(status.last_error.as_deref(), Some("no good"));
    assert_eq!(talk.delta(Assignment, &["a"], &[]), NOTHING, "not even if asked for");
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"], "but something else is");
    talk.ack(Assignment);
    assert!(!talk.session.status(Assignment).rejected);
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.1:80"])])), ["eds +a"], "a change back is a change");
}

#[test]
fn c11_subscriptions_count_even_with_a_stale_nonce() {
    let mut talk = talk();
    talk.delta(Assignment, &["a"], &[]);
    assert_eq!(talk.delta_full(Assignment, &["b"], &[], &[], "no-such-nonce", None), NOTHING, "a waits for its ACK");
    assert_eq!(talk.ack(Assignment), ["eds +b"]);
    let heard = talk.session.on_request(Request {
        resource_type: Assignment,
        nonce: "1".to_owned(),
        error: Some("about an earlier one".to_owned()),
        ask: Ask::Delta { subscribe: vec![], unsubscribe: vec![], known: Known::default() },
    });
    assert_eq!(heard, Ok(Answer::None), "and it is neither ACK nor NACK");
}

#[test]
fn c37_and_c38_a_resumed_stream_is_told_the_difference() {
    let mut talk = talk();
    let same = talk.version(Cluster, "a");
    let known = [("a", same.clone()), ("b", "0123456789abcdef".to_owned()), ("gone", same)];
    let said = talk.delta_full(Cluster, &[], &[], &known, "", None);
    assert_eq!(said, ["cds +hole +pass +b -gone"], "C38: an unknown version counts as changed");
}

#[test]
fn c37_a_resumed_wildcard_is_answered_even_if_nothing_is_new() {
    let mut talk = talk();
    assert_eq!(talk.delta(Listener, &[], &[]), ["lds +egress"]);
    talk.reconnect();
    let known = [("egress", talk.version(Listener, "egress"))];
    assert_eq!(talk.delta_full(Listener, &[], &[], &known, "", None), ["lds"]);

    let mut empty = Talk::with(Variant::Delta, None, Effects::default());
    assert_eq!(empty.delta(Scope, &[], &[]), ["srds"], "also if there is nothing at all");
    let known = [("a", talk.version(Assignment, "a"))];
    talk.reconnect();
    assert_eq!(talk.delta_full(Assignment, &["a"], &[], &known, "", None), NOTHING, "names need no answer");
}

#[test]
fn what_the_client_knows_counts_in_its_first_request_only() {
    let mut talk = talk();
    talk.delta(Assignment, &["a"], &[]);
    talk.ack(Assignment);
    let known = [("b", talk.version(Assignment, "b"))];
    assert_eq!(talk.delta_full(Assignment, &["b"], &[], &known, "", None), ["eds +b"]);
}

/// More changes than a log remembers, and then the present endpoint of `a`.
fn a_long_time_passes(talk: &mut Talk) {
    let all = |octet: usize| {
        let host = format!("10.8.0.{octet}:80");
        services((0..500).map(|i| web(&format!("shop/s{i}"), &[&*host])).collect())
    };
    for i in 0..3 * crate::snapshot::MIN_LOG_CHANGES / 500 + 2 {
        talk.world(&all(1 + i % 2));
    }
    talk.world(&services(vec![web("shop/a", &["10.8.0.77:80"])]));
}

#[test]
fn who_names_what_it_wants_and_falls_too_far_behind_is_sent_all_of_it() {
    let mut talk = talk();
    talk.delta(Assignment, &["a", "b"], &[]);
    a_long_time_passes(&mut talk);
    assert_eq!(talk.ack(Assignment), ["eds +a +b"]);
    assert_eq!(talk.ack(Assignment), NOTHING);
}

#[test]
fn who_wants_everything_and_falls_too_far_behind_has_to_say_what_it_has() {
    let mut talk = talk();
    talk.delta(Cluster, &[], &[]);
    let add = |talk: &mut Talk, round: usize| {
        let all = (0..500).map(|i| web(&format!("shop/s{round}-{i}"), &[])).collect();
        talk.catalog.apply(&services(all));
        let gone = (0..500).map(|i| service_gone(&format!("shop/s{round}-{i}")).services.remove(0)).collect();
        talk.catalog.apply(&Effects { services: gone, ..Effects::default() });
    };
    for round in 0..2 * crate::snapshot::MIN_LOG_CHANGES / 500 + 2 {
        add(&mut talk, round);
    }
    let nonce = talk.nonce(Cluster);
    let ack = Request {
        resource_type: Cluster,
        nonce,
        error: None,
        ask: Ask::Delta { subscribe: vec![], unsubscribe: vec![], known: Known::default() },
    };
    talk.session.on_request(ack).expect("accepted");
    talk.session.on_snapshot(talk.view.snapshot().expect("a snapshot"));
    assert_eq!(talk.session.responses(), Err(Refusal::TooFarBehind));
}

const GLOB: &str = "xdstp:///envoy.config.endpoint.v3.LbEndpoint/a.shop/80/eu-1/eu-a/*";

/// A client that takes endpoints one by one.
fn leds_talk() -> Talk {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/a", &["10.8.0.1:80", "10.8.0.2:80"])]));
    catalog.set_ready();
    let mut class = class(None);
    if let crate::class::Profile::Envoy(envoy) = &mut class.profile {
        envoy.leds = true;
    }
    Talk::of(Variant::Delta, class, catalog)
}

fn endpoint(ip: &str) -> String {
    format!("{}{ip}-80", GLOB.trim_end_matches('*'))
}

#[test]
fn c43_endpoints_come_and_go_one_by_one() {
    let mut talk = leds_talk();
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    assert_eq!(talk.delta(Assignment, &["a"], &[]), ["eds +a"]);
    talk.ack(Assignment);
    let all = format!("leds +{} +{}", endpoint("10.8.0.1"), endpoint("10.8.0.2"));
    assert_eq!(talk.delta(Endpoint, &[GLOB], &[]), [&*all]);
    talk.ack(Endpoint);
    let said = talk.world(&services(vec![web("shop/a", &["10.8.0.2:80!", "10.8.0.3:80"])]));
    let expected = format!("leds +{} +{} -{}", endpoint("10.8.0.2"), endpoint("10.8.0.3"), endpoint("10.8.0.1"));
    assert_eq!(said, [expected], "and the load assignment stays");
    talk.ack(Endpoint);
    assert_eq!(talk.delta(Endpoint, &[], &[GLOB]), NOTHING);
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), NOTHING, "nobody asks any more");
}

#[test]
fn c43_a_cluster_made_anew_needs_its_endpoints_again() {
    let mut talk = leds_talk();
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    talk.delta(Assignment, &["a"], &[]);
    talk.ack(Assignment);
    talk.delta(Endpoint, &[GLOB], &[]);
    talk.ack(Endpoint);
    let backends = vec![backend("eu-1", "eu-a", &["10.8.0.1:80"])];
    let changed = merged("shop/a", vec![port(80, federation::model::AppProtocol::Http2, backends)]);
    let said = talk.world(&services(vec![changed]));
    let follow = format!("leds +{} -{}", endpoint("10.8.0.1"), endpoint("10.8.0.2"));
    assert_eq!(said, ["cds +a", "eds +a", &*follow]);
}

#[test]
fn c43_a_resumed_collection_is_told_the_difference() {
    let mut talk = leds_talk();
    let here = endpoint("10.8.0.1");
    let known = [(&*here, talk.version(Endpoint, &here)), (&*endpoint("10.8.0.99"), "0123456789abcdef".to_owned())];
    let said = talk.delta_full(Endpoint, &[GLOB], &[], &known, "", None);
    assert_eq!(said, [format!("leds +{} -{}", endpoint("10.8.0.2"), endpoint("10.8.0.99"))]);
}
