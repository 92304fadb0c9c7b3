//! One service as all clusters together offer it: what the voice turns into xDS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Affinity, AppProtocol, ClusterId, Failover, Health, Protocol, ServiceKey, Zone};

/// A merged service. It holds nothing that depends on who asks, and nothing that only re-ranks endpoints
/// (regions, drains, weights): those live in [`crate::Topology`], so that a change of them re-merges nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub key: ServiceKey,
    /// Contributing clusters in precedence order: oldest export first, then cluster id (KEP-1645).
    pub sources: Vec<ClusterId>,
    pub headless: bool,
    pub affinity: Affinity,
    /// Sorted by (number, protocol); both together are unique.
    pub ports: Vec<MergedPort>,
    pub failover: Arc<Failover>,
}

/// One port and who answers on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedPort {
    pub name: Arc<str>,
    /// The Service's port number, the one clients dial.
    pub port: u16,
    pub protocol: Protocol,
    pub app: AppProtocol,
    pub app_protocol: Option<Arc<str>>,
    /// Sorted by (cluster, zone); one entry for each pair; none is empty.
    pub backends: Vec<Backend>,
}

/// The hosts of one cluster and zone, sorted by address, no address twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub cluster: ClusterId,
    pub zone: Option<Zone>,
    pub hosts: Vec<Host>,
}

/// One address that answers. Kept apart, because a [`SocketAddr`] has 32 bytes, and there may be millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Host {
    pub ip: IpAddr,
    pub port: u16,
    pub health: Health,
}

impl Host {
    pub fn new(address: SocketAddr, health: Health) -> Self {
        Self { ip: address.ip(), port: address.port(), health }
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
}
