//! The show as data: who is there at first, what happens when, and who should be served by whom after each event.

mod cast;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

pub use cast::{REMOTE_SERVICE, SERVICE, every_pod, world};

use super::world::{Change, Pick, Spot};

/// One line of the timetable.
#[derive(Clone, Debug)]
pub struct Event {
    /// Stable name, for programs.
    pub name: &'static str,
    /// What the result table calls it.
    pub label: &'static str,
    /// What is shown when it happens.
    pub title: &'static str,
    pub detail: &'static str,
    /// Its share of the time.
    pub parts: u32,
    pub change: Change,
    /// What every control plane must come to say about a cluster.
    pub ask: Option<Ask>,
    /// Who serves the clients of each region afterwards.
    pub goals: Vec<Goal>,
}

/// Who should serve one region's clients once an event has settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    pub region: &'static str,
    pub shares: Vec<Share>,
    /// The places that take over: those that did not serve this region before, or, where all of them had a share before,
    /// all of them. Empty: nothing changes for these clients.
    pub fresh: BTreeSet<Spot>,
}

impl Goal {
    fn fresh_after(&self, earlier: &Self) -> BTreeSet<Spot> {
        if self.shares == earlier.shares {
            return BTreeSet::new();
        }
        let all = || self.shares.iter().map(|share| share.spot.clone());
        let fresh: BTreeSet<Spot> = all().filter(|spot| !earlier.is_right(spot)).collect();
        if fresh.is_empty() { all().collect() } else { fresh }
    }

    /// True if these clients have to move.
    pub fn concerned(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// True if answers from there are as they should be.
    pub fn is_right(&self, spot: &Spot) -> bool {
        self.shares.iter().any(|share| share.spot == *spot)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub spot: Spot,
    /// Of the region's requests, in percent.
    pub percent: RangeInclusive<u8>,
}

/// A verdict about a cluster that asks to join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    Refused { cluster: &'static str, reason: &'static str },
    Admitted { cluster: &'static str },
}

const ALL: RangeInclusive<u8> = 100..=100;
/// Two places that share evenly; round robin over few hosts and connections is not exact.
const HALF: RangeInclusive<u8> = 30..=70;

/// The whole show. Who is concerned by an event follows from the goals of the one before it.
pub fn events() -> Vec<Event> {
    let mut events =
        vec![start(), pod_lost(), zone_lost(), region_lost(), all_back(), clash_refused(), cluster_joined()];
    let mut before: Option<Vec<Goal>> = None;
    for event in &mut events {
        for goal in &mut event.goals {
            // At the start no client has been served yet, and none moves.
            let earlier = before.iter().flatten().find(|earlier| earlier.region == goal.region);
            goal.fresh = earlier.map(|earlier| goal.fresh_after(earlier)).unwrap_or_default();
        }
        before = Some(event.goals.clone());
    }
    events
}

/// How long each event is given, when all of them together take `length`.
pub fn windows(events: &[Event], length: Duration) -> Vec<Duration> {
    let all = events.iter().map(|event| event.parts).sum::<u32>().max(1);
    events.iter().map(|event| length * event.parts / all).collect()
}

fn start() -> Event {
    Event {
        name: "start",
        label: "everyone at home",
        title: "Everyone is served at home",
        detail: "each proxy uses the pods of its own zone",
        parts: 3,
        change: Change::Nothing,
        ask: None,
        goals: at_home(&[("eu-1/eu-a", ALL)]),
    }
}

fn pod_lost() -> Event {
    Event {
        name: "podLost",
        label: "a pod lost",
        title: "A pod is lost: one of the two in eu-1's zone eu-a",
        detail: "half a zone carries 70% of its load (Envoy counts health × 1.4); 30% go to the next zone",
        parts: 4,
        change: Change::Lose(Pick { cluster: Some("eu-1"), pod: Some("web-a-2"), ..Pick::default() }),
        ask: None,
        goals: at_home(&[("eu-1/eu-a", 55..=85), ("eu-1/eu-b", 3..=30), ("eu-2/eu-c", 3..=30)]),
    }
}

fn zone_lost() -> Event {
    Event {
        name: "zoneLost",
        label: "a zone lost",
        title: "A zone is lost: all of eu-a",
        detail: "the other zones of eu take over, in eu-1 and in eu-2",
        parts: 4,
        change: Change::Lose(Pick { zone: Some("eu-a"), ..Pick::default() }),
        ask: None,
        goals: at_home(&[("eu-1/eu-b", HALF), ("eu-2/eu-c", HALF)]),
    }
}

fn region_lost() -> Event {
    Event {
        name: "regionLost",
        label: "a region lost",
        title: "A region is lost: every pod of eu",
        detail: "eu's failover list says us first, then ap",
        parts: 5,
        change: Change::Lose(Pick { region: Some("eu"), ..Pick::default() }),
        ask: None,
        goals: at_home(&[("us-1/us-a", ALL)]),
    }
}

fn all_back() -> Event {
    Event {
        name: "allBack",
        label: "everything back",
        title: "Everything comes back",
        detail: "eu's clients return to their own zone",
        parts: 4,
        change: Change::Restore,
        ask: None,
        goals: at_home(&[("eu-1/eu-a", ALL)]),
    }
}

fn clash_refused() -> Event {
    Event {
        name: "clashRefused",
        label: "a clashing cluster refused",
        title: "us-2 asks to join, with pod addresses that belong to eu-1",
        detail: "",
        parts: 3,
        change: Change::Join(cast::clashing_newcomer()),
        ask: Some(Ask::Refused { cluster: "us-2", reason: "CIDROverlap" }),
        goals: at_home(&[("eu-1/eu-a", ALL)]),
    }
}

fn cluster_joined() -> Event {
    let mut goals = at_home(&[("eu-1/eu-a", ALL)]);
    if let Some(us) = goals.iter_mut().find(|goal| goal.region == "us") {
        us.shares = shares(&[("us-1/us-a", HALF), ("us-2/us-a", HALF)]);
    }
    Event {
        name: "clusterJoined",
        label: "a new cluster joined",
        title: "us-2 asks again, with addresses of its own",
        detail: "its pods in us-a share the load with those of us-1",
        parts: 4,
        change: Change::Join(cast::newcomer()),
        ask: Some(Ask::Admitted { cluster: "us-2" }),
        goals,
    }
}

/// us and ap at home, eu as given.
fn at_home(eu: &[(&str, RangeInclusive<u8>)]) -> Vec<Goal> {
    let goal = |region, places: &[_]| Goal { region, shares: shares(places), fresh: BTreeSet::new() };
    vec![goal("eu", eu), goal("us", &[("us-1/us-a", ALL)]), goal("ap", &[("ap-1/ap-a", ALL)])]
}

/// Places written `cluster/zone`; a cluster's name starts with its region's.
fn shares(places: &[(&str, RangeInclusive<u8>)]) -> Vec<Share> {
    let share = |(place, percent): &(&str, RangeInclusive<u8>)| {
        let (cluster, zone) = place.split_once('/').unwrap_or((place, ""));
        let region = cluster.split('-').next().unwrap_or_default();
        Share { spot: Spot::new(region, cluster, zone), percent: percent.clone() }
    };
    places.iter().map(share).collect()
}
