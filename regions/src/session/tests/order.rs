//! What must come before what.

use federation::model::AppProtocol;

use super::ResourceType::{Assignment, Cluster, Listener, Route, Scope};
use super::*;

/// A client in member `eu-1` that follows everything and has acknowledged all of it. Service `a` has a VIP.
fn settled(variant: Variant) -> Talk {
    let mut effects = services(vec![web("shop/a", &["10.8.0.1:80"])]);
    effects.vips = vips("eu-1", "shop/a", &["10.12.0.1"], &[80], true).vips;
    let mut talk = Talk::with(variant, Some("eu-1"), effects);
    for t in [Cluster, Assignment, Listener, Scope, Route] {
        let names: &[&str] = if t.allows_wildcard() { &[] } else { &["a", "b"] };
        match variant {
            Variant::Delta => {
                talk.delta(t, names, &[]);
                talk.ack(t);
            }
            Variant::Sotw => {
                talk.sotw(t, names);
                talk.sotw(t, names);
            }
        }
    }
    assert_eq!(talk.listen(), NOTHING);
    talk
}

/// Service `b`, with a VIP.
fn b_is_born() -> Effects {
    let mut effects = services(vec![web("shop/b", &["10.8.0.2:80"])]);
    effects.vips = vips("eu-1", "shop/b", &["10.12.0.2"], &[80], true).vips;
    effects
}

fn b_is_gone() -> Effects {
    let mut effects = service_gone("shop/b");
    effects.vips = vips_gone("eu-1", "shop/b").vips;
    effects
}

/// `a` speaks HTTP/2 now: its cluster changes, its load assignment does not.
fn a_changes_protocol() -> Effects {
    let backends = vec![backend("eu-1", "eu-a", &["10.8.0.1:80"])];
    services(vec![merged("shop/a", vec![port(80, AppProtocol::Http2, backends)])])
}

/// Only the types, in order.
fn types(said: &[String]) -> Vec<&str> {
    said.iter().map(|line| line.split(' ').next().unwrap_or_default()).collect()
}

#[test]
fn c32_one_change_comes_in_dependency_order_delta() {
    let mut talk = settled(Variant::Delta);
    let said = talk.world(&b_is_born());
    assert_eq!(types(&said), ["cds", "eds", "lds", "rds"], "and nothing of service a is touched");
    assert_eq!(said[2], "lds +10.12.0.2_80");
    assert_eq!(said[..2], ["cds +b", "eds +b"]);
}

#[test]
fn c32_scopes_of_the_plain_port_come_and_go_in_order_too() {
    let mut talk = Talk::with(Variant::Delta, None, services(vec![web("shop/a", &["10.8.0.1:80"])]));
    for t in [Cluster, Assignment, Listener, Scope] {
        talk.delta(t, if t.allows_wildcard() { &[] } else { &["a", "b"] }, &[]);
        talk.ack(t);
    }
    assert_eq!(types(&talk.world(&b_is_born())), ["cds", "eds", "srds"]);
    for t in [Cluster, Assignment, Scope] {
        talk.ack(t);
    }
    assert_eq!(types(&talk.world(&b_is_gone())), ["srds"]);
    assert_eq!(talk.ack(Scope), ["eds -b", "cds -b"]);
}

#[test]
fn c32_one_change_comes_in_dependency_order_sotw() {
    let mut talk = settled(Variant::Sotw);
    let said = talk.world(&b_is_born());
    assert_eq!(types(&said), ["cds", "eds", "lds", "rds"]);
    assert_eq!(said[1], "eds +b");
}

#[test]
fn c33_a_cluster_leaves_after_what_refers_to_it_was_acknowledged_delta() {
    let mut talk = settled(Variant::Delta);
    talk.world(&b_is_born());
    for t in [Cluster, Assignment, Listener, Route] {
        assert_eq!(talk.ack(t), NOTHING);
    }
    let said = talk.world(&b_is_gone());
    assert_eq!(types(&said), ["lds", "rds"]);
    assert_eq!(said[1], "rds -b");
    assert_eq!(talk.ack(Route), NOTHING, "the listener is still there");
    assert_eq!(talk.ack(Listener), ["eds -b", "cds -b"]);
}

#[test]
fn c33_a_cluster_leaves_after_what_refers_to_it_was_acknowledged_sotw() {
    let mut talk = settled(Variant::Sotw);
    talk.world(&b_is_born());
    for t in [Cluster, Assignment, Listener, Route] {
        let names: &[&str] = if t.allows_wildcard() { &[] } else { &["a", "b"] };
        assert_eq!(talk.sotw(t, names), NOTHING);
    }
    let said = talk.world(&b_is_gone());
    assert_eq!(types(&said), ["lds"]);
    // Meanwhile another cluster comes: b is still part of the full state.
    let said = talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(said, ["cds +hole +pass +a +c +b", "eds +c"]);
    assert_eq!(talk.sotw(Cluster, &[]), NOTHING);
    assert_eq!(talk.sotw(Listener, &[]), ["cds +hole +pass +a +c"], "now nothing refers to b, and it leaves");
}

#[test]
fn c33_no_listener_before_its_cluster_even_if_the_cluster_has_to_wait() {
    let mut talk = settled(Variant::Delta);
    assert_eq!(talk.world(&a_changes_protocol()), ["cds +a", "eds +a"]);
    assert_eq!(talk.ack(Assignment), NOTHING);
    // The response about a is not acknowledged: b's cluster waits, and so does all that refers to it.
    assert_eq!(talk.world(&b_is_born()), ["eds +b"], "which is subscribed to, and harmless");
    assert_eq!(talk.ack(Assignment), NOTHING);
    let said = talk.ack(Cluster);
    assert_eq!(types(&said), ["cds", "eds", "lds", "rds"]);
    assert_eq!(said[..2], ["cds +b", "eds +b"]);
}

#[test]
fn c33_no_listener_before_the_load_assignment_of_its_cluster() {
    let mut talk = settled(Variant::Delta);
    let churn = services(vec![web("shop/a", &["10.8.0.9:80"])]);
    assert_eq!(talk.world(&churn), ["eds +a"]);
    assert_eq!(talk.world(&b_is_born()), ["cds +b"], "the load assignment waits for an ACK, the listener waits for it");
    assert_eq!(types(&talk.ack(Assignment)), ["eds", "lds", "rds"]);
}

#[test]
fn c34_a_cluster_is_followed_by_its_assignment_delta() {
    let mut talk = settled(Variant::Delta);
    assert_eq!(talk.world(&a_changes_protocol()), ["cds +a", "eds +a"], "although the load assignment is unchanged");
    talk.ack(Cluster);
    talk.ack(Assignment);
    assert_eq!(talk.listen(), NOTHING, "once is enough");
}

#[test]
fn c34_a_cluster_is_followed_by_its_assignment_sotw() {
    let mut talk = settled(Variant::Sotw);
    let old = talk.nonce(Assignment);
    assert_eq!(talk.world(&a_changes_protocol()), ["cds +hole +pass +a", "eds +a"]);
    // Envoy asks for it all the same, having not yet seen that it is on its way.
    assert_eq!(talk.sotw_full(Assignment, &["a", "b"], &old, None), NOTHING);
    assert_eq!(talk.sotw(Assignment, &["a", "b"]), NOTHING);
}

#[test]
fn c34_what_is_on_its_way_is_not_sent_twice() {
    let mut talk = settled(Variant::Delta);
    assert_eq!(talk.world(&services(vec![web("shop/z", &["10.8.0.3:80"])]))[..2], ["cds +z", "eds +z"]);
    // Envoy asks as soon as it has read of the cluster, and reads the load assignment after that.
    assert_eq!(talk.delta(Assignment, &["z"], &[]), NOTHING);
    assert_eq!(talk.ack(Assignment), NOTHING);
    // What changes meanwhile is no part of it.
    let host = |octet: u8| services(vec![web("shop/z", &[&*format!("10.8.0.{octet}:80")])]);
    assert_eq!(talk.world(&host(4)), ["eds +z"]);
    talk.world(&host(5));
    assert_eq!(talk.delta(Assignment, &["z"], &[]), NOTHING);
    assert_eq!(talk.ack(Assignment), ["eds +z"]);
    assert_eq!(talk.ack(Assignment), NOTHING);
    assert_eq!(talk.delta(Assignment, &["z"], &[]), ["eds +z"], "and what was acknowledged may have been dropped");
}

#[test]
fn c34_a_new_cluster_is_followed_before_the_client_can_ask() {
    for variant in [Variant::Delta, Variant::Sotw] {
        let mut talk = settled(variant);
        let said = talk.world(&services(vec![web("shop/z", &["10.8.0.3:80"])]));
        assert_eq!(said.get(1).map(|line| &**line), Some("eds +z"), "{variant:?}");
        match variant {
            Variant::Delta => {
                assert_eq!(talk.ack(Assignment), NOTHING);
                assert_eq!(talk.delta(Assignment, &["z"], &[]), ["eds +z"], "C21 holds all the same");
            }
            Variant::Sotw => {
                assert_eq!(talk.sotw(Assignment, &["a", "b", "z"]), NOTHING, "it got z in what it acknowledges");
            }
        }
    }
}

#[test]
fn c35_also_after_a_reconnect() {
    let mut talk = settled(Variant::Delta);
    let (old, load) = (talk.version(Cluster, "a"), talk.version(Assignment, "a"));
    talk.catalog.apply(&a_changes_protocol());
    for clusters_first in [true, false] {
        talk.reconnect();
        talk.listen();
        let clusters = [("a", old.clone())];
        let loads = [("a", load.clone())];
        let mut said = Vec::new();
        if !clusters_first {
            said.extend(talk.delta_full(Assignment, &["a"], &[], &loads, "", None));
            assert_eq!(said, NOTHING, "the client has it already");
        }
        said.extend(talk.delta_full(Cluster, &[], &[], &clusters, "", None));
        if clusters_first {
            said.extend(talk.delta_full(Assignment, &["a"], &[], &loads, "", None));
        }
        assert_eq!(said, ["cds +hole +pass +a", "eds +a"], "the cluster is new to it, so its load assignment follows");
    }
}

#[test]
fn c36_a_cluster_without_endpoints_has_an_empty_load_assignment() {
    let mut talk = Talk::with(Variant::Delta, None, services(vec![web("shop/a", &[])]));
    assert_eq!(talk.delta(Assignment, &["a"], &[]), ["eds +a"]);
}

#[test]
fn endpoints_do_not_wait_for_clusters() {
    let mut talk = settled(Variant::Delta);
    talk.world(&a_changes_protocol());
    talk.ack(Assignment);
    // The cluster response hangs, as it does while Envoy warms something. Endpoints flow.
    for i in 1..5 {
        let backends = vec![backend("eu-1", "eu-a", &[&*format!("10.8.7.{i}:80")])];
        let churn = services(vec![merged("shop/a", vec![port(80, AppProtocol::Http2, backends)])]);
        assert_eq!(talk.world(&churn), ["eds +a"]);
        talk.ack(Assignment);
    }
}

#[test]
fn a_cluster_reborn_before_it_left_is_sent_with_its_assignment() {
    let mut talk = settled(Variant::Delta);
    talk.world(&b_is_born());
    for t in [Cluster, Assignment, Listener, Route] {
        talk.ack(t);
    }
    talk.world(&b_is_gone());
    let said = talk.world(&b_is_born());
    assert_eq!(said, ["cds +b", "eds +b"], "its listener waits for the ACK of its removal");
    talk.ack(Cluster);
    talk.ack(Assignment);
    assert_eq!(types(&talk.ack(Listener)), ["lds"]);
    assert_eq!(types(&talk.ack(Route)), ["rds"]);
    assert_eq!(talk.ack(Listener), NOTHING);
    assert_eq!(talk.ack(Route), NOTHING, "nothing is left to remove");
}

#[test]
fn removals_wait_for_nobody_who_is_not_there() {
    let mut talk = Talk::new(Variant::Delta);
    talk.delta(Cluster, &[], &[]);
    talk.ack(Cluster);
    assert_eq!(talk.world(&service_gone("shop/b")), ["cds -b"]);
}

/// The class takes its resources from elsewhere, which leaves only the log of before to tell what the client has.
#[test]
fn what_changed_before_the_client_lost_its_member_goes_before_what_it_refers_to() {
    for changes in [&["a", "b"][..], &["b"], &["a", "b", "a"], &[]] {
        let web = |name: &str| web(&format!("shop/{name}"), &["10.8.0.1:80"]);
        let mut talk = Talk::with(Variant::Delta, Some("eu-1"), services(vec![web("a"), web("b")]));
        talk.world(&vips("eu-1", "shop/a", &["10.12.0.1"], &[80], true));
        talk.delta(Cluster, &[], &[]);
        talk.ack(Cluster);
        talk.delta(Assignment, &["a", "b"], &[]);
        talk.ack(Assignment);
        assert_eq!(talk.delta(Listener, &[], &[]), ["lds +10.12.0.1_80 +virtualOutbound"]);
        // Before it answers, the address is handed on to these, and on to nobody, and the member leaves.
        for owner in changes {
            for other in ["a", "b"] {
                talk.catalog.apply(&vips_gone("eu-1", &format!("shop/{other}")));
            }
            talk.world(&vips("eu-1", &format!("shop/{owner}"), &["10.12.0.1"], &[80], true));
        }
        for name in ["a", "b"] {
            talk.world(&vips_gone("eu-1", &format!("shop/{name}")));
        }
        assert_eq!(talk.world(&topology(&[("us-1", "us", &["10.13.0.0/20"])])), NOTHING, "{changes:?}");
        assert_eq!(talk.ack(Listener), ["lds -10.12.0.1_80"], "{changes:?}");
        assert_eq!(talk.ack(Listener), ["eds -a -b", "cds -a -b"], "{changes:?}");
    }
}
