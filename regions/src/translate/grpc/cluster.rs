//! How a gRPC client balances over the backends of one port.

use envoy_types::pb::envoy::config::cluster::v3 as pb;
use envoy_types::pb::envoy::config::cluster::v3::circuit_breakers::Thresholds;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{
    ClusterDiscoveryType, DiscoveryType, EdsClusterConfig, LbPolicy,
};
use federation::model::ServiceKey;

use crate::resource::{Resource, ResourceType};
use crate::translate::names;
use crate::translate::proto::{ads, u32_value};

/// gRPC takes Envoy's default of 1,024 calls at once for its own (gRFC A32), and fails the next one.
const NO_LIMIT: u32 = u32::MAX;

/// The cluster of one port. Unlike Envoy's it is the same for every protocol, which is gRPC's own, and for declared
/// weights, because gRPC always goes by the weights of localities.
/// `by_source`: one channel stays with one host.
pub fn cluster(service: &ServiceKey, port: u16, by_source: bool) -> Resource {
    let name = names::outbound(port, service);
    let thresholds = Thresholds { max_requests: u32_value(NO_LIMIT), ..Thresholds::default() };
    let message = pb::Cluster {
        name: name.clone(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(EdsClusterConfig { eds_config: ads(), ..EdsClusterConfig::default() }),
        lb_policy: if by_source { LbPolicy::RingHash } else { LbPolicy::RoundRobin }.into(),
        circuit_breakers: Some(pb::CircuitBreakers { thresholds: vec![thresholds], ..pb::CircuitBreakers::default() }),
        ..pb::Cluster::default()
    };
    Resource::encode(ResourceType::Cluster, &name, &message)
}
