//! Load assignments that gRPC accepts: it rejects the whole message for a gap between priorities, for an address or a
//! locality that comes twice and for weights that overflow, and it passes over localities without a weight.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as pb;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use federation::model::{ClusterId, RegionId, Zone};
use federation::ranking::{Assignment, HostState, Locality};

use crate::resource::{Resource, ResourceType};
use crate::translate::endpoint::{OVERPROVISIONING_PERCENT, has_ready};
use crate::translate::proto::{address, u32_value};

/// The load assignment of this name: serving hosts only, in tiers that have some. gRPC has no spill-over: it stays with
/// a tier while one host of it can be reached, so there must be no tier without serving hosts.
pub fn load_assignment(name: &str, assignment: &Assignment<'_>) -> Resource {
    let mut seen = HashSet::new();
    let tiers = assignment.tiers.iter().map(|tier| groups(tier, assignment, &mut seen));
    let endpoints = (0u32..)
        .zip(tiers.filter(|groups| !groups.is_empty()))
        .flat_map(|(priority, groups)| {
            let scale = Scale::of(&groups);
            groups.into_iter().map(move |(place, group)| encode(priority, place, &group, &scale))
        })
        .collect();
    let message =
        pb::ClusterLoadAssignment { cluster_name: name.to_owned(), endpoints, ..pb::ClusterLoadAssignment::default() };
    Resource::encode(ResourceType::Assignment, name, &message).usable(has_ready(assignment))
}

/// Region, zone and, as sub-zone, member cluster: what makes a locality for gRPC.
type Place<'a> = (&'a RegionId, Option<&'a Zone>, &'a ClusterId);

#[derive(Default)]
struct Group {
    weight: u64,
    hosts: Vec<SocketAddr>,
}

/// The localities of a tier that have serving hosts. An address that two members offer, such as a database outside of
/// both, belongs to whichever comes first.
fn groups<'a>(
    tier: &[Locality<'a>],
    assignment: &Assignment<'_>,
    seen: &mut HashSet<SocketAddr>,
) -> BTreeMap<Place<'a>, Group> {
    let mut groups = BTreeMap::<Place<'a>, Group>::new();
    for locality in tier {
        let serving = assignment.reach.offers(locality.backend).filter(|offer| offer.state == HostState::Serving);
        let hosts: Vec<SocketAddr> = serving.map(|offer| offer.address).filter(|host| seen.insert(*host)).collect();
        if hosts.is_empty() {
            continue;
        }
        let place = (locality.region, locality.backend.zone.as_ref(), &locality.backend.cluster);
        let group = groups.entry(place).or_default();
        group.weight += weight(locality, hosts.len() as u64, assignment);
        group.hosts.extend(hosts);
    }
    groups
}

/// Without declared weights each host gets the same share. With them, a locality that lost hosts gives up its share
/// below 71.4 % as in Envoy, which computes that by itself: weight · min(1, 1.4 · serving/all).
fn weight(locality: &Locality<'_>, serving: u64, assignment: &Assignment<'_>) -> u64 {
    let Assignment { weighted, reach, .. } = *assignment;
    if !weighted {
        return serving;
    }
    let all = reach.capacity(locality.backend);
    let percent = (u64::from(OVERPROVISIONING_PERCENT) * serving / all.max(1)).min(100);
    (u64::from(locality.weight) * percent / 100).max(1)
}

/// The weights of one tier must not add up to more than 32 bits hold (gRFC A27).
struct Scale {
    sum: u64,
    room: u64,
}

impl Scale {
    fn of(groups: &BTreeMap<Place<'_>, Group>) -> Self {
        let sum = groups.values().map(|group| group.weight).sum();
        // One is kept for each, because none may come out as 0.
        Self { sum, room: u64::from(u32::MAX).saturating_sub(groups.len() as u64) }
    }

    fn apply(&self, weight: u64) -> u32 {
        let scaled = if self.sum <= self.room {
            weight
        } else {
            u64::try_from(u128::from(weight) * u128::from(self.room) / u128::from(self.sum)).unwrap_or(self.room)
        };
        u32::try_from(scaled.max(1)).unwrap_or(u32::MAX)
    }
}

fn encode(priority: u32, (region, zone, cluster): Place<'_>, group: &Group, scale: &Scale) -> pb::LocalityLbEndpoints {
    pb::LocalityLbEndpoints {
        locality: Some(core::Locality {
            region: region.to_string(),
            zone: zone.map(ToString::to_string).unwrap_or_default(),
            sub_zone: cluster.to_string(),
        }),
        lb_endpoints: group.hosts.iter().map(|host| endpoint(*host)).collect(),
        load_balancing_weight: u32_value(scale.apply(group.weight)),
        priority,
        ..pb::LocalityLbEndpoints::default()
    }
}

/// No health status: only serving hosts get here, and "unknown" is usable.
fn endpoint(at: SocketAddr) -> pb::LbEndpoint {
    pb::LbEndpoint {
        host_identifier: Some(HostIdentifier::Endpoint(pb::Endpoint {
            address: Some(address(at)),
            ..pb::Endpoint::default()
        })),
        ..pb::LbEndpoint::default()
    }
}
