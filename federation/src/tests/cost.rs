//! The cost of a change is what changed, not what there is: proved by the work counters.

use super::from_member;
use crate::change::{Batch, Delta, HubChanges, MemberChanges};
use crate::model::{ClusterWeight, Failover, Federate, Policy, RankingRule, Tier, Traffic};
use crate::testing::{TestFederation, make};
use crate::{Engine, Stats};

/// Four clusters that all have the same services, one endpoint each.
fn federation(services: usize) -> TestFederation {
    let mut federation = TestFederation::new().region("eu", &[]);
    for n in 0..4 {
        let id = format!("c{n}");
        federation = federation.member(&id, "eu", &format!("10.{n}.0.0/16"), &format!("10.10{n}.0.0/16"));
        for s in 0..services {
            let key = format!("shop/s{s}");
            federation = federation.service(&id, &key, &[80]).endpoints(&id, &key, &[&format!("10.{n}.0.1")]);
        }
    }
    federation
}

fn work_of(engine: &mut Engine, batch: Batch) -> Stats {
    let before = engine.stats();
    engine.apply([batch], make::at(9));
    let after = engine.stats();
    Stats {
        batches: after.batches - before.batches,
        merged: after.merged - before.merged,
        merged_unchanged: after.merged_unchanged - before.merged_unchanged,
        planned: after.planned - before.planned,
        judged: after.judged - before.judged,
        reported: after.reported - before.reported,
    }
}

fn slice(endpoints: &[&str]) -> Batch {
    let slice = make::slice("shop/s3", "s3-1", "p80:8080", endpoints);
    from_member("c1", 1, MemberChanges::Slices(Delta::put(slice)))
}

#[test]
fn one_endpoint_merges_one_service_and_plans_nothing() {
    for services in [10, 100, 1_000] {
        let mut engine = federation(services).engine(make::at(1));
        assert_eq!(engine.merged().len(), services);
        let one = Stats { batches: 1, merged: 1, ..Stats::default() };
        // One more endpoint: one member's count changes, so one report is written.
        let more = work_of(&mut engine, slice(&["10.1.0.1", "10.1.0.2"]));
        assert_eq!(more, Stats { reported: 1, ..one }, "{services} services");
        // A flip of its health: no member's count changes.
        assert_eq!(work_of(&mut engine, slice(&["10.1.0.1", "10.1.0.2!"])), one, "{services} services");
        // Nothing at all.
        let none = Stats { batches: 1, ..Stats::default() };
        assert_eq!(work_of(&mut engine, slice(&["10.1.0.1", "10.1.0.2!"])), none, "{services} services");
    }
}

#[test]
fn a_change_that_makes_no_difference_stops_after_the_merge() {
    let mut engine = federation(10).engine(make::at(1));
    let mut service = make::service("shop/s3", "p80:80", "10.96.0.10");
    service.resource_version = "2".into();
    service.labels = make::labels("note=1");
    let found = work_of(&mut engine, from_member("c1", 1, MemberChanges::Services(Delta::put(service))));
    let expected = Stats { batches: 1, merged: 1, merged_unchanged: 1, planned: 1, judged: 0, reported: 1 };
    assert_eq!(found, expected);
}

#[test]
fn a_drain_a_weight_or_an_admission_on_record_merges_nothing() {
    let federation = federation(50);
    let mut engine = federation.engine(make::at(1));
    let mut member = federation.members[1].clone();
    for (traffic, weight) in [(Traffic::Drained, None), (Traffic::Active, Some(5))] {
        (member.traffic, member.weight) = (traffic, weight);
        member.recorded = engine.reports()[&member.id].admitted.clone();
        let put = Batch::Hub(HubChanges::Members(Delta::put(member.clone())));
        let found = work_of(&mut engine, put);
        assert_eq!((found.merged, found.planned, found.judged), (0, 0, 1));
        assert_eq!(engine.topology().members[&member.id].traffic, traffic);
    }
}

#[test]
fn a_change_of_a_policys_ranking_merges_nothing() {
    let mut engine = federation(50).engine(make::at(1));
    let rank = |policy: &mut Policy, weight, tiers: &[Tier]| {
        let clusters = vec![ClusterWeight { cluster: make::cluster("c1"), weight }];
        policy.failover = Failover { tiers: tiers.to_vec(), clusters };
    };
    let mut policy = make::policy("default", Federate::All);
    for (weight, tiers) in [(3, [Tier::Zone, Tier::Any]), (4, [Tier::Zone, Tier::Any]), (4, [Tier::Region, Tier::Any])]
    {
        rank(&mut policy, weight, &tiers);
        let put = || Batch::Hub(HubChanges::Policies(Delta::put(policy.clone())));
        let before = engine.stats();
        let effects = engine.apply([put()], make::at(2));
        assert_eq!((engine.stats().merged, engine.stats().planned), (before.merged, before.planned));
        assert!(effects.services.is_empty() && effects.vips.is_empty() && effects.mirrors.is_empty());
        assert_eq!(effects.rankings.len(), 50);
        let rule = RankingRule { policy: policy.name.clone(), failover: policy.failover.clone() };
        assert!(effects.rankings.iter().all(|(_, found)| found.as_deref() == Some(&rule)));
        assert!(engine.apply([put()], make::at(2)).rankings.is_empty(), "it did not change");
    }

    // Of another policy, only the services that it selects.
    let mut gold = make::policy("gold", Federate::All);
    gold.services = make::selector("tier=gold");
    let mut service = make::service("shop/s3", "p80:80", "10.96.0.10");
    service.labels = make::labels("tier=gold");
    engine.apply([Batch::Hub(HubChanges::Policies(Delta::put(gold.clone())))], make::at(3));
    for cluster in ["c0", "c1", "c2", "c3"] {
        engine.apply([from_member(cluster, 1, MemberChanges::Services(Delta::put(service.clone())))], make::at(4));
    }
    rank(&mut gold, 9, &[Tier::Any]);
    let merged = engine.stats().merged;
    let effects = engine.apply([Batch::Hub(HubChanges::Policies(Delta::put(gold)))], make::at(5));
    let names: Vec<String> = effects.rankings.iter().map(|(key, _)| key.to_string()).collect();
    assert_eq!((engine.stats().merged, names), (merged, vec!["shop/s3".to_owned()]));
}

#[test]
fn touches_of_one_key_in_a_round_are_one_piece_of_work() {
    let mut engine = federation(10).engine(make::at(1));
    let before = engine.stats();
    engine.apply((2..50).map(|n| slice(&["10.1.0.1", &format!("10.1.0.{n}")])), make::at(2));
    assert_eq!(engine.stats().merged - before.merged, 1);
    assert_eq!(engine.stats().batches - before.batches, 48);
}
