//! Names in the hub's objects that lead nowhere, and ranges that a member's own objects contradict.

use super::*;
use crate::model::{ClusterWeight, Federate};
use crate::references::HubNotice;
use crate::report::{RangeUse, UndeclaredRange};
use crate::testing::TestFederation;

#[test]
fn names_that_refer_to_nothing_are_reported_until_they_refer_to_something() {
    let weighted = |name: &str, clusters: &[&str]| {
        let mut policy = make::policy(name, Federate::Marked);
        let weight = |id: &&str| ClusterWeight { cluster: make::cluster(id), weight: 1 };
        policy.failover.clusters = clusters.iter().map(weight).collect();
        policy
    };
    let mut second = weighted("second", &["eu-1", "us-9"]);
    second.created = make::at(9);
    let mut special = weighted("special", &[]);
    special.namespaces = make::selector("team=a");
    let federation = TestFederation::new()
        .region("eu", &["us", "asia"])
        .member("eu-1", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .policy(weighted("default", &[]))
        .policy(second)
        .policy(special);
    let mut engine = federation.engine(make::at(100));
    let unknown =
        |named: &str| HubNotice::UnknownRegion { region: make::region_id("eu"), named: make::region_id(named) };
    let cluster = HubNotice::UnknownCluster { policy: "second".into(), named: make::cluster("us-9") };
    let shadowed = HubNotice::Shadowed { policy: "second".into(), by: "default".into() };
    assert_eq!(**engine.hub_notices(), [unknown("asia"), unknown("us"), cluster.clone(), shadowed.clone()]);

    let federation = federation.region("us", &[]);
    let effects = engine.apply(federation.hub(), make::at(101));
    let expected = vec![unknown("asia"), cluster, shadowed];
    assert_eq!(effects.hub_notices.as_deref(), Some(&expected), "what changed is an effect");
    assert_eq!(engine.apply(federation.hub(), make::at(102)).hub_notices, None, "and is not repeated");
}

#[test]
fn a_member_whose_region_is_deleted_stays_and_is_reported() {
    let federation = TestFederation::new().region("eu", &[]).member("eu-1", "eu", "10.0.0.0/16", "10.96.0.0/16");
    let mut engine = federation.engine(make::at(100));
    let missing = |engine: &Engine| engine.reports()[&make::cluster("eu-1")].region_missing;
    assert!(!missing(&engine));
    let gone = TestFederation::new().region("us", &[]).member("eu-1", "eu", "10.0.0.0/16", "10.96.0.0/16");
    engine.apply(gone.hub(), make::at(101));
    assert_eq!((verdict(&engine, "eu-1").as_str(), missing(&engine)), ("admitted", true));
    engine.apply(federation.hub(), make::at(102));
    assert!(!missing(&engine), "created again");
}

#[test]
fn ranges_of_a_members_own_objects_outside_of_those_declared_are_reported() {
    let mut federation =
        TestFederation::new().region("eu", &[]).member("eu-1", "eu", "10.0.0.0/16 10.1.0.0/16", "10.96.0.0/16");
    let contents = federation.contents("eu-1");
    contents.nodes = vec![
        make::node("inside", "10.0.3.0/24"),
        make::node("both", "10.0.0.0/15"),
        make::node("outside", "10.2.0.0/24"),
        make::node("beside", "10.2.1.0/24"),
    ];
    contents.service_cidrs = vec![make::service_cidr("kubernetes", "10.96.0.0/12")];
    let engine = federation.engine(make::at(100));
    let undeclared = |engine: &Engine| engine.reports()[&make::cluster("eu-1")].undeclared.first.clone();
    let range = |used_for, net: &str| UndeclaredRange { used_for, range: make::net(net) };
    let expected = [range(RangeUse::Pods, "10.2.0.0/23"), range(RangeUse::Services, "10.96.0.0/12")];
    assert_eq!((verdict(&engine, "eu-1").as_str(), undeclared(&engine)), ("admitted", expected.to_vec()));
}
