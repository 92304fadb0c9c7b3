use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::super::world::{Cluster, DemoFederation};
use super::*;

/// The worlds after each event.
fn worlds() -> Vec<DemoFederation> {
    let mut world = world();
    events()
        .iter()
        .map(|event| {
            world = world.after(&event.change);
            world.clone()
        })
        .collect()
}

fn range(text: &str) -> Ipv4Net {
    text.parse().unwrap_or_default()
}

#[test]
fn only_those_who_must_move_are_concerned() {
    let concerned: Vec<(&str, Vec<&str>)> = events()
        .iter()
        .map(|e| (e.name, e.goals.iter().filter(|goal| goal.concerned()).map(|goal| goal.region).collect()))
        .collect();
    let expected: [(&str, Vec<&str>); 7] = [
        ("start", vec![]),
        ("podLost", vec!["eu"]),
        // The other zones had a share before, so no place is new; but all clients must leave eu-a.
        ("zoneLost", vec!["eu"]),
        ("regionLost", vec!["eu"]),
        ("allBack", vec!["eu"]),
        ("clashRefused", vec![]),
        ("clusterJoined", vec!["us"]),
    ];
    assert_eq!(concerned, expected);
}

#[test]
fn goals_name_only_pods_that_run() {
    for (event, world) in events().iter().zip(worlds()) {
        for share in event.goals.iter().flat_map(|goal| &goal.shares) {
            let runs = world.live().any(|(cluster, pod)| {
                pod.service == SERVICE && cluster.id == share.spot.cluster && pod.zone == share.spot.zone
            });
            assert!(runs, "{}: no Pod runs in {}", event.name, share.spot);
        }
    }
}

#[test]
fn the_windows_fill_the_time_and_leave_enough_to_judge_by() {
    let events = events();
    let windows = windows(&events, Duration::from_secs(20));
    let all: Duration = windows.iter().sum();
    assert!(all <= Duration::from_secs(20) && all > Duration::from_secs(19), "{all:?}");
    assert!(windows.iter().all(|window| *window >= Duration::from_secs(2)), "{windows:?}");
}

#[test]
fn every_address_is_loopback_its_own_and_inside_its_clusters_range() {
    let mut seen: BTreeSet<Ipv4Addr> = BTreeSet::new();
    let mut clusters: Vec<Cluster> = world().clusters;
    clusters.extend([cast::newcomer(), cast::clashing_newcomer()]);
    for cluster in &clusters {
        for pod in &cluster.pods {
            assert!(pod.ip.is_loopback() && range(cluster.pod_cidr).contains(&pod.ip), "{} {}", cluster.id, pod.ip);
            assert!(seen.insert(pod.ip), "{} twice", pod.ip);
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>().len(), every_pod().len());
}

#[test]
fn one_newcomer_clashes_with_eu_1_and_the_other_with_none() {
    let overlap = |a: &str, b: &str| range(a).contains(&range(b)) || range(b).contains(&range(a));
    let clashes = |new: &Cluster| {
        let ranges = |cluster: &Cluster| [cluster.pod_cidr, cluster.service_cidr];
        let hit = |old: &Cluster| ranges(old).iter().any(|mine| ranges(new).iter().any(|its| overlap(mine, its)));
        world().clusters.iter().filter(|old| hit(old)).map(|old| old.id).collect::<Vec<_>>()
    };
    assert_eq!(clashes(&cast::clashing_newcomer()), ["eu-1"]);
    assert_eq!(clashes(&cast::newcomer()), Vec::<&str>::new());
    // The federation itself is clean, and the newcomer is the youngest: it is the one to be refused.
    assert!(world().clusters.iter().all(|old| clashes(old) == [old.id] && old.created < cast::newcomer().created));
}

#[test]
fn what_is_shown_fits_a_hundred_columns() {
    for event in events() {
        // Nine columns come before it.
        assert!(event.title.chars().count() <= 91 && event.detail.chars().count() <= 91, "{}", event.name);
        assert!(event.label.chars().count() <= 26, "{}", event.label);
    }
}
