//! Clients that connect again while a member that has to be known is not: nothing of what they have is removed.

use std::collections::BTreeSet;

use super::ResourceType::{Assignment, Cluster, Listener, Route, Scope};
use super::*;

/// A new process: `us-1` is on record and was not reached, so that `b`, which it alone backs, and its part in `a` are
/// missing.
fn restarted(class: Class, variant: Variant, a: &[&str]) -> TestClient {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    let mut effects = two_members();
    effects.unknown = Some(Arc::new(BTreeSet::from([cluster_id("us-1")])));
    catalog.apply(&effects);
    catalog.apply(&services(vec![web("shop/a", a)]));
    catalog.apply(&vips("eu-1", "shop/a", &["10.12.0.1"], &[80], true));
    let mut mirror = vips("eu-1", "shop/b", &["10.12.0.2"], &[80], false);
    if let Some((_, _, Some(vips))) = mirror.vips.first_mut() {
        Arc::make_mut(vips).awaits_source = true;
    }
    catalog.apply(&mirror);
    catalog.set_ready();
    TestClient::of(variant, class, catalog)
}

/// `us-1` is listed, and really has this.
fn us_1_is_known(b: Option<&[&str]>) -> Effects {
    let mut effects = b.map(|hosts| services(vec![web("shop/b", hosts)])).unwrap_or_default();
    effects.vips = vips("eu-1", "shop/b", &["10.12.0.2"], &[80], b.is_some()).vips;
    effects.unknown = Some(Arc::default());
    effects
}

const OLD: &str = "00000000000000aa";

fn old(names: &[&'static str]) -> Vec<(&'static str, String)> {
    names.iter().map(|name| (*name, OLD.to_owned())).collect()
}

#[test]
fn what_a_delta_client_has_of_an_unknown_member_stays_until_the_member_is_known() {
    for gone in [false, true] {
        let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
        let here = [("a", client.version(Cluster, "a")), ("b", OLD.to_owned())];
        let sent = client.delta_full(Cluster, &[], &[], &here, "", None);
        assert_eq!(sent, ["cds +hole +pass"], "b is neither removed nor replaced");
        client.ack(Cluster);
        let known = old(&["a", "b"]);
        assert_eq!(client.delta_full(Assignment, &["a", "b"], &[], &known, "", None), ["eds +a"], "a is followed");
        client.ack(Assignment);
        let known = [old(&["10.12.0.2_3306"]), vec![("virtualOutbound", OLD.to_owned())]].concat();
        let sent = client.delta_full(Listener, &[], &[], &known, "", None);
        assert_eq!(sent, ["lds +10.12.0.1_80 +virtualOutbound"]);
        client.ack(Listener);
        let known = old(&["a", "b"]);
        assert_eq!(client.delta_full(Scope, &[], &[], &known, "", None), ["srds"], "those of an earlier version, too");
        client.ack(Scope);
        // Changes of known members are sent as always.
        assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
        client.ack(Assignment);

        let sent = client.apply(&us_1_is_known((!gone).then_some(&["10.9.0.1:80"])));
        if gone {
            assert_eq!(sent, ["lds -10.12.0.2_3306", "srds -a -b"], "what refers to others first");
            client.ack(Listener);
            assert_eq!(client.ack(Scope), ["eds -b", "cds -b"]);
        } else {
            assert_eq!(sent[..2], ["cds +b".to_owned(), "eds +b".to_owned()], "{sent:?}");
        }
    }
}

#[test]
fn a_client_that_has_nothing_is_sent_what_is_known_and_what_is_missing() {
    let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(client.delta(Cluster, &[], &[]), ["cds +hole +pass +a"]);
    client.ack(Cluster);
    assert_eq!(client.delta(Assignment, &["b"], &[]), ["eds -b"], "so that Envoy need not wait for it");
    let mut client = restarted(on_demand(), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(client.delta(Cluster, &["*", "vip|10.12.0.2:80"], &[]), ["cds +hole +pass +vip|10.12.0.2:80"]);
}

#[test]
fn an_on_demand_cluster_is_not_replaced_by_one_that_passes_through() {
    let vip = "vip|10.12.0.2:80";
    let mut client = restarted(on_demand(), Variant::Delta, &["10.8.0.1:80"]);
    let sent = client.delta_full(Cluster, &["*", vip, "vip|10.12.0.1:80"], &[], &old(&[vip]), "", None);
    assert_eq!(sent, ["cds +hole +pass +vip|10.12.0.1:80"], "{sent:?}");
    client.ack(Cluster);
    assert_eq!(client.delta_full(Assignment, &["a", "b"], &[], &old(&["b"]), "", None), ["eds +a"]);
    client.ack(Assignment);
    // Nor has it a listener of its own for that: 10.12.0.2 may well be federated.
    assert_eq!(client.delta(Listener, &[], &[]), ["lds +virtualOutbound"]);
    client.ack(Listener);
    let sent = client.apply(&us_1_is_known(None));
    assert_eq!(sent, [format!("cds +{vip}"), "lds +virtualOutbound".to_owned()], "now it is known");
    client.ack(Cluster);
    assert_eq!(client.ack(Listener), ["eds -b"]);
}

/// It holds what happens to each port number in use: without the services of the unknown member some are missing.
#[test]
fn the_listener_of_an_on_demand_sidecar_waits_for_all_members() {
    let mut client = restarted(on_demand(), Variant::Delta, &["10.8.0.1:80"]);
    let known = [("virtualOutbound", OLD.to_owned())];
    assert_eq!(client.delta_full(Listener, &[], &[], &known, "", None), ["lds"], "it keeps the one it has");
    client.ack(Listener);
    assert_eq!(client.apply(&vips("eu-1", "shop/a", &["10.12.0.9"], &[81], true)), NOTHING);
    assert_eq!(client.apply(&us_1_is_known(Some(&["10.9.0.1:80"]))), ["lds +virtualOutbound"]);
}

#[test]
fn a_load_assignment_without_a_host_that_answers_replaces_nothing() {
    for (hosts, sent) in [(&["10.8.0.1:80"][..], &["eds +a"][..]), (&["10.8.0.1:80!"], &[]), (&[], &[])] {
        let mut client = restarted(class(Some("eu-1")), Variant::Delta, hosts);
        client.delta(Cluster, &[], &[]);
        let mut client = restarted(class(Some("eu-1")), Variant::Delta, hosts);
        assert_eq!(client.delta_full(Assignment, &["a"], &[], &old(&["a"]), "", None), sent, "{hosts:?}");
        client.ack(Assignment);
        // It still does not when other hosts that do not answer come, and does with one that does.
        assert_eq!(
            client.apply(&services(vec![web("shop/a", &["10.8.0.7:80!"])])),
            if sent.is_empty() { &[][..] } else { &["eds +a"] }
        );
        client.ack(Assignment);
        assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.7:80"])])), ["eds +a"]);
        client.ack(Assignment);
        // What happens after that is an event and no lack of knowledge.
        assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.7:80!"])])), ["eds +a"]);
    }
    let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80!"]);
    assert_eq!(client.delta_full(Assignment, &["a"], &[], &old(&["a"]), "", None), NOTHING);
    assert_eq!(client.apply(&us_1_is_known(None)), ["eds +a"], "all is known: now it is the truth");
}

/// Envoy replaces the cluster and, after `initial_fetch_timeout`, gives it the load assignment that it had (since 1.32). Once
/// all is known it is sent again even if it is the same, for those that did not.
#[test]
fn a_load_assignment_that_was_left_alone_follows_its_changed_cluster_once_all_is_known() {
    let answers = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]).version(Assignment, "a");
    for clusters_first in [true, false] {
        let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80!"]);
        let load = [("a", answers.clone())];
        let clusters = |client: &mut TestClient| client.delta_full(Cluster, &[], &[], &old(&["a"]), "", None);
        let loads = |client: &mut TestClient| client.delta_full(Assignment, &["a"], &[], &load, "", None);
        let sent = match clusters_first {
            true => [clusters(&mut client), loads(&mut client)].concat(),
            false => [loads(&mut client), clusters(&mut client)].concat(),
        };
        assert_eq!(sent, ["cds +hole +pass +a"], "hosts that answer are not replaced by one that does not");
        client.ack(Cluster);
        let mut known = us_1_is_known(None);
        known.services = services(vec![web("shop/a", &["10.8.0.1:80"])]).services;
        assert_eq!(client.apply(&known), ["eds +a"], "clusters first: {clusters_first}");
    }
    // What the client has is what is known, or nothing: then nothing is in doubt.
    for known in
        [Some(restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80!"]).version(Assignment, "a")), None]
    {
        let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80!"]);
        client.delta_full(Cluster, &[], &[], &old(&["a"]), "", None);
        let load: Vec<_> = known.into_iter().map(|version| ("a", version)).collect();
        assert_eq!(client.delta_full(Assignment, &["a"], &[], &load, "", None), ["eds +a"]);
    }
}

#[test]
fn a_load_assignment_that_surely_lacks_hosts_waits_for_an_event() {
    let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    // A mirror in a third member was made for eu-1 and us-1.
    let mut mirror = vips("ap-1", "shop/a", &["10.14.0.1"], &[80], true);
    if let Some((_, _, Some(vips))) = mirror.vips.first_mut() {
        Arc::make_mut(vips).awaits_source = true;
    }
    client.apply(&mirror);
    assert_eq!(client.delta_full(Assignment, &["a"], &[], &old(&["a"]), "", None), NOTHING, "us-1's hosts stay");
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.2:80"])])), ["eds +a"], "the known ones moved");
    client.ack(Assignment);
    client.reconnect();
    assert_eq!(client.delta_full(Assignment, &["a"], &[], &old(&["a"]), "", None), NOTHING);
    assert_eq!(client.apply(&us_1_is_known(None)), ["eds +a"]);
}

#[test]
fn a_state_of_the_world_client_that_has_something_is_not_sent_less() {
    let mut client = restarted(class(Some("eu-1")), Variant::Sotw, &["10.8.0.1:80"]);
    for (t, names) in [(Cluster, &[][..]), (Listener, &[]), (Scope, &[])] {
        assert_eq!(client.sotw_back(t, names), NOTHING, "{t:?}");
    }
    assert_eq!(client.sotw_back(Assignment, &["a", "b"]), ["eds +a"], "by name, and what is there");
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), NOTHING, "it has not answered");
    assert_eq!(client.sotw(Assignment, &["a", "b"]), ["eds +a"]);
    let sent = client.apply(&us_1_is_known(Some(&["10.9.0.1:80"])));
    assert_eq!(sent[0], "cds +hole +pass +a +b", "{sent:?}");

    let mut fresh = restarted(class(Some("eu-1")), Variant::Sotw, &["10.8.0.1:80"]);
    assert_eq!(fresh.sotw(Cluster, &[]), ["cds +hole +pass +a"]);
}

#[test]
fn a_grpc_client_that_connects_again_keeps_its_listeners() {
    let (a, b) = ("a.shop.svc.cluster.local:80", "b.shop.svc.cluster.local:80");
    let mut client = restarted(grpc(), Variant::Sotw, &["10.8.0.1:80"]);
    assert_eq!(client.sotw_back(Listener, &[a, b]), NOTHING, "a response without b would take b away");
    assert_eq!(client.sotw_back(Route, &["a", "b"]), ["rds +a"]);
    assert_eq!(client.sotw_back(Cluster, &["a", "b"]), NOTHING);
    assert_eq!(client.sotw_back(Assignment, &["a", "b"]), ["eds +a"]);
    let sent = client.apply(&us_1_is_known(Some(&["10.9.0.1:80"])));
    assert!(sent.contains(&format!("lds +{a} +{b}")), "{sent:?}");

    // One that has nothing of the unknown member is answered, and so is one that has nothing at all.
    let mut client = restarted(grpc(), Variant::Sotw, &["10.8.0.1:80"]);
    assert_eq!(client.sotw_back(Listener, &[a]), [format!("lds +{a}")]);
    let mut client = restarted(grpc(), Variant::Sotw, &["10.8.0.1:80"]);
    assert_eq!(
        client.sotw(Listener, &[a, b]),
        [format!("lds +{a} +{b}")],
        "b leads nowhere, so that calls fail at once"
    );
    // Incremental: each by itself.
    let mut client = restarted(grpc(), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(client.delta_full(Listener, &[a, b], &[], &[(b, OLD.to_owned())], "", None), [format!("lds +{a}")]);
}

#[test]
fn a_name_with_an_authority_stays_as_its_plain_name_does() {
    let xdstp = "xdstp://eu/envoy.config.cluster.v3.Cluster/outbound|80||b.shop.svc.cluster.local";
    let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(client.delta_full(Cluster, &[xdstp], &[], &[(xdstp, OLD.to_owned())], "", None), NOTHING);
    let sent = client.apply(&us_1_is_known(Some(&["10.9.0.1:80"])));
    assert!(sent[0].contains(xdstp), "{sent:?}");
    let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    client.delta_full(Cluster, &[xdstp], &[], &[(xdstp, OLD.to_owned())], "", None);
    let sent = client.apply(&us_1_is_known(None));
    assert_eq!(sent, [format!("cds -{xdstp}")]);
}

#[test]
fn a_client_that_asks_again_for_what_is_in_doubt_is_answered() {
    let mut client = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(client.delta_full(Assignment, &["b"], &[], &old(&["b"]), "", None), NOTHING);
    assert_eq!(client.delta(Assignment, &["b"], &[]), ["eds -b"], "it may have let go of it");
    assert_eq!(client.apply(&us_1_is_known(None)), NOTHING, "and is sent that once");
}
