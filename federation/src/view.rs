//! Who serves a class of clients, in which order: the failover decision for one port of one service.

use crate::effects::Topology;
use crate::model::{ClusterId, Host, Merged, MergedPort, Network, RegionId, Zone};

/// Clients that get the same answer: everything the ranking of endpoints depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientClass {
    pub region: RegionId,
    pub zone: Option<Zone>,
    pub network: Network,
    /// The member it runs in; decides VIPs and what "own cluster" means. `None`: served by locality alone.
    pub cluster: Option<ClusterId>,
}

/// Endpoints by priority: index 0 is first in line; there are no gaps and no empty tiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment<'a> {
    pub tiers: Vec<Vec<Locality<'a>>>,
    /// True when clusters carry declared weights, so that locality weights are meant to steer traffic.
    pub weighted: bool,
}

/// The hosts of one (region, zone, cluster). Each occurs in one tier only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locality<'a> {
    pub region: &'a RegionId,
    pub zone: Option<&'a Zone>,
    pub cluster: &'a ClusterId,
    /// Relative weight inside the tier, at least 1.
    pub weight: u32,
    pub hosts: &'a [Host],
}

/// Ranks the endpoints of one port for one class of clients. O(backends); no host is copied.
pub fn assign<'a>(
    class: &ClientClass,
    service: &'a Merged,
    port: &'a MergedPort,
    topology: &'a Topology,
) -> Assignment<'a> {
    crate::failover::assign(class, service, port, topology)
}

/// Whether declared weights steer this port's traffic, for whatever client: see [`Assignment::weighted`].
pub fn is_weighted(service: &Merged, port: &MergedPort, topology: &Topology) -> bool {
    crate::failover::is_weighted(service, port, topology)
}
