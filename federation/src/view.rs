//! Who serves a class of clients, in which order: the failover decision for one port of one service.

use std::net::SocketAddr;

use crate::effects::Topology;
use crate::model::{Backend, ClusterId, Health, Merged, MergedPort, Network, RegionId, Zone};

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
    /// What of each locality's hosts the class is offered.
    pub reach: Reach,
}

/// The hosts of one (region, zone, cluster). Each occurs in one tier only, and has at least one host that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locality<'a> {
    pub region: &'a RegionId,
    /// Relative weight inside the tier, at least 1.
    pub weight: u32,
    pub backend: &'a Backend,
}

impl Locality<'_> {
    pub fn zone(&self) -> Option<&Zone> {
        self.backend.zone.as_ref()
    }

    pub fn cluster(&self) -> &ClusterId {
        &self.backend.cluster
    }
}

/// What a class of clients may use of a port's hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reach {
    /// No host in the client's tiers is ready: those that terminate and still serve take new requests (KEP-1669).
    pub last_resort: bool,
}

/// A host as one class of clients is offered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub address: SocketAddr,
    pub standing: Standing,
}

/// What a client should do with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Use it.
    Serving,
    /// Finish what is under way; it does not count as capacity.
    Draining,
    /// Do not use it; it counts as capacity that is missing.
    Lost,
}

impl Reach {
    /// The hosts of a backend that the class is offered, in order.
    pub fn offers(self, backend: &Backend) -> impl Iterator<Item = Offer> {
        backend.hosts.iter().map(move |host| Offer { address: host.address(), standing: self.standing(host.health) })
    }

    /// How many of them count as capacity in Envoy's arithmetic: all but the draining ones.
    pub fn capacity(self, backend: &Backend) -> u64 {
        self.offers(backend).filter(|offer| offer.standing != Standing::Draining).count() as u64
    }

    /// Whether the hosts of this backend stand differently as a last resort.
    pub fn changes_as_last_resort(backend: &Backend) -> bool {
        let has = |health: Health| backend.hosts.iter().any(|host| host.health == health);
        !has(Health::Ready) && has(Health::Draining)
    }

    fn standing(self, health: Health) -> Standing {
        match health {
            Health::Ready => Standing::Serving,
            Health::Draining if self.last_resort => Standing::Serving,
            Health::Draining | Health::Ended => Standing::Draining,
            Health::NotReady => Standing::Lost,
        }
    }
}

/// Ranks the endpoints of one port for one class of clients. O(hosts); no host is copied.
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
