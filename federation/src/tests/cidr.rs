//! Overlaps: one member is there, another one comes.

use super::verdict;
use crate::model::Federate;
use crate::testing::{TestFederation, make};

/// `old` is a member; `new` joins, smaller in name and created earlier. Ranges are (pods, services).
fn check(old: (&str, &str), new: (&str, &str), expected: &str) {
    check_reserved(old, new, "", expected);
}

fn check_reserved(old: (&str, &str), new: (&str, &str), reserved: &str, expected: &str) {
    let mut first = make::member("old", "eu", old.0, old.1);
    first.created = make::at(50);
    let mut policy = make::policy("default", Federate::All);
    policy.reserved = make::nets(reserved);
    let federation = TestFederation::new().region("eu", &[]).policy(policy).member_object(first);
    let mut engine = federation.engine(make::at(100));
    assert_eq!(verdict(&engine, "old"), "admitted", "the member that was there first");

    let mut second = make::member("new", "eu", new.0, new.1);
    second.created = make::at(1);
    let federation = federation.member_object(second);
    engine.apply(federation.hub(), make::at(200));
    engine.apply(federation.listing("new", 1), make::at(201));
    assert_eq!(verdict(&engine, "new"), expected, "{new:?} beside {old:?}");
    assert_eq!(verdict(&engine, "old"), "admitted", "members are never disturbed");
    assert_eq!(engine.topology().members.contains_key(&make::cluster("new")), expected == "admitted");
    assert!(engine.topology().members.contains_key(&make::cluster("old")));
}

#[test]
fn disjoint_ranges_are_admitted() {
    check(("10.0.0.0/16", "10.96.0.0/16"), ("10.1.0.0/16", "10.97.0.0/16"), "admitted");
    check(("10.0.0.0/17", "10.96.0.0/16"), ("10.0.128.0/17", "10.97.0.0/16"), "admitted");
    check(("fd00:1::/48", "fd00:2::/112"), ("fd00:3::/48", "fd00:4::/112"), "admitted");
}

#[test]
fn containment_counts_in_both_directions() {
    let old = ("10.0.0.0/16", "10.96.0.0/16");
    check(old, ("10.0.3.0/24", "10.97.0.0/16"), "refused: pod 10.0.3.0/24 x pod 10.0.0.0/16 of old");
    check(old, ("10.0.0.0/15", "10.97.0.0/16"), "refused: pod 10.0.0.0/15 x pod 10.0.0.0/16 of old");
    check(old, ("10.0.0.0/16", "10.97.0.0/16"), "refused: pod 10.0.0.0/16 x pod 10.0.0.0/16 of old");
    check(
        old,
        ("0.0.0.0/0", "fd00::/64"),
        "refused: pod 0.0.0.0/0 x pod 10.0.0.0/16 of old, pod 0.0.0.0/0 x service 10.96.0.0/16 of old",
    );
}

#[test]
fn every_use_clashes_with_every_use() {
    let old = ("10.0.0.0/16", "10.96.0.0/16");
    check(old, ("10.96.4.0/24", "10.97.0.0/16"), "refused: pod 10.96.4.0/24 x service 10.96.0.0/16 of old");
    check(old, ("10.1.0.0/16", "10.0.8.0/24"), "refused: service 10.0.8.0/24 x pod 10.0.0.0/16 of old");
    check(old, ("10.1.0.0/16", "10.96.0.0/12"), "refused: service 10.96.0.0/12 x service 10.96.0.0/16 of old");
}

#[test]
fn ipv6_is_compared_with_ipv6_only() {
    let old = ("fd00:1::/48 10.0.0.0/16", "fd00:2::/112 10.96.0.0/16");
    check(old, ("fd00:1:0:8::/64", "fd00:4::/112"), "refused: pod fd00:1:0:8::/64 x pod fd00:1::/48 of old");
    check(
        old,
        ("fd00::/16", "10.97.0.0/16"),
        "refused: pod fd00::/16 x pod fd00:1::/48 of old, pod fd00::/16 x service fd00:2::/112 of old",
    );
    check(
        ("::/0", "10.96.0.0/16"),
        ("10.0.0.0/8", "fd00::/112"),
        "refused: pod 10.0.0.0/8 x service 10.96.0.0/16 of old, service fd00::/112 x pod ::/0 of old",
    );
    check(("::/1", "8000::/16"), ("0.0.0.0/1", "128.0.0.0/16"), "admitted");
}

#[test]
fn all_clashes_are_listed_in_order() {
    check(
        ("10.0.0.0/16 10.2.0.0/16", "10.96.0.0/16"),
        ("10.2.1.0/24 10.0.0.0/15", "10.96.1.0/24"),
        "refused: pod 10.0.0.0/15 x pod 10.0.0.0/16 of old, pod 10.2.1.0/24 x pod 10.2.0.0/16 of old, \
         service 10.96.1.0/24 x service 10.96.0.0/16 of old",
    );
}

#[test]
fn clashes_with_members_admitted_later_in_the_round_are_listed_too() {
    let early = |id: &str, pods: &str, services: &str| make::member(id, "eu", pods, services);
    let federation = TestFederation::new()
        .region("eu", &[])
        .member_object(early("a", "10.0.0.0/16", "10.96.0.0/16"))
        .member_object(early("b", "10.0.0.0/8", "10.97.0.0/16"))
        .member_object(early("c", "10.2.0.0/16", "172.16.0.0/16"));
    let engine = federation.engine(make::at(1));
    assert_eq!(verdict(&engine, "a"), "admitted");
    assert_eq!(verdict(&engine, "c"), "admitted");
    let expected = concat!(
        "refused: pod 10.0.0.0/8 x pod 10.0.0.0/16 of a, pod 10.0.0.0/8 x pod 10.2.0.0/16 of c, ",
        "pod 10.0.0.0/8 x service 10.96.0.0/16 of a, pod 10.0.0.0/8 x service 10.97.0.0/16",
    );
    assert_eq!(verdict(&engine, "b"), expected);
}

#[test]
fn reserved_ranges_belong_to_no_member() {
    let old = ("10.0.0.0/16", "10.96.0.0/16");
    let reserved = "192.168.0.0/16 172.16.5.0/24";
    check_reserved(
        old,
        ("192.168.7.0/24", "10.97.0.0/16"),
        reserved,
        "refused: pod 192.168.7.0/24 x reserved 192.168.0.0/16",
    );
    check_reserved(
        old,
        ("10.1.0.0/16", "172.16.0.0/12"),
        reserved,
        "refused: service 172.16.0.0/12 x reserved 172.16.5.0/24",
    );
    check_reserved(old, ("10.1.0.0/16", "10.97.0.0/16"), reserved, "admitted");
}

#[test]
fn own_pods_and_services_must_not_overlap() {
    let old = ("10.0.0.0/16", "10.96.0.0/16");
    check(old, ("10.1.0.0/16", "10.1.4.0/24"), "refused: pod 10.1.0.0/16 x service 10.1.4.0/24");
    check(old, ("10.1.4.0/24", "10.1.0.0/16"), "refused: pod 10.1.4.0/24 x service 10.1.0.0/16");
    // Within one use a range may be listed twice, or inside another.
    check(old, ("10.1.0.0/16 10.1.4.0/24 10.1.0.0/16", "10.97.0.0/16"), "admitted");
}

#[test]
fn other_networks_may_use_the_same_ranges() {
    let mut far = make::member("far", "eu", "10.0.0.0/16", "10.96.0.0/16");
    far.network = make::network("other");
    let federation =
        TestFederation::new().region("eu", &[]).member("near", "eu", "10.0.0.0/16", "10.96.0.0/16").member_object(far);
    let mut engine = federation.engine(make::at(1));
    assert_eq!((verdict(&engine, "far"), verdict(&engine, "near")), ("admitted".into(), "admitted".into()));

    // Who moves to where others are is a newcomer there, even if its admission is on record.
    let federation = {
        let mut federation = federation;
        federation.members[1].network = crate::model::Network::default_network();
        federation.members[1].recorded = engine.reports()[&make::cluster("far")].admitted.clone();
        federation
    };
    engine.apply(federation.hub(), make::at(2));
    let expected =
        "refused: pod 10.0.0.0/16 x pod 10.0.0.0/16 of near, service 10.96.0.0/16 x service 10.96.0.0/16 of near";
    assert_eq!(verdict(&engine, "far"), expected);
    assert_eq!(verdict(&engine, "near"), "admitted");
}
