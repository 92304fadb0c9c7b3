//! Hosts that terminate and still serve take new requests where no host of the client's tiers is ready (KEP-1669).

use std::fmt::Write as _;

use crate::model::{ClusterWeight, Failover, Federate, Tier, Traffic};
use crate::ranking::{ClientClass, HostState, assign};
use crate::testing::{TestFederation, make};

/// eu-1 and eu-2 in eu, which fails over to us-1 in us, each with these endpoints.
fn federation(endpoints: [&[&str]; 3]) -> TestFederation {
    let mut federation = TestFederation::new().region("eu", &["us"]).region("us", &["eu"]);
    for ((n, id), endpoints) in ["eu-1", "eu-2", "us-1"].into_iter().enumerate().zip(endpoints) {
        let (region, _) = id.split_once('-').unwrap_or_default();
        federation = federation
            .member(id, region, &format!("10.{n}.0.0/16"), &format!("10.10{n}.0.0/16"))
            .service(id, "shop/web", &[80])
            .endpoints(id, "shop/web", endpoints);
    }
    federation
}

fn with_failover(mut federation: TestFederation, tiers: &[Tier], weights: &[(&str, u32)]) -> TestFederation {
    let weight = |(id, weight): &(&str, u32)| ClusterWeight { cluster: make::cluster(id), weight: *weight };
    let mut policy = make::policy("default", Federate::All);
    policy.failover = Failover { tiers: tiers.to_vec(), clusters: weights.iter().map(weight).collect() };
    federation = federation.policy(policy);
    federation
}

/// What a client in eu/z1 of eu-1 is offered, tier by tier: `eu-1/z1 0.1+ 0.2- 0.3x | ...`: `+` use it, `-` it drains,
/// `x` it is lost.
fn offered(federation: &TestFederation) -> String {
    let engine = federation.engine(make::at(1));
    let class = ClientClass {
        region: make::region_id("eu"),
        zone: Some(make::zone("z1")),
        network: make::network("default"),
        cluster: Some(make::cluster("eu-1")),
        families: None,
    };
    let service = super::merged(&engine, "shop/web");
    let assignment = assign(&class, service, &service.ports[0], &engine.rankings()[&service.key], engine.topology());
    let tier = |tier: &Vec<crate::ranking::Locality<'_>>| {
        let mut text = String::new();
        for locality in tier {
            let zone = locality.zone().map_or("-", |zone| zone.as_str());
            let _ = write!(text, "{}/{zone}", locality.cluster());
            for offer in assignment.reach.offers(locality.backend) {
                let state = match offer.state {
                    HostState::Serving => '+',
                    HostState::Draining => '-',
                    HostState::Lost => 'x',
                };
                let _ = write!(text, " {}{state}", offer.address.ip());
            }
            text.push(' ');
        }
        text.trim_end().to_owned()
    };
    assignment.tiers.iter().map(tier).collect::<Vec<_>>().join(" | ")
}

#[test]
fn draining_hosts_serve_where_no_host_is_ready() {
    // A Recreate rollout of the only member: all of them, in all tiers, nearest first.
    let all = federation([&["10.0.0.1@z1~", "10.0.0.2@z2~"], &["10.1.0.1@z1#"], &["10.2.0.1@z1~", "10.2.0.2@z1!"]]);
    let expected = "eu-1/z1 10.0.0.1+ eu-2/z1 10.1.0.1- | eu-1/z2 10.0.0.2+ | us-1/z1 10.2.0.1+ 10.2.0.2x";
    assert_eq!(offered(&all), expected);
    // What ended is never used, and what is not ready is no more than lost.
    let none = federation([&["10.0.0.1@z1#", "10.0.0.2@z1!"], &[], &["10.2.0.1@z1#"]]);
    assert_eq!(offered(&none), "eu-1/z1 10.0.0.1- 10.0.0.2x | us-1/z1 10.2.0.1-");
}

#[test]
fn one_ready_host_anywhere_is_enough() {
    for (far, shown) in [("10.2.0.1", "10.2.0.1+"), ("10.2.0.1@z1", "10.2.0.1+")] {
        let found = offered(&federation([&["10.0.0.1@z1~"], &["10.1.0.1@z1~"], &[far]]));
        assert!(found.starts_with("eu-1/z1 10.0.0.1- eu-2/z1 10.1.0.1- | us-1/"), "{found}");
        assert!(found.ends_with(shown), "{found}");
    }
    let beside = federation([&["10.0.0.1@z1~", "10.0.0.2@z1"], &["10.1.0.1@z1~"], &[]]);
    assert_eq!(offered(&beside), "eu-1/z1 10.0.0.1- 10.0.0.2+ eu-2/z1 10.1.0.1-");
}

#[test]
fn only_the_clients_own_tiers_count() {
    let federation = || federation([&["10.0.0.1@z1~"], &["10.1.0.1@z1~"], &["10.2.0.1@z1"]]);
    let pinned = |tiers: &[Tier]| offered(&with_failover(federation(), tiers, &[]));
    assert_eq!(pinned(&[Tier::Cluster]), "eu-1/z1 10.0.0.1+", "us-1 is ready, and no business of this client");
    assert_eq!(pinned(&[Tier::Region]), "eu-1/z1 10.0.0.1+ eu-2/z1 10.1.0.1+");
    assert_eq!(pinned(&[Tier::Cluster, Tier::Ordered]), "eu-1/z1 10.0.0.1- | us-1/z1 10.2.0.1+");
    // Of another network: it cannot be reached.
    let mut apart = federation();
    apart.members[2].network = make::network("other");
    assert_eq!(offered(&apart), "eu-1/z1 10.0.0.1+ eu-2/z1 10.1.0.1+");
}

#[test]
fn a_ready_host_of_a_drained_member_comes_before_one_that_terminates() {
    let mut federation = federation([&["10.0.0.1@z1~"], &["10.1.0.1@z1"], &[]]);
    federation.members[1].traffic = Traffic::Drained;
    assert_eq!(offered(&federation), "eu-1/z1 10.0.0.1- | eu-2/z1 10.1.0.1+");
    // And of those that terminate, a drained member's come last.
    let mut federation = self::federation([&["10.0.0.1@z1~"], &["10.1.0.1@z1~"], &["10.2.0.1@z1~"]]);
    federation.members[0].traffic = Traffic::Drained;
    assert_eq!(offered(&federation), "eu-2/z1 10.1.0.1+ | us-1/z1 10.2.0.1+ | eu-1/z1 10.0.0.1+");
}

#[test]
fn declared_weights_hold_among_hosts_that_terminate() {
    let federation = federation([&["10.0.0.1@z1~", "10.0.0.2@z2~", "10.0.0.3@z2~"], &["10.1.0.1@z1~"], &[]]);
    let federation = with_failover(federation, &[Tier::Region], &[("eu-1", 300), ("eu-2", 100)]);
    let engine = federation.engine(make::at(1));
    let class = ClientClass {
        region: make::region_id("eu"),
        zone: None,
        network: make::network("default"),
        cluster: None,
        families: None,
    };
    let service = super::merged(&engine, "shop/web");
    let assignment = assign(&class, service, &service.ports[0], &engine.rankings()[&service.key], engine.topology());
    let weights: Vec<u32> = assignment.tiers.iter().flatten().map(|locality| locality.weight).collect();
    assert_eq!(weights, [100_001, 200_002, 100_001], "300 over three hosts in two zones, and 100");
}
