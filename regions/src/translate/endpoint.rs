//! Load assignments: the endpoints of a port, nearest first.

use std::net::{IpAddr, SocketAddr};

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as pb;
use envoy_types::pb::envoy::config::endpoint::v3::cluster_load_assignment::Policy;
use envoy_types::pb::envoy::config::endpoint::v3::endpoint::AdditionalAddress;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use federation::ranking::{Assignment, HostState, Locality, Offer, Reach};

use super::proto::{address, u32_value};
use crate::resource::{Resource, ResourceType};

/// Traffic starts to spill to the next priority below 100/1.4 = 71.4 % healthy hosts. Envoy's default, set explicitly.
pub(super) const OVERPROVISIONING_PERCENT: u32 = 140;

/// The load assignment of this name. One without endpoints is sent too: Envoy holds a cluster back until it has one.
pub fn load_assignment(name: &str, assignment: &Assignment<'_>) -> Resource {
    let endpoints = (0u32..)
        .zip(&assignment.tiers)
        .flat_map(|(priority, tier)| tier.iter().map(move |locality| (priority, locality)))
        .map(|(priority, locality)| localities(priority, locality, assignment))
        .collect();
    Resource::encode(ResourceType::Assignment, name, &message(name, endpoints)).usable(has_ready(assignment))
}

/// Whether any host can answer.
pub(super) fn has_ready(assignment: &Assignment<'_>) -> bool {
    assignment.tiers.iter().flatten().any(|locality| assignment.reach.is_served(locality.backend))
}

pub(super) fn message(name: &str, endpoints: Vec<pb::LocalityLbEndpoints>) -> pb::ClusterLoadAssignment {
    pb::ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints,
        policy: Some(Policy { overprovisioning_factor: u32_value(OVERPROVISIONING_PERCENT), ..Policy::default() }),
        ..pb::ClusterLoadAssignment::default()
    }
}

fn localities(priority: u32, locality: &Locality<'_>, assignment: &Assignment<'_>) -> pb::LocalityLbEndpoints {
    let Assignment { weighted, reach, .. } = *assignment;
    pb::LocalityLbEndpoints {
        locality: Some(self::locality(locality)),
        lb_endpoints: reach.offers(locality.backend).map(|offer| endpoint(&offer)).collect(),
        load_balancing_weight: u32_value(if weighted { locality.weight } else { rebuild_mark(locality, reach) }),
        priority,
        ..pb::LocalityLbEndpoints::default()
    }
}

/// Clusters of one zone stay apart, as sub-zones: statistics and weights are per cluster.
pub(super) fn locality(locality: &Locality<'_>) -> core::Locality {
    core::Locality {
        region: locality.region.to_string(),
        zone: locality.zone().map(ToString::to_string).unwrap_or_default(),
        sub_zone: locality.cluster().to_string(),
    }
}

/// Envoy 1.40 does not notice a host that goes from UNHEALTHY to DRAINING or back: its host sets, and with them the
/// spill to other priorities, stay as they were. A locality weight that changes makes it build them again. Where weights
/// do not steer traffic, the weight is therefore the number of hosts that do not drain, plus one because 0 is not
/// allowed. Declared weights change the same way by themselves, see `federation::ranking`.
fn rebuild_mark(locality: &Locality<'_>, reach: Reach) -> u32 {
    u32::try_from(reach.capacity(locality.backend)).unwrap_or(u32::MAX - 1).saturating_add(1)
}

pub(super) fn endpoint(offer: &Offer) -> pb::LbEndpoint {
    let health = match offer.state {
        HostState::Serving => core::HealthStatus::Healthy,
        HostState::Draining => core::HealthStatus::Draining,
        HostState::Lost => core::HealthStatus::Unhealthy,
    };
    pb::LbEndpoint {
        health_status: health.into(),
        host_identifier: Some(HostIdentifier::Endpoint(pb::Endpoint {
            address: Some(address(offer.address)),
            additional_addresses: offer.second.map(|second| also(offer, second)).into_iter().collect(),
            ..pb::Endpoint::default()
        })),
        ..pb::LbEndpoint::default()
    }
}

/// The host's address of the other family: Envoy tries both, the first one first (RFC 8305, "happy eyeballs"). It stays one
/// host, known by its first address.
fn also(offer: &Offer, second: IpAddr) -> AdditionalAddress {
    AdditionalAddress { address: Some(address(SocketAddr::new(second, offer.address.port()))) }
}
