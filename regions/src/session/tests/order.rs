//! What must come before what.

use federation::model::AppProtocol;

use super::ResourceType::{Assignment, Cluster, Listener, Route, Scope};
use super::*;

/// A client in member `eu-1` that follows everything and has acknowledged all of it. Service `a` has a VIP.
fn settled(variant: Variant) -> TestClient {
    let mut effects = services(vec![web("shop/a", &["10.8.0.1:80"])]);
    effects.vips = vips("eu-1", "shop/a", &["10.12.0.1"], &[80], true).vips;
    let mut client = TestClient::with(variant, Some("eu-1"), effects);
    for t in [Cluster, Assignment, Listener, Scope, Route] {
        let names: &[&str] = if t.allows_wildcard() { &[] } else { &["a", "b"] };
        match variant {
            Variant::Delta => {
                client.delta(t, names, &[]);
                client.ack(t);
            }
            Variant::Sotw => {
                client.sotw(t, names);
                client.sotw(t, names);
            }
        }
    }
    assert_eq!(client.receive(), NOTHING);
    client
}

/// Service `b`, with a VIP.
fn b_is_added() -> Effects {
    let mut effects = services(vec![web("shop/b", &["10.8.0.2:80"])]);
    effects.vips = vips("eu-1", "shop/b", &["10.12.0.2"], &[80], true).vips;
    effects
}

fn b_is_gone() -> Effects {
    let mut effects = service_gone("shop/b");
    effects.vips = vips_gone("eu-1", "shop/b").vips;
    effects
}

/// `a` is HTTP/2 now: its cluster changes, its load assignment does not.
fn a_changes_protocol() -> Effects {
    let backends = vec![backend("eu-1", "eu-a", &["10.8.0.1:80"])];
    services(vec![merged("shop/a", vec![port(80, AppProtocol::Http2, backends)])])
}

/// Only the types, in order.
fn types(sent: &[String]) -> Vec<&str> {
    sent.iter().map(|line| line.split(' ').next().unwrap_or_default()).collect()
}

#[test]
fn c32_one_change_comes_in_dependency_order_delta() {
    let mut client = settled(Variant::Delta);
    let sent = client.apply(&b_is_added());
    assert_eq!(types(&sent), ["cds", "eds", "lds", "rds"], "and nothing of service a is touched");
    assert_eq!(sent[2], "lds +10.12.0.2_80");
    assert_eq!(sent[..2], ["cds +b", "eds +b"]);
}

#[test]
fn c32_scopes_of_the_plain_port_come_and_go_in_order_too() {
    let mut client = TestClient::with(Variant::Delta, None, services(vec![web("shop/a", &["10.8.0.1:80"])]));
    for t in [Cluster, Assignment, Listener, Scope] {
        client.delta(t, if t.allows_wildcard() { &[] } else { &["a", "b"] }, &[]);
        client.ack(t);
    }
    assert_eq!(types(&client.apply(&b_is_added())), ["cds", "eds", "srds"]);
    for t in [Cluster, Assignment, Scope] {
        client.ack(t);
    }
    assert_eq!(types(&client.apply(&b_is_gone())), ["srds"]);
    assert_eq!(client.ack(Scope), ["eds -b", "cds -b"]);
}

#[test]
fn c32_one_change_comes_in_dependency_order_sotw() {
    let mut client = settled(Variant::Sotw);
    let sent = client.apply(&b_is_added());
    assert_eq!(types(&sent), ["cds", "eds", "lds", "rds"]);
    assert_eq!(sent[1], "eds +b");
}

#[test]
fn c33_a_cluster_leaves_after_what_refers_to_it_was_acknowledged_delta() {
    let mut client = settled(Variant::Delta);
    client.apply(&b_is_added());
    for t in [Cluster, Assignment, Listener, Route] {
        assert_eq!(client.ack(t), NOTHING);
    }
    let sent = client.apply(&b_is_gone());
    assert_eq!(types(&sent), ["lds", "rds"]);
    assert_eq!(sent[1], "rds -b");
    assert_eq!(client.ack(Route), NOTHING, "the listener is still there");
    assert_eq!(client.ack(Listener), ["eds -b", "cds -b"]);
}

#[test]
fn c33_a_cluster_leaves_after_what_refers_to_it_was_acknowledged_sotw() {
    let mut client = settled(Variant::Sotw);
    client.apply(&b_is_added());
    for t in [Cluster, Assignment, Listener, Route] {
        let names: &[&str] = if t.allows_wildcard() { &[] } else { &["a", "b"] };
        assert_eq!(client.sotw(t, names), NOTHING);
    }
    let sent = client.apply(&b_is_gone());
    assert_eq!(types(&sent), ["lds"]);
    // Meanwhile another cluster comes: b is still part of the full state.
    let sent = client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])]));
    assert_eq!(sent, ["cds +hole +pass +a +c +b", "eds +c"]);
    assert_eq!(client.sotw(Cluster, &[]), NOTHING);
    assert_eq!(client.sotw(Listener, &[]), ["cds +hole +pass +a +c"], "now nothing refers to b, and it leaves");
}

#[test]
fn c33_no_listener_before_its_cluster_even_if_the_cluster_has_to_wait() {
    let mut client = settled(Variant::Delta);
    assert_eq!(client.apply(&a_changes_protocol()), ["cds +a", "eds +a"]);
    assert_eq!(client.ack(Assignment), NOTHING);
    // The response about a is not acknowledged: b's cluster waits, and so does all that refers to it.
    assert_eq!(client.apply(&b_is_added()), ["eds +b"], "which is subscribed to, and harmless");
    assert_eq!(client.ack(Assignment), NOTHING);
    let sent = client.ack(Cluster);
    assert_eq!(types(&sent), ["cds", "eds", "lds", "rds"]);
    assert_eq!(sent[..2], ["cds +b", "eds +b"]);
}

#[test]
fn c33_no_listener_before_the_load_assignment_of_its_cluster() {
    let mut client = settled(Variant::Delta);
    let churn = services(vec![web("shop/a", &["10.8.0.9:80"])]);
    assert_eq!(client.apply(&churn), ["eds +a"]);
    assert_eq!(
        client.apply(&b_is_added()),
        ["cds +b"],
        "the load assignment waits for an ACK, the listener waits for it"
    );
    assert_eq!(types(&client.ack(Assignment)), ["eds", "lds", "rds"]);
}

/// Envoy asks for load assignments when it gets the first cluster that has one, which may be long after the stream began.
#[test]
fn c33_no_listener_before_the_first_load_assignment_of_a_stream() {
    for variant in [Variant::Delta, Variant::Sotw] {
        let mut client = TestClient::with(variant, Some("eu-1"), Effects::default());
        for t in [Cluster, Listener] {
            match variant {
                Variant::Delta => {
                    client.delta(t, &[], &[]);
                    client.ack(t);
                }
                Variant::Sotw => {
                    client.sotw(t, &[]);
                    client.sotw(t, &[]);
                }
            }
        }
        let sent = client.apply(&b_is_added());
        assert_eq!(types(&sent), ["cds"], "the listener waits for the load assignment, which was not asked for yet");
        let sent = match variant {
            Variant::Delta => client.delta(Assignment, &["b"], &[]),
            Variant::Sotw => client.sotw(Assignment, &["b"]),
        };
        assert_eq!(types(&sent), ["eds", "lds"]);
    }
}

#[test]
fn c33_a_client_that_asks_for_no_load_assignment_gets_listeners_once_it_acknowledged_the_cluster() {
    let mut client = TestClient::with(Variant::Delta, Some("eu-1"), Effects::default());
    for t in [Cluster, Listener] {
        client.delta(t, &[], &[]);
        client.ack(t);
    }
    assert_eq!(client.apply(&b_is_added()), ["cds +b"]);
    assert_eq!(types(&client.ack(Cluster)), ["lds"]);
}

#[test]
fn c34_a_cluster_is_followed_by_its_assignment_delta() {
    let mut client = settled(Variant::Delta);
    assert_eq!(client.apply(&a_changes_protocol()), ["cds +a", "eds +a"], "although the load assignment is unchanged");
    client.ack(Cluster);
    client.ack(Assignment);
    assert_eq!(client.receive(), NOTHING, "once is enough");
}

#[test]
fn c34_a_cluster_is_followed_by_its_assignment_sotw() {
    let mut client = settled(Variant::Sotw);
    let old = client.nonce(Assignment);
    assert_eq!(client.apply(&a_changes_protocol()), ["cds +hole +pass +a", "eds +a"]);
    // Envoy asks for it all the same, having not yet seen that it is on its way.
    assert_eq!(client.sotw_full(Assignment, &["a", "b"], &old, None), NOTHING);
    assert_eq!(client.sotw(Assignment, &["a", "b"]), NOTHING);
}

#[test]
fn c34_what_is_under_way_is_not_sent_twice() {
    let mut client = settled(Variant::Delta);
    assert_eq!(client.apply(&services(vec![web("shop/z", &["10.8.0.3:80"])]))[..2], ["cds +z", "eds +z"]);
    // Envoy asks as soon as it has read of the cluster, and reads the load assignment after that.
    assert_eq!(client.delta(Assignment, &["z"], &[]), NOTHING);
    assert_eq!(client.ack(Assignment), NOTHING);
    // What changes meanwhile is no part of it.
    let host = |octet: u8| services(vec![web("shop/z", &[&*format!("10.8.0.{octet}:80")])]);
    assert_eq!(client.apply(&host(4)), ["eds +z"]);
    client.apply(&host(5));
    assert_eq!(client.delta(Assignment, &["z"], &[]), NOTHING);
    assert_eq!(client.ack(Assignment), ["eds +z"]);
    assert_eq!(client.ack(Assignment), NOTHING);
    assert_eq!(client.delta(Assignment, &["z"], &[]), ["eds +z"], "and what was acknowledged may have been dropped");
}

#[test]
fn c34_a_new_cluster_is_followed_before_the_client_can_ask() {
    for variant in [Variant::Delta, Variant::Sotw] {
        let mut client = settled(variant);
        let sent = client.apply(&services(vec![web("shop/z", &["10.8.0.3:80"])]));
        assert_eq!(sent.get(1).map(|line| &**line), Some("eds +z"), "{variant:?}");
        match variant {
            Variant::Delta => {
                assert_eq!(client.ack(Assignment), NOTHING);
                assert_eq!(client.delta(Assignment, &["z"], &[]), ["eds +z"], "C21 holds all the same");
            }
            Variant::Sotw => {
                assert_eq!(client.sotw(Assignment, &["a", "b", "z"]), NOTHING, "it got z in what it acknowledges");
            }
        }
    }
}

#[test]
fn c35_also_after_a_reconnect() {
    let mut client = settled(Variant::Delta);
    let (old, load) = (client.version(Cluster, "a"), client.version(Assignment, "a"));
    client.catalog.apply(&a_changes_protocol());
    for clusters_first in [true, false] {
        client.reconnect();
        client.receive();
        let clusters = [("a", old.clone())];
        let loads = [("a", load.clone())];
        let mut sent = Vec::new();
        if !clusters_first {
            sent.extend(client.delta_full(Assignment, &["a"], &[], &loads, "", None));
            assert_eq!(sent, NOTHING, "the client has it already");
        }
        sent.extend(client.delta_full(Cluster, &[], &[], &clusters, "", None));
        if clusters_first {
            sent.extend(client.delta_full(Assignment, &["a"], &[], &loads, "", None));
        }
        assert_eq!(sent, ["cds +hole +pass +a", "eds +a"], "the cluster is new to it, so its load assignment follows");
    }
}

#[test]
fn c36_a_cluster_without_endpoints_has_an_empty_load_assignment() {
    let mut client = TestClient::with(Variant::Delta, None, services(vec![web("shop/a", &[])]));
    assert_eq!(client.delta(Assignment, &["a"], &[]), ["eds +a"]);
}

#[test]
fn endpoints_do_not_wait_for_clusters() {
    let mut client = settled(Variant::Delta);
    client.apply(&a_changes_protocol());
    client.ack(Assignment);
    // The cluster response hangs, as it does while Envoy warms something. Endpoints flow.
    for i in 1..5 {
        let backends = vec![backend("eu-1", "eu-a", &[&*format!("10.8.7.{i}:80")])];
        let churn = services(vec![merged("shop/a", vec![port(80, AppProtocol::Http2, backends)])]);
        assert_eq!(client.apply(&churn), ["eds +a"]);
        client.ack(Assignment);
    }
}

#[test]
fn a_cluster_that_exists_again_before_its_removal_is_sent_with_its_assignment() {
    let mut client = settled(Variant::Delta);
    client.apply(&b_is_added());
    for t in [Cluster, Assignment, Listener, Route] {
        client.ack(t);
    }
    client.apply(&b_is_gone());
    let sent = client.apply(&b_is_added());
    assert_eq!(sent, ["cds +b", "eds +b"], "its listener waits for the ACK of its removal");
    client.ack(Cluster);
    client.ack(Assignment);
    assert_eq!(types(&client.ack(Listener)), ["lds"]);
    assert_eq!(types(&client.ack(Route)), ["rds"]);
    assert_eq!(client.ack(Listener), NOTHING);
    assert_eq!(client.ack(Route), NOTHING, "nothing is left to remove");
}

#[test]
fn removals_wait_for_no_type_that_the_client_does_not_use() {
    let mut client = TestClient::new(Variant::Delta);
    client.delta(Cluster, &[], &[]);
    client.ack(Cluster);
    assert_eq!(client.apply(&service_gone("shop/b")), ["cds -b"]);
}

/// The class takes its resources from elsewhere, so only the earlier log shows what the client has.
#[test]
fn what_changed_before_the_client_lost_its_member_is_removed_before_what_it_refers_to() {
    for changes in [&["a", "b"][..], &["b"], &["a", "b", "a"], &[]] {
        let web = |name: &str| web(&format!("shop/{name}"), &["10.8.0.1:80"]);
        let mut client = TestClient::with(Variant::Delta, Some("eu-1"), services(vec![web("a"), web("b")]));
        client.apply(&vips("eu-1", "shop/a", &["10.12.0.1"], &[80], true));
        client.delta(Cluster, &[], &[]);
        client.ack(Cluster);
        client.delta(Assignment, &["a", "b"], &[]);
        client.ack(Assignment);
        assert_eq!(client.delta(Listener, &[], &[]), ["lds +10.12.0.1_80 +virtualOutbound"]);
        // Before it answers, the address goes to these services, then to none, and the member leaves.
        for owner in changes {
            for other in ["a", "b"] {
                client.catalog.apply(&vips_gone("eu-1", &format!("shop/{other}")));
            }
            client.apply(&vips("eu-1", &format!("shop/{owner}"), &["10.12.0.1"], &[80], true));
        }
        for name in ["a", "b"] {
            client.apply(&vips_gone("eu-1", &format!("shop/{name}")));
        }
        assert_eq!(client.apply(&topology(&[("us-1", "us", &["10.13.0.0/20"])])), NOTHING, "{changes:?}");
        assert_eq!(client.ack(Listener), ["lds -10.12.0.1_80"], "{changes:?}");
        assert_eq!(client.ack(Listener), ["eds -a -b", "cds -a -b"], "{changes:?}");
    }
}
