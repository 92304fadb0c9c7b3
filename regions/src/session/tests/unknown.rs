//! Clients that come back while a member that has to be known is not: nothing of what they have is taken away.

use std::collections::BTreeSet;

use super::ResourceType::{Assignment, Cluster, Listener, Route, Scope};
use super::*;

/// A new process: `us-1` is on record and was not reached, so that `b`, which it alone backs, and its part in `a` are
/// missing.
fn restarted(class: Class, variant: Variant, a: &[&str]) -> Talk {
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
    Talk::of(variant, class, catalog)
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
        let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
        let here = [("a", talk.version(Cluster, "a")), ("b", OLD.to_owned())];
        let said = talk.delta_full(Cluster, &[], &[], &here, "", None);
        assert_eq!(said, ["cds +hole +pass"], "b is neither removed nor replaced");
        talk.ack(Cluster);
        let known = old(&["a", "b"]);
        assert_eq!(talk.delta_full(Assignment, &["a", "b"], &[], &known, "", None), ["eds +a"], "a is followed");
        talk.ack(Assignment);
        let known = [old(&["10.12.0.2_3306"]), vec![("virtualOutbound", OLD.to_owned())]].concat();
        let said = talk.delta_full(Listener, &[], &[], &known, "", None);
        assert_eq!(said, ["lds +10.12.0.1_80 +virtualOutbound"]);
        talk.ack(Listener);
        let known = old(&["a", "b"]);
        assert_eq!(talk.delta_full(Scope, &[], &[], &known, "", None), ["srds"], "those of an earlier version, too");
        talk.ack(Scope);
        // Changes of known members are sent as always.
        assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
        talk.ack(Assignment);

        let said = talk.world(&us_1_is_known((!gone).then_some(&["10.9.0.1:80"])));
        if gone {
            assert_eq!(said, ["lds -10.12.0.2_3306", "srds -a -b"], "what refers to others first");
            talk.ack(Listener);
            assert_eq!(talk.ack(Scope), ["eds -b", "cds -b"]);
        } else {
            assert_eq!(said[..2], ["cds +b".to_owned(), "eds +b".to_owned()], "{said:?}");
        }
    }
}

#[test]
fn a_client_that_has_nothing_gets_what_is_known_and_is_told_what_is_missing() {
    let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(talk.delta(Cluster, &[], &[]), ["cds +hole +pass +a"]);
    talk.ack(Cluster);
    assert_eq!(talk.delta(Assignment, &["b"], &[]), ["eds -b"], "so that Envoy need not wait for it");
    let mut talk = restarted(on_demand(), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(talk.delta(Cluster, &["*", "vip|10.12.0.2:80"], &[]), ["cds +hole +pass +vip|10.12.0.2:80"]);
}

#[test]
fn an_on_demand_cluster_is_not_replaced_by_one_that_passes_through() {
    let vip = "vip|10.12.0.2:80";
    let mut talk = restarted(on_demand(), Variant::Delta, &["10.8.0.1:80"]);
    let said = talk.delta_full(Cluster, &["*", vip, "vip|10.12.0.1:80"], &[], &old(&[vip]), "", None);
    assert_eq!(said, ["cds +hole +pass +vip|10.12.0.1:80"], "{said:?}");
    talk.ack(Cluster);
    assert_eq!(talk.delta_full(Assignment, &["a", "b"], &[], &old(&["b"]), "", None), ["eds +a"]);
    talk.ack(Assignment);
    // Nor has it a listener of its own that says so: 10.12.0.2 may well be federated.
    assert_eq!(talk.delta(Listener, &[], &[]), ["lds +virtualOutbound"]);
    talk.ack(Listener);
    let said = talk.world(&us_1_is_known(None));
    assert_eq!(said, [format!("cds +{vip}"), "lds +virtualOutbound".to_owned()], "now it is known");
    talk.ack(Cluster);
    assert_eq!(talk.ack(Listener), ["eds -b"]);
}

/// It holds what happens to each port number in use: without the services of the unknown member some are missing.
#[test]
fn the_listener_of_an_on_demand_sidecar_waits_for_all_members() {
    let mut talk = restarted(on_demand(), Variant::Delta, &["10.8.0.1:80"]);
    let known = [("virtualOutbound", OLD.to_owned())];
    assert_eq!(talk.delta_full(Listener, &[], &[], &known, "", None), ["lds"], "it keeps the one it has");
    talk.ack(Listener);
    assert_eq!(talk.world(&vips("eu-1", "shop/a", &["10.12.0.9"], &[81], true)), NOTHING);
    assert_eq!(talk.world(&us_1_is_known(Some(&["10.9.0.1:80"]))), ["lds +virtualOutbound"]);
}

#[test]
fn a_load_assignment_without_a_host_that_answers_replaces_nothing() {
    for (hosts, said) in [(&["10.8.0.1:80"][..], &["eds +a"][..]), (&["10.8.0.1:80!"], &[]), (&[], &[])] {
        let mut talk = restarted(class(Some("eu-1")), Variant::Delta, hosts);
        talk.delta(Cluster, &[], &[]);
        let mut talk = restarted(class(Some("eu-1")), Variant::Delta, hosts);
        assert_eq!(talk.delta_full(Assignment, &["a"], &[], &old(&["a"]), "", None), said, "{hosts:?}");
        talk.ack(Assignment);
        // It still does not when other hosts that do not answer come, and does with one that does.
        assert_eq!(
            talk.world(&services(vec![web("shop/a", &["10.8.0.7:80!"])])),
            if said.is_empty() { &[][..] } else { &["eds +a"] }
        );
        talk.ack(Assignment);
        assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.7:80"])])), ["eds +a"]);
        talk.ack(Assignment);
        // What happens after that is an event and no lack of knowledge.
        assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.7:80!"])])), ["eds +a"]);
    }
    let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80!"]);
    assert_eq!(talk.delta_full(Assignment, &["a"], &[], &old(&["a"]), "", None), NOTHING);
    assert_eq!(talk.world(&us_1_is_known(None)), ["eds +a"], "all is known: now it is the truth");
}

/// Envoy replaces the cluster and, after `initial_fetch_timeout`, gives it the load assignment that it had (since 1.32). Once
/// all is known it is sent again even if it is the same, for those that did not.
#[test]
fn a_load_assignment_that_was_left_alone_follows_its_changed_cluster_once_all_is_known() {
    let answers = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]).version(Assignment, "a");
    for clusters_first in [true, false] {
        let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80!"]);
        let load = [("a", answers.clone())];
        let clusters = |talk: &mut Talk| talk.delta_full(Cluster, &[], &[], &old(&["a"]), "", None);
        let loads = |talk: &mut Talk| talk.delta_full(Assignment, &["a"], &[], &load, "", None);
        let said = match clusters_first {
            true => [clusters(&mut talk), loads(&mut talk)].concat(),
            false => [loads(&mut talk), clusters(&mut talk)].concat(),
        };
        assert_eq!(said, ["cds +hole +pass +a"], "hosts that answer are not replaced by one that does not");
        talk.ack(Cluster);
        let mut known = us_1_is_known(None);
        known.services = services(vec![web("shop/a", &["10.8.0.1:80"])]).services;
        assert_eq!(talk.world(&known), ["eds +a"], "clusters first: {clusters_first}");
    }
    // What the client has is what is known, or nothing: then nothing is in doubt.
    for known in
        [Some(restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80!"]).version(Assignment, "a")), None]
    {
        let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80!"]);
        talk.delta_full(Cluster, &[], &[], &old(&["a"]), "", None);
        let load: Vec<_> = known.into_iter().map(|version| ("a", version)).collect();
        assert_eq!(talk.delta_full(Assignment, &["a"], &[], &load, "", None), ["eds +a"]);
    }
}

#[test]
fn a_load_assignment_that_surely_lacks_hosts_waits_for_an_event() {
    let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    // A mirror in a third member was made for eu-1 and us-1.
    let mut mirror = vips("ap-1", "shop/a", &["10.14.0.1"], &[80], true);
    if let Some((_, _, Some(vips))) = mirror.vips.first_mut() {
        Arc::make_mut(vips).awaits_source = true;
    }
    talk.world(&mirror);
    assert_eq!(talk.delta_full(Assignment, &["a"], &[], &old(&["a"]), "", None), NOTHING, "us-1's hosts stay");
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.2:80"])])), ["eds +a"], "the known ones moved");
    talk.ack(Assignment);
    talk.reconnect();
    assert_eq!(talk.delta_full(Assignment, &["a"], &[], &old(&["a"]), "", None), NOTHING);
    assert_eq!(talk.world(&us_1_is_known(None)), ["eds +a"]);
}

#[test]
fn a_state_of_the_world_client_that_has_something_is_not_sent_less() {
    let mut talk = restarted(class(Some("eu-1")), Variant::Sotw, &["10.8.0.1:80"]);
    for (t, names) in [(Cluster, &[][..]), (Listener, &[]), (Scope, &[])] {
        assert_eq!(talk.sotw_back(t, names), NOTHING, "{t:?}");
    }
    assert_eq!(talk.sotw_back(Assignment, &["a", "b"]), ["eds +a"], "by name, and what is there");
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), NOTHING, "it has not answered");
    assert_eq!(talk.sotw(Assignment, &["a", "b"]), ["eds +a"]);
    let said = talk.world(&us_1_is_known(Some(&["10.9.0.1:80"])));
    assert_eq!(said[0], "cds +hole +pass +a +b", "{said:?}");

    let mut fresh = restarted(class(Some("eu-1")), Variant::Sotw, &["10.8.0.1:80"]);
    assert_eq!(fresh.sotw(Cluster, &[]), ["cds +hole +pass +a"]);
}

#[test]
fn a_grpc_client_that_comes_back_keeps_its_listeners() {
    let (a, b) = ("a.shop.svc.cluster.local:80", "b.shop.svc.cluster.local:80");
    let mut talk = restarted(grpc(), Variant::Sotw, &["10.8.0.1:80"]);
    assert_eq!(talk.sotw_back(Listener, &[a, b]), NOTHING, "a response without b would take b away");
    assert_eq!(talk.sotw_back(Route, &["a", "b"]), ["rds +a"]);
    assert_eq!(talk.sotw_back(Cluster, &["a", "b"]), NOTHING);
    assert_eq!(talk.sotw_back(Assignment, &["a", "b"]), ["eds +a"]);
    let said = talk.world(&us_1_is_known(Some(&["10.9.0.1:80"])));
    assert!(said.contains(&format!("lds +{a} +{b}")), "{said:?}");

    // One that has nothing of the unknown member is answered, and so is one that has nothing at all.
    let mut talk = restarted(grpc(), Variant::Sotw, &["10.8.0.1:80"]);
    assert_eq!(talk.sotw_back(Listener, &[a]), [format!("lds +{a}")]);
    let mut talk = restarted(grpc(), Variant::Sotw, &["10.8.0.1:80"]);
    assert_eq!(talk.sotw(Listener, &[a, b]), [format!("lds +{a} +{b}")], "b leads nowhere, so that calls fail at once");
    // Incremental: each by itself.
    let mut talk = restarted(grpc(), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(talk.delta_full(Listener, &[a, b], &[], &[(b, OLD.to_owned())], "", None), [format!("lds +{a}")]);
}

#[test]
fn a_name_with_an_authority_stays_as_its_plain_name_does() {
    let xdstp = "xdstp://eu/envoy.config.cluster.v3.Cluster/outbound|80||b.shop.svc.cluster.local";
    let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(talk.delta_full(Cluster, &[xdstp], &[], &[(xdstp, OLD.to_owned())], "", None), NOTHING);
    let said = talk.world(&us_1_is_known(Some(&["10.9.0.1:80"])));
    assert!(said[0].contains(xdstp), "{said:?}");
    let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    talk.delta_full(Cluster, &[xdstp], &[], &[(xdstp, OLD.to_owned())], "", None);
    let said = talk.world(&us_1_is_known(None));
    assert_eq!(said, [format!("cds -{xdstp}")]);
}

#[test]
fn who_asks_again_for_what_is_in_doubt_is_told_how_it_stands() {
    let mut talk = restarted(class(Some("eu-1")), Variant::Delta, &["10.8.0.1:80"]);
    assert_eq!(talk.delta_full(Assignment, &["b"], &[], &old(&["b"]), "", None), NOTHING);
    assert_eq!(talk.delta(Assignment, &["b"], &[]), ["eds -b"], "it may have let go of it");
    assert_eq!(talk.world(&us_1_is_known(None)), NOTHING, "and is told once");
}
