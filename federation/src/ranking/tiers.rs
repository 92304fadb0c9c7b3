//! Tiers: from the client's own zone to the farthest region.
//!
//! Rule: same zone → same region → regions in the client region's failover order → all others by name, compacted so that
//! priorities have no gaps (Envoy and gRPC both demand contiguous priorities; gRPC rejects gaps, gRFC A56).

use std::collections::BTreeMap;

use super::{Assignment, ClientClass, Locality, Nearness, RankReason, Reach, WeightReason};
use crate::effects::{Place, Topology};
use crate::model::{Backend, ClusterId, Merged, MergedPort, RankingRule, RegionId, Tier, Traffic};

/// Weight of a cluster that declares none while another one in the tier does.
const DEFAULT_WEIGHT: u32 = 100;
/// Locality weights are relative; this many steps are enough to express a cluster's share over its zones.
const WEIGHT_SCALE: u64 = 1_000;

/// The order of backends before compaction: lower is nearer. Drained members come after everything else.
type Rank = (bool, usize, Nearness);

/// A backend that the class is offered, where its member is, and why it is in its tier.
struct Ranked<'a> {
    backend: &'a Backend,
    place: &'a Place,
    nearness: Nearness,
}

/// Ranks the endpoints of one port for one class of clients. `rule`: of the service, see [`crate::Engine::rankings`]. O(hosts);
/// no host is copied.
pub fn assign<'a>(
    class: &ClientClass,
    service: &'a Merged,
    port: &'a MergedPort,
    rule: &RankingRule,
    topology: &'a Topology,
) -> Assignment<'a> {
    let order = RegionOrder::new(class, topology);
    let reach = Reach::new(class.families, service);
    let mut by_rank: BTreeMap<Rank, Vec<Ranked<'a>>> = BTreeMap::new();
    let backends: &'a [Backend] = &port.backends;
    for backend in backends {
        // A member that is not in the topology is not, or no longer, admitted: no client is offered it.
        let Some(place) = topology.members.get(&backend.cluster) else { continue };
        if place.network != class.network || reach.offers(backend).next().is_none() {
            continue; // its pod IPs cannot be reached from there
        }
        let Some((tier, nearness)) = nearest_tier(class, &rule.failover.tiers, backend, place, &order) else {
            continue;
        };
        let rank = (place.traffic == Traffic::Drained, tier, nearness);
        by_rank.entry(rank).or_default().push(Ranked { backend, place, nearness });
    }
    let weighted = is_weighted(port, rule, topology);
    // Hosts that terminate take new requests only where no host of any of the client's tiers is ready, drained members
    // included: while one is, that tier takes the traffic (kube-proxy does the same with all endpoints of a cluster).
    let reach = reach.as_last_resort(!by_rank.values().flatten().any(|ranked| reach.is_served(ranked.backend)));
    let tiers = by_rank.into_values().map(|members| tier_localities(rule, &members, weighted, reach)).collect();
    Assignment { tiers, weighted, reach }
}

/// Whether any cluster that backs the port carries a declared weight: see [`Assignment::weighted`]. It does not depend on the
/// client, so that all clients can share the cluster that belongs to the assignment.
pub fn is_weighted(port: &MergedPort, rule: &RankingRule, topology: &Topology) -> bool {
    port.backends.iter().any(|backend| {
        let place = topology.members.get(&backend.cluster);
        place.is_some_and(|place| rule.weight(&backend.cluster).or(place.weight).is_some())
    })
}

/// The first of the service's tiers that takes this backend, and how.
fn nearest_tier(
    class: &ClientClass,
    tiers: &[Tier],
    backend: &Backend,
    place: &Place,
    order: &RegionOrder,
) -> Option<(usize, Nearness)> {
    let same_region = place.region == class.region;
    tiers.iter().enumerate().find_map(|(index, tier)| {
        let nearness = match tier {
            Tier::Cluster => (class.cluster.as_ref() == Some(&backend.cluster)).then_some(Nearness::OwnCluster),
            Tier::Zone => {
                (same_region && class.zone.is_some() && backend.zone == class.zone).then_some(Nearness::OwnZone)
            }
            Tier::Region => same_region.then_some(Nearness::OwnRegion),
            Tier::Ordered => order.listed(place).map(Nearness::ListedRegion),
            Tier::Any => order.any(place).map(Nearness::OtherRegion),
        };
        nearness.map(|nearness| (index, nearness))
    })
}

/// All regions, as the client's region orders them.
struct RegionOrder<'a> {
    listed: Vec<&'a str>,
    all_by_name: Vec<&'a str>,
}

impl<'a> RegionOrder<'a> {
    fn new(class: &ClientClass, topology: &'a Topology) -> Self {
        let listed = topology
            .regions
            .get(&class.region)
            .map(|list| list.iter().map(RegionId::as_str).collect())
            .unwrap_or_default();
        let mut all_by_name: Vec<&str> = topology.members.values().map(|place| place.region.as_str()).collect();
        all_by_name.sort_unstable();
        all_by_name.dedup();
        Self { listed, all_by_name }
    }

    fn listed(&self, place: &Place) -> Option<usize> {
        self.listed.iter().position(|region| *region == place.region.as_str())
    }

    fn any(&self, place: &Place) -> Option<usize> {
        self.all_by_name.iter().position(|region| *region == place.region.as_str())
    }
}

fn weight_reason(rule: &RankingRule, ranked: &Ranked<'_>, weighted: bool) -> WeightReason {
    if !weighted {
        return WeightReason::Capacity;
    }
    match (rule.weight(&ranked.backend.cluster), ranked.place.weight) {
        (Some(weight), _) => WeightReason::Policy(weight),
        (None, Some(weight)) => WeightReason::Member(weight),
        (None, None) => WeightReason::Default(DEFAULT_WEIGHT),
    }
}

fn tier_localities<'a>(rule: &RankingRule, members: &[Ranked<'a>], weighted: bool, reach: Reach) -> Vec<Locality<'a>> {
    let capacities: Vec<u64> = members.iter().map(|ranked| reach.capacity(ranked.backend)).collect();
    let mut per_cluster: BTreeMap<&ClusterId, u64> = BTreeMap::new();
    for (ranked, capacity) in members.iter().zip(&capacities) {
        *per_cluster.entry(&ranked.backend.cluster).or_default() += capacity;
    }
    let locality = |(ranked, capacity): (&Ranked<'a>, u64)| {
        let Ranked { backend, place, nearness } = *ranked;
        let of_cluster = per_cluster.get(&backend.cluster).copied().unwrap_or(1).max(1);
        // The added capacity makes the weight change whenever an endpoint starts or stops draining: Envoy rebuilds its host set
        // on a new locality weight, but not on UNHEALTHY <-> DRAINING alone.
        let share = |declared: u32| u64::from(declared) * WEIGHT_SCALE * capacity / of_cluster + capacity;
        let reason = weight_reason(rule, ranked, weighted);
        let weight = match reason {
            WeightReason::Capacity => capacity,
            WeightReason::Policy(declared) | WeightReason::Member(declared) | WeightReason::Default(declared) => {
                share(declared)
            }
        };
        let weight = u32::try_from(weight.max(1)).unwrap_or(u32::MAX);
        let reason = RankReason { nearness, drained: place.traffic == Traffic::Drained, weight: reason };
        Locality { region: &place.region, weight, reason, backend }
    };
    members.iter().zip(capacities).map(locality).collect()
}
