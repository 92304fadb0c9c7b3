//! Load assignments: who serves a port, nearest first.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as pb;
use envoy_types::pb::envoy::config::endpoint::v3::cluster_load_assignment::Policy;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use federation::model::{Health, Host};
use federation::view::{Assignment, Locality};

use super::proto::{address, u32_value};
use crate::resource::{Resource, ResourceType};

/// Traffic starts to spill to the next priority below 100/1.4 = 71.4 % healthy hosts. Envoy's default, said aloud.
pub(super) const OVERPROVISIONING_PERCENT: u32 = 140;

/// The load assignment called `name`. One without endpoints is sent too: Envoy holds a cluster back until it has one.
pub fn load_assignment(name: &str, assignment: &Assignment<'_>) -> Resource {
    let endpoints = (0u32..)
        .zip(&assignment.tiers)
        .flat_map(|(priority, tier)| tier.iter().map(move |locality| (priority, locality)))
        .map(|(priority, locality)| localities(priority, locality, assignment.weighted))
        .collect();
    Resource::encode(ResourceType::Assignment, name, &message(name, endpoints)).usable(has_ready(assignment))
}

/// Whether anybody can answer.
pub(super) fn has_ready(assignment: &Assignment<'_>) -> bool {
    let hosts = assignment.tiers.iter().flatten().flat_map(|locality| locality.hosts);
    hosts.into_iter().any(|host| host.health == Health::Ready)
}

pub(super) fn message(name: &str, endpoints: Vec<pb::LocalityLbEndpoints>) -> pb::ClusterLoadAssignment {
    pb::ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints,
        policy: Some(Policy { overprovisioning_factor: u32_value(OVERPROVISIONING_PERCENT), ..Policy::default() }),
        ..pb::ClusterLoadAssignment::default()
    }
}

fn localities(priority: u32, locality: &Locality<'_>, weighted: bool) -> pb::LocalityLbEndpoints {
    pb::LocalityLbEndpoints {
        locality: Some(core::Locality {
            region: locality.region.to_string(),
            zone: locality.zone.map(ToString::to_string).unwrap_or_default(),
            // Clusters of one zone stay apart: statistics and weights are per cluster.
            sub_zone: locality.cluster.to_string(),
        }),
        lb_endpoints: locality.hosts.iter().map(endpoint).collect(),
        load_balancing_weight: u32_value(if weighted { locality.weight } else { rebuild_mark(locality) }),
        priority,
        ..pb::LocalityLbEndpoints::default()
    }
}

/// Envoy 1.40 does not notice a host that goes from UNHEALTHY to DRAINING or back: its host sets, and with them the
/// spill to other priorities, stay as they were. A locality weight that moves makes it build them anew. Where weights
/// do not steer traffic, the weight is therefore the number of hosts that do not drain, plus one because 0 is not
/// allowed. Declared weights move the same way by themselves, see `federation::view`.
fn rebuild_mark(locality: &Locality<'_>) -> u32 {
    let counted = locality.hosts.iter().filter(|host| host.health != Health::Draining).count();
    u32::try_from(counted).unwrap_or(u32::MAX - 1).saturating_add(1)
}

pub(super) fn endpoint(host: &Host) -> pb::LbEndpoint {
    let health = match host.health {
        Health::Ready => core::HealthStatus::Healthy,
        Health::Draining => core::HealthStatus::Draining,
        Health::NotReady => core::HealthStatus::Unhealthy,
    };
    pb::LbEndpoint {
        health_status: health.into(),
        host_identifier: Some(HostIdentifier::Endpoint(pb::Endpoint {
            address: Some(address(host.address())),
            ..pb::Endpoint::default()
        })),
        ..pb::LbEndpoint::default()
    }
}
