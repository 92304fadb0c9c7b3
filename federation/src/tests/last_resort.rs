//! Hosts that terminate and still serve take new requests where no host of the client's tiers is ready (KEP-1669).

use std::fmt::Write as _;

use crate::model::{ClusterWeight, Failover, Federate, Tier, Traffic};
use crate::testing::{World, make};
use crate::view::{ClientClass, Standing, assign};

/// eu-1 and eu-2 in eu, which fails over to us-1 in us, each with these endpoints.
fn world(endpoints: [&[&str]; 3]) -> World {
    let mut world = World::new().region("eu", &["us"]).region("us", &["eu"]);
    for ((n, id), endpoints) in ["eu-1", "eu-2", "us-1"].into_iter().enumerate().zip(endpoints) {
        let (region, _) = id.split_once('-').unwrap_or_default();
        world = world
            .member(id, region, &format!("10.{n}.0.0/16"), &format!("10.10{n}.0.0/16"))
            .service(id, "shop/web", &[80])
            .endpoints(id, "shop/web", endpoints);
    }
    world
}

fn with_failover(mut world: World, tiers: &[Tier], weights: &[(&str, u32)]) -> World {
    let weight = |(id, weight): &(&str, u32)| ClusterWeight { cluster: make::cluster(id), weight: *weight };
    let mut policy = make::policy("default", Federate::All);
    policy.failover = Failover { tiers: tiers.to_vec(), clusters: weights.iter().map(weight).collect() };
    world = world.policy(policy);
    world
}

/// What a client in eu/z1 of eu-1 is offered, tier by tier: `eu-1/z1 0.1+ 0.2- 0.3x | ...`: `+` use it, `-` it drains,
/// `x` it is lost.
fn offered(world: &World) -> String {
    let engine = world.engine(make::at(1));
    let class = ClientClass {
        region: make::region_id("eu"),
        zone: Some(make::zone("z1")),
        network: make::network("default"),
        cluster: Some(make::cluster("eu-1")),
        families: None,
    };
    let service = super::merged(&engine, "shop/web");
    let assignment = assign(&class, service, &service.ports[0], engine.topology());
    let tier = |tier: &Vec<crate::view::Locality<'_>>| {
        let mut text = String::new();
        for locality in tier {
            let zone = locality.zone().map_or("-", |zone| zone.as_str());
            let _ = write!(text, "{}/{zone}", locality.cluster());
            for offer in assignment.reach.offers(locality.backend) {
                let standing = match offer.standing {
                    Standing::Serving => '+',
                    Standing::Draining => '-',
                    Standing::Lost => 'x',
                };
                let _ = write!(text, " {}{standing}", offer.address.ip());
            }
            text.push(' ');
        }
        text.trim_end().to_owned()
    };
    assignment.tiers.iter().map(tier).collect::<Vec<_>>().join(" | ")
}

#[test]
fn draining_hosts_serve_where_nobody_is_ready() {
    // A Recreate rollout of the only member: all of them, in all tiers, nearest first.
    let all = world([&["10.0.0.1@z1~", "10.0.0.2@z2~"], &["10.1.0.1@z1#"], &["10.2.0.1@z1~", "10.2.0.2@z1!"]]);
    let expected = "eu-1/z1 10.0.0.1+ eu-2/z1 10.1.0.1- | eu-1/z2 10.0.0.2+ | us-1/z1 10.2.0.1+ 10.2.0.2x";
    assert_eq!(offered(&all), expected);
    // What ended is never used, and what is not ready is no more than lost.
    let none = world([&["10.0.0.1@z1#", "10.0.0.2@z1!"], &[], &["10.2.0.1@z1#"]]);
    assert_eq!(offered(&none), "eu-1/z1 10.0.0.1- 10.0.0.2x | us-1/z1 10.2.0.1-");
}

#[test]
fn one_ready_host_anywhere_is_enough() {
    for (far, shown) in [("10.2.0.1", "10.2.0.1+"), ("10.2.0.1@z1", "10.2.0.1+")] {
        let found = offered(&world([&["10.0.0.1@z1~"], &["10.1.0.1@z1~"], &[far]]));
        assert!(found.starts_with("eu-1/z1 10.0.0.1- eu-2/z1 10.1.0.1- | us-1/"), "{found}");
        assert!(found.ends_with(shown), "{found}");
    }
    let beside = world([&["10.0.0.1@z1~", "10.0.0.2@z1"], &["10.1.0.1@z1~"], &[]]);
    assert_eq!(offered(&beside), "eu-1/z1 10.0.0.1- 10.0.0.2+ eu-2/z1 10.1.0.1-");
}

#[test]
fn only_the_clients_own_tiers_count() {
    let world = || world([&["10.0.0.1@z1~"], &["10.1.0.1@z1~"], &["10.2.0.1@z1"]]);
    let pinned = |tiers: &[Tier]| offered(&with_failover(world(), tiers, &[]));
    assert_eq!(pinned(&[Tier::Cluster]), "eu-1/z1 10.0.0.1+", "us-1 is ready, and no business of this client");
    assert_eq!(pinned(&[Tier::Region]), "eu-1/z1 10.0.0.1+ eu-2/z1 10.1.0.1+");
    assert_eq!(pinned(&[Tier::Cluster, Tier::Ordered]), "eu-1/z1 10.0.0.1- | us-1/z1 10.2.0.1+");
    // Of another network: it cannot be reached.
    let mut apart = world();
    apart.members[2].network = make::network("other");
    assert_eq!(offered(&apart), "eu-1/z1 10.0.0.1+ eu-2/z1 10.1.0.1+");
}

#[test]
fn a_ready_host_of_a_drained_member_comes_before_one_that_terminates() {
    let mut world = world([&["10.0.0.1@z1~"], &["10.1.0.1@z1"], &[]]);
    world.members[1].traffic = Traffic::Drained;
    assert_eq!(offered(&world), "eu-1/z1 10.0.0.1- | eu-2/z1 10.1.0.1+");
    // And of those that terminate, a drained member's come last.
    let mut world = self::world([&["10.0.0.1@z1~"], &["10.1.0.1@z1~"], &["10.2.0.1@z1~"]]);
    world.members[0].traffic = Traffic::Drained;
    assert_eq!(offered(&world), "eu-2/z1 10.1.0.1+ | us-1/z1 10.2.0.1+ | eu-1/z1 10.0.0.1+");
}

#[test]
fn declared_weights_hold_among_hosts_that_terminate() {
    let world = world([&["10.0.0.1@z1~", "10.0.0.2@z2~", "10.0.0.3@z2~"], &["10.1.0.1@z1~"], &[]]);
    let world = with_failover(world, &[Tier::Region], &[("eu-1", 300), ("eu-2", 100)]);
    let engine = world.engine(make::at(1));
    let class = ClientClass {
        region: make::region_id("eu"),
        zone: None,
        network: make::network("default"),
        cluster: None,
        families: None,
    };
    let service = super::merged(&engine, "shop/web");
    let assignment = assign(&class, service, &service.ports[0], engine.topology());
    let weights: Vec<u32> = assignment.tiers.iter().flatten().map(|locality| locality.weight).collect();
    assert_eq!(weights, [100_001, 200_002, 100_001], "300 over three hosts in two zones, and 100");
}
