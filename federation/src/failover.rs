//! Tiers: from the client's own zone to the far side of the world.
//!
//! Rule: same zone → same region → regions in the client region's failover order → all others by name, compacted so that
//! priorities have no gaps (Envoy and gRPC both demand contiguous priorities; gRPC rejects gaps, gRFC A56).

use std::collections::BTreeMap;

use crate::effects::{Place, Topology};
use crate::model::{Backend, ClusterId, Merged, MergedPort, RegionId, Tier, Traffic};
use crate::view::{Assignment, ClientClass, Locality, Reach};

/// Weight of a cluster that declares none while another one in the tier does.
const DEFAULT_WEIGHT: u64 = 100;
/// Locality weights are relative; this many steps are enough to express a cluster's share over its zones.
const WEIGHT_SCALE: u64 = 1_000;

/// Where a backend stands before compaction: lower is nearer. Drained members come after everything else.
type Rank = (bool, usize, usize);

pub(crate) fn assign<'a>(
    class: &ClientClass,
    service: &'a Merged,
    port: &'a MergedPort,
    topology: &'a Topology,
) -> Assignment<'a> {
    let order = RegionOrder::new(class, topology);
    let reach = Reach::new(class.families, service);
    let mut by_rank: BTreeMap<Rank, Vec<(&Backend, &'a Place)>> = BTreeMap::new();
    let backends: &'a [Backend] = &port.backends;
    for backend in backends {
        // A member that is not in the topology is not admitted (any more): offered to nobody.
        let Some(place) = topology.members.get(&backend.cluster) else { continue };
        if place.network != class.network || reach.offers(backend).next().is_none() {
            continue; // its pod IPs cannot be reached from here
        }
        let Some((tier, within)) = nearest_tier(class, &service.failover.tiers, backend, place, &order) else {
            continue;
        };
        by_rank.entry((place.traffic == Traffic::Drained, tier, within)).or_default().push((backend, place));
    }
    let weighted = is_weighted(service, port, topology);
    // Hosts that terminate take new requests only where no host of any of the client's tiers is ready, drained members
    // included: while one is, that tier takes the traffic (kube-proxy does the same with all endpoints of a cluster).
    let reach = reach.as_last_resort(!by_rank.values().flatten().any(|(backend, _)| reach.is_served(backend)));
    let tiers = by_rank.into_values().map(|members| tier_localities(service, &members, weighted, reach)).collect();
    Assignment { tiers, weighted, reach }
}

/// Whether any cluster that backs the port carries a declared weight. It does not depend on who asks, so that all
/// clients can share the cluster that goes with the assignment.
pub(crate) fn is_weighted(service: &Merged, port: &MergedPort, topology: &Topology) -> bool {
    port.backends.iter().any(|backend| {
        let place = topology.members.get(&backend.cluster);
        place.is_some_and(|place| declared_weight(service, backend, place).is_some())
    })
}

/// The first of the service's tiers that takes this backend, and its place inside that tier.
fn nearest_tier(
    class: &ClientClass,
    tiers: &[Tier],
    backend: &Backend,
    place: &Place,
    order: &RegionOrder,
) -> Option<(usize, usize)> {
    let same_region = place.region == class.region;
    tiers.iter().enumerate().find_map(|(index, tier)| {
        let within = match tier {
            Tier::Cluster => (class.cluster.as_ref() == Some(&backend.cluster)).then_some(0),
            Tier::Zone => (same_region && class.zone.is_some() && backend.zone == class.zone).then_some(0),
            Tier::Region => same_region.then_some(0),
            Tier::Ordered => order.listed(place),
            Tier::Any => order.any(place),
        };
        within.map(|within| (index, within))
    })
}

/// The client region's view of all other regions.
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

fn declared_weight(service: &Merged, backend: &Backend, place: &Place) -> Option<u32> {
    let by_policy = service.failover.clusters.iter().find(|w| w.cluster == backend.cluster).map(|w| w.weight);
    by_policy.or(place.weight)
}

fn tier_localities<'a>(
    service: &Merged,
    members: &[(&'a Backend, &'a Place)],
    weighted: bool,
    reach: Reach,
) -> Vec<Locality<'a>> {
    let capacities: Vec<u64> = members.iter().map(|(backend, _)| reach.capacity(backend)).collect();
    let mut per_cluster: BTreeMap<&ClusterId, u64> = BTreeMap::new();
    for ((backend, _), capacity) in members.iter().zip(&capacities) {
        *per_cluster.entry(&backend.cluster).or_default() += capacity;
    }
    members
        .iter()
        .zip(capacities)
        .map(|((backend, place), capacity)| {
            let weight = if weighted {
                let share = declared_weight(service, backend, place).map_or(DEFAULT_WEIGHT, u64::from) * WEIGHT_SCALE;
                // The added capacity makes the weight move whenever an endpoint starts or stops draining: Envoy rebuilds
                // its host set on a new locality weight, but not on UNHEALTHY <-> DRAINING alone.
                share * capacity / per_cluster.get(&backend.cluster).copied().unwrap_or(1).max(1) + capacity
            } else {
                capacity
            };
            Locality { region: &place.region, weight: u32::try_from(weight.max(1)).unwrap_or(u32::MAX), backend }
        })
        .collect()
}
