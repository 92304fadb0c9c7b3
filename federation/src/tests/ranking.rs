//! The order of endpoints for a class of clients.

use std::fmt::Write as _;

use crate::Engine;
use crate::model::{ClusterWeight, Failover, Federate, Tier, Traffic};
use crate::ranking::{ClientClass, assign};
use crate::testing::{TestFederation, make};

/// eu-1 and eu-2 in eu, us-1 in us, ap-1 in ap; eu fails over to us.
fn federation() -> TestFederation {
    let mut federation = TestFederation::new().region("ap", &[]).region("eu", &["us"]).region("us", &["eu"]);
    for (n, id) in ["ap-1", "eu-1", "eu-2", "us-1"].into_iter().enumerate() {
        let (region, _) = id.split_once('-').unwrap_or_default();
        federation = federation
            .member(id, region, &format!("10.{n}.0.0/16"), &format!("10.10{n}.0.0/16"))
            .service(id, "shop/web", &[80])
            .endpoints(id, "shop/web", &[&format!("10.{n}.0.1@z1"), &format!("10.{n}.0.2@z2")]);
    }
    federation
}

fn client(region: &str, zone: Option<&str>, cluster: Option<&str>) -> ClientClass {
    ClientClass {
        region: make::region_id(region),
        zone: zone.map(make::zone),
        network: make::network("default"),
        cluster: cluster.map(make::cluster),
        families: None,
    }
}

/// Tiers as text: `eu-1/z1=1 eu-2/z1=1 | ...`, with the weight of each locality.
fn ranked(engine: &Engine, class: &ClientClass) -> String {
    let service = super::merged(engine, "shop/web");
    let assignment = assign(class, service, &service.ports[0], &engine.rankings()[&service.key], engine.topology());
    let mut tiers = Vec::new();
    for tier in &assignment.tiers {
        assert!(!tier.is_empty(), "a gap in the priorities");
        let mut text = String::new();
        for locality in tier {
            assert!(locality.weight >= 1 && !locality.backend.hosts.is_empty());
            let zone = locality.zone().map_or("-", |zone| zone.as_str());
            let _ = write!(text, "{}/{zone}={} ", locality.cluster(), locality.weight);
        }
        tiers.push(text.trim_end().to_owned());
    }
    tiers.join(" | ")
}

fn check(federation: &TestFederation, class: &ClientClass, expected: &str) {
    assert_eq!(ranked(&federation.engine(make::at(1)), class), expected, "{class:?}");
}

fn with_failover(tiers: &[Tier], weights: &[(&str, u32)]) -> TestFederation {
    let weight = |(id, weight): &(&str, u32)| ClusterWeight { cluster: make::cluster(id), weight: *weight };
    let mut policy = make::policy("default", Federate::All);
    policy.failover = Failover { tiers: tiers.to_vec(), clusters: weights.iter().map(weight).collect() };
    federation().policy(policy)
}

const DEFAULT: [Tier; 4] = [Tier::Zone, Tier::Region, Tier::Ordered, Tier::Any];

#[test]
fn zone_then_region_then_the_regions_order_then_all_others() {
    check(
        &federation(),
        &client("eu", Some("z1"), Some("eu-1")),
        "eu-1/z1=1 eu-2/z1=1 | eu-1/z2=1 eu-2/z2=1 | us-1/z1=1 us-1/z2=1 | ap-1/z1=1 ap-1/z2=1",
    );
    // A zone's name means something within its own region only; regions that no list names follow by name.
    check(
        &federation(),
        &client("ap", Some("z2"), None),
        "ap-1/z2=1 | ap-1/z1=1 | eu-1/z1=1 eu-1/z2=1 eu-2/z1=1 eu-2/z2=1 | us-1/z1=1 us-1/z2=1",
    );
}

#[test]
fn empty_tiers_leave_no_gap() {
    let eu = "eu-1/z1=1 eu-1/z2=1 eu-2/z1=1 eu-2/z2=1 | us-1/z1=1 us-1/z2=1 | ap-1/z1=1 ap-1/z2=1";
    check(&federation(), &client("eu", Some("z9"), None), eu);
    check(&federation(), &client("eu", None, None), eu);
    let by_name = "ap-1/z1=1 ap-1/z2=1 | eu-1/z1=1 eu-1/z2=1 eu-2/z1=1 eu-2/z2=1 | us-1/z1=1 us-1/z2=1";
    check(&federation(), &client("nowhere", Some("z1"), None), by_name);
}

#[test]
fn an_endpoint_without_a_zone_is_in_its_region() {
    let federation = federation().endpoints("eu-1", "shop/web", &["10.1.0.7"]);
    let expected = "eu-1/z1=1 eu-2/z1=1 | eu-1/-=1 eu-1/z2=1 eu-2/z2=1";
    let found = ranked(&federation.engine(make::at(1)), &client("eu", Some("z1"), None));
    assert!(found.starts_with(expected), "{found}");
    let unknown = ranked(&federation.engine(make::at(1)), &client("eu", None, None));
    assert!(unknown.starts_with("eu-1/-=1 eu-1/z1=1 eu-1/z2=1 eu-2/z1=1"), "unknown is no zone to share: {unknown}");
}

#[test]
fn a_drained_member_is_last_wherever_it_is() {
    let mut federation = federation();
    federation.members[1].traffic = Traffic::Drained;
    check(
        &federation,
        &client("eu", Some("z1"), Some("eu-1")),
        "eu-2/z1=1 | eu-2/z2=1 | us-1/z1=1 us-1/z2=1 | ap-1/z1=1 ap-1/z2=1 | eu-1/z1=1 | eu-1/z2=1",
    );
}

#[test]
fn a_service_can_be_pinned() {
    let class = client("eu", Some("z1"), Some("eu-2"));
    check(&with_failover(&[Tier::Cluster], &[]), &class, "eu-2/z1=1 eu-2/z2=1");
    check(&with_failover(&[Tier::Region], &[]), &class, "eu-1/z1=1 eu-1/z2=1 eu-2/z1=1 eu-2/z2=1");
    check(&with_failover(&[Tier::Cluster, Tier::Ordered], &[]), &class, "eu-2/z1=1 eu-2/z2=1 | us-1/z1=1 us-1/z2=1");
    check(&with_failover(&[Tier::Cluster], &[]), &client("eu", None, None), "");
    check(&with_failover(&[], &[]), &class, "");
}

#[test]
fn other_networks_cannot_be_reached() {
    let mut federation = federation();
    federation.members[2].network = make::network("other");
    let class = client("eu", Some("z1"), Some("eu-1"));
    check(&federation, &class, "eu-1/z1=1 | eu-1/z2=1 | us-1/z1=1 us-1/z2=1 | ap-1/z1=1 ap-1/z2=1");
    let inside = ClientClass { network: make::network("other"), ..client("eu", None, None) };
    check(&federation, &inside, "eu-2/z1=1 eu-2/z2=1");
}

#[test]
fn weights_are_capacity_unless_clusters_declare_them() {
    // Ready and unready count, draining does not: a planned loss must not make the rest look overloaded.
    let federation = federation().endpoints("eu-1", "shop/web", &["10.1.0.3@z1!", "10.1.0.4@z1~"]);
    let class = client("eu", Some("z1"), None);
    assert!(ranked(&federation.engine(make::at(1)), &class).starts_with("eu-1/z1=2 eu-2/z1=1 | "));
    let service = |federation: &TestFederation| {
        let engine = federation.engine(make::at(1));
        let service = super::merged(&engine, "shop/web").clone();
        assign(&class, &service, &service.ports[0], &engine.rankings()[&service.key], engine.topology()).weighted
    };
    assert!(!service(&federation));

    // 3 : 1 between the clusters, although eu-1 has two zones with unequal capacity.
    let mut declared = with_failover(&[Tier::Region], &[("eu-1", 300)]);
    declared = declared.endpoints("eu-1", "shop/web", &["10.1.0.3@z1", "10.1.0.4@z1"]);
    assert!(service(&declared));
    check(&declared, &class, "eu-1/z1=225003 eu-1/z2=75001 eu-2/z1=50001 eu-2/z2=50001");
    // A member's own weight holds where the policy has no weights.
    let mut own = with_failover(&DEFAULT, &[("eu-1", 300)]);
    own.members[1].weight = Some(1);
    own.members[2].weight = Some(50);
    let found = ranked(&own.engine(make::at(1)), &class);
    assert!(found.starts_with("eu-1/z1=300001 eu-2/z1=50001 | "), "{found}");
}

#[test]
fn a_member_that_is_not_admitted_is_offered_to_no_client() {
    let engine = federation().engine(make::at(1));
    let service = super::merged(&engine, "shop/web");
    let mut topology = (**engine.topology()).clone();
    topology.members.remove(&make::cluster("eu-1"));
    let assignment =
        assign(&client("eu", None, None), service, &service.ports[0], &engine.rankings()[&service.key], &topology);
    let clusters = assignment.tiers.iter().flatten().map(|locality| locality.cluster().as_str());
    assert!(clusters.clone().all(|id| id != "eu-1") && clusters.count() == 6);
}
