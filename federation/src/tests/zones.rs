//! Where an endpoint is: what is known is used before what is not, and a Node has the zone where its endpoints have none.

use super::{from_member, hosts};
use crate::Stats;
use crate::change::{Delta, MemberChanges};
use crate::testing::{TestFederation, make};

fn federation(slices: &[(&str, &[&str])]) -> TestFederation {
    let mut federation = TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .service_object("a", make::service("shop/web", "http:80", "10.96.0.1"));
    for (name, endpoints) in slices {
        federation = federation.slice("a", make::slice("shop/web", name, "http:8080", endpoints));
    }
    federation.contents("a").nodes = vec![make::node_in("z7", "n1", ""), make::node("n2", "")];
    federation
}

fn merged(slices: &[(&str, &[&str])]) -> String {
    hosts(&federation(slices).engine(make::at(1)), "shop/web")
}

#[test]
fn a_zone_that_one_slice_has_is_used_before_none() {
    let in_z1 = "http:80/TCP a/z1 10.0.0.1:8080";
    assert_eq!(merged(&[("1", &["10.0.0.1"]), ("2", &["10.0.0.1@z1"])]), in_z1);
    assert_eq!(merged(&[("1", &["10.0.0.1@z1"]), ("2", &["10.0.0.1"])]), in_z1);
    // Whichever of the two has the better state.
    assert_eq!(merged(&[("1", &["10.0.0.1"]), ("2", &["10.0.0.1@z1!"])]), in_z1);
    assert_eq!(merged(&[("1", &["10.0.0.1!"]), ("2", &["10.0.0.1@z1~"])]), "http:80/TCP a/z1 10.0.0.1:8080~");
    assert_eq!(merged(&[("1", &["10.0.0.1", "10.0.0.1@z1!"])]), in_z1, "in one slice, too");
}

#[test]
fn of_two_zones_that_of_the_better_state_counts() {
    assert_eq!(merged(&[("1", &["10.0.0.1@z1!"]), ("2", &["10.0.0.1@z2"])]), "http:80/TCP a/z2 10.0.0.1:8080");
    assert_eq!(merged(&[("1", &["10.0.0.1@z2"]), ("2", &["10.0.0.1@z1"])]), "http:80/TCP a/z1 10.0.0.1:8080");
}

#[test]
fn a_node_knows_the_zone_of_its_endpoints() {
    assert_eq!(merged(&[("1", &["10.0.0.1@node:n1"])]), "http:80/TCP a/z7 10.0.0.1:8080");
    assert_eq!(
        merged(&[("1", &["10.0.0.1@node:n1!", "10.0.0.2"])]),
        "http:80/TCP a/- 10.0.0.2:8080 a/z7 10.0.0.1:8080!"
    );
    for unknown in ["10.0.0.1@node:n2", "10.0.0.1@node:gone", "10.0.0.1"] {
        assert_eq!(merged(&[("1", &[unknown])]), "http:80/TCP a/- 10.0.0.1:8080", "{unknown}");
    }
    let other = merged(&[("1", &["10.0.0.1@node:n1"]), ("2", &["10.0.0.1@z1"])]);
    assert_eq!(other, "http:80/TCP a/z1 10.0.0.1:8080", "both know: as with any two zones");
}

#[test]
fn a_node_that_changes_zones_takes_along_its_own_endpoints_only() {
    let mut federation = federation(&[("1", &["10.0.0.1@node:n1", "10.0.0.2@z1"]), ("2", &["10.0.0.3@node:n2"])]);
    for n in 0..20 {
        let key = format!("shop/s{n}");
        federation = federation.service("a", &key, &[80]).endpoints("a", &key, &["10.0.1.1@z1"]);
    }
    federation = federation.service("a", "shop/other", &[80]).endpoints("a", "shop/other", &["10.0.2.1@node:n2"]);
    let mut engine = federation.engine(make::at(1));
    let mut change = |node, expected: &str, merges: u64| {
        let before = engine.stats();
        engine.apply([from_member("a", 1, MemberChanges::Nodes(Delta::put(node)))], make::at(2));
        let Stats { merged, judged, .. } = engine.stats();
        assert_eq!(hosts(&engine, "shop/web"), format!("http:80/TCP {expected}"));
        assert_eq!((merged - before.merged, judged - before.judged), (merges, 0));
    };
    let first = "a/- 10.0.0.3:8080 a/z1 10.0.0.2:8080";
    change(make::node_in("z8", "n1", ""), &format!("{first} a/z8 10.0.0.1:8080"), 1);
    change(make::node_in("z8", "n1", ""), &format!("{first} a/z8 10.0.0.1:8080"), 0);
    change(make::node_in("z8", "n9", ""), &format!("{first} a/z8 10.0.0.1:8080"), 0);
    change(make::node_in("z1", "n2", ""), "a/z1 10.0.0.2:8080 10.0.0.3:8080 a/z8 10.0.0.1:8080", 2);
    change(make::node("n1", ""), "a/- 10.0.0.1:8080 a/z1 10.0.0.2:8080 10.0.0.3:8080", 1);
}
