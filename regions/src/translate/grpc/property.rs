//! gRPC accepts the resources for every failover decision.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::config::endpoint::v3 as pb;
use federation::model::{Backend, Health, Host, RegionId, SecondAddresses};
use federation::ranking::{Assignment, Locality, RankReason};
use proptest::prelude::*;

use super::load_assignment;
use super::tests::{address_of, reach, read};
use crate::testing::{cluster_id, zone};

#[derive(Clone, Debug)]
struct Row {
    region: RegionId,
    weight: u32,
    backend: Backend,
}

/// Few names and few addresses, so that they meet.
fn row() -> impl Strategy<Value = Row> {
    let host = (0u8..12, 0u8..4).prop_map(|(last, health)| {
        let health = [Health::Ready, Health::Draining, Health::NotReady, Health::Ended][usize::from(health)];
        Host::new(([10, 8, 0, last], 80).into(), health)
    });
    let weight = prop_oneof![Just(1), 1..1_000u32, Just(u32::MAX)];
    let hosts = proptest::collection::vec(host, 0..6);
    (0..2u8, proptest::option::of(0..2u8), 0..2u8, weight, hosts).prop_map(|(r, z, c, weight, hosts)| Row {
        region: RegionId::new(&format!("r{r}")).expect("a region"),
        weight,
        backend: Backend {
            cluster: cluster_id(&format!("c{c}")),
            zone: z.map(|z| zone(&format!("z{z}"))),
            hosts: hosts.into(),
            second: SecondAddresses::default(),
        },
    })
}

fn tiers() -> impl Strategy<Value = Vec<Vec<Row>>> {
    proptest::collection::vec(proptest::collection::vec(row(), 0..5), 0..6)
}

proptest! {
    #[test]
    fn c52_grpc_accepts_every_load_assignment(rows in tiers(), weighted in any::<bool>(), last_resort in any::<bool>()) {
        let tiers = rows.iter().map(|tier| tier.iter().map(locality).collect()).collect();
        let reach = reach(last_resort);
        let load: pb::ClusterLoadAssignment = read(&load_assignment("x", &Assignment { tiers, weighted, reach }));

        let mut by_priority = BTreeMap::<u32, (BTreeSet<_>, u64)>::new();
        let mut addresses = BTreeSet::new();
        for group in &load.endpoints {
            prop_assert!(!group.lb_endpoints.is_empty());
            let weight = group.load_balancing_weight.map_or(0, |weight| weight.value);
            prop_assert!(weight >= 1);
            let (places, sum) = by_priority.entry(group.priority).or_default();
            let place = group.locality.clone().expect("a locality");
            prop_assert!(places.insert((place.region, place.zone, place.sub_zone)), "a locality twice in {load:?}");
            *sum += u64::from(weight);
            for host in &group.lb_endpoints {
                prop_assert_eq!(host.health_status, 0);
                prop_assert!(addresses.insert(address_of(host)), "{} twice", address_of(host));
            }
        }
        let priorities: Vec<u32> = by_priority.keys().copied().collect();
        prop_assert_eq!(priorities, (0..).take(by_priority.len()).collect::<Vec<u32>>());
        prop_assert!(by_priority.values().all(|(_, sum)| *sum <= u64::from(u32::MAX)));

        // No endpoint that serves is left out, and the first tier that has one comes first.
        let serves = |health: Health| health == Health::Ready || (last_resort && health == Health::Draining);
        let ready = |tier: &Vec<Row>| -> BTreeSet<String> {
            let hosts = tier.iter().flat_map(|row| &row.backend.hosts).filter(|host| serves(host.health));
            hosts.map(|host| host.address().to_string()).collect()
        };
        prop_assert_eq!(addresses, rows.iter().flat_map(ready).collect::<BTreeSet<_>>());
        let first = load.endpoints.iter().filter(|group| group.priority == 0).flat_map(|group| &group.lb_endpoints);
        let nearest = rows.iter().map(ready).find(|hosts| !hosts.is_empty()).unwrap_or_default();
        prop_assert_eq!(first.map(address_of).collect::<BTreeSet<_>>(), nearest);
    }
}

fn locality(row: &Row) -> Locality<'_> {
    let Row { region, weight, backend } = row;
    Locality { region, weight: *weight, reason: RankReason::UNRANKED, backend }
}
