//! Who serves a class of clients, in which order: the failover decision for one port of one service.

use std::net::{IpAddr, SocketAddr};

use crate::effects::Topology;
use crate::model::{Backend, ClusterId, Families, Family, Health, Host, Merged, MergedPort, Network, RegionId, Zone};

/// Clients that get the same answer: everything the ranking of endpoints depends on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientClass {
    pub region: RegionId,
    pub zone: Option<Zone>,
    pub network: Network,
    /// The member it runs in; decides VIPs and what "own cluster" means. `None`: served by locality alone.
    pub cluster: Option<ClusterId>,
    /// The address families it can dial. `None`: not known, so both.
    pub families: Option<Families>,
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

/// What a class of clients may use of a service's hosts. By default everything that is ready, IPv4 first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reach {
    /// As in [`ClientClass::families`].
    families: Option<Families>,
    /// Which address of a host that has both comes first.
    first: Family,
    /// No host in the client's tiers is ready: those that terminate and still serve take new requests (KEP-1669).
    last_resort: bool,
}

/// A host as one class of clients is offered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub address: SocketAddr,
    /// Its address of the other family, where the client has both. The port is the same.
    pub second: Option<IpAddr>,
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
    /// For clients with these families. A client's own first family goes before the service's.
    pub fn new(families: Option<Families>, service: &Merged) -> Self {
        Self { families, first: families.map_or(service.family, Families::first), last_resort: false }
    }

    /// Of clients that find nobody ready, or that do.
    pub fn as_last_resort(self, last_resort: bool) -> Self {
        Self { last_resort, ..self }
    }

    pub fn is_last_resort(self) -> bool {
        self.last_resort
    }

    /// The hosts of a backend that the class is offered, in the order of the backend's. A host without an address of the
    /// client's families is none: it could not be dialled.
    pub fn offers(self, backend: &Backend) -> impl Iterator<Item = Offer> {
        backend.hosts().filter_map(move |(host, second)| self.offer(*host, second))
    }

    /// How many of them count as capacity in Envoy's arithmetic: all but the draining ones.
    pub fn capacity(self, backend: &Backend) -> u64 {
        self.offers(backend).filter(|offer| offer.standing != Standing::Draining).count() as u64
    }

    /// Whether any of a backend's hosts takes new requests.
    pub fn is_served(self, backend: &Backend) -> bool {
        self.offers(backend).any(|offer| offer.standing == Standing::Serving)
    }

    /// Whether the hosts of this backend stand differently as a last resort.
    pub fn changes_as_last_resort(self, backend: &Backend) -> bool {
        !self.as_last_resort(false).is_served(backend) && self.as_last_resort(true).is_served(backend)
    }

    fn offer(self, host: Host, second: Option<IpAddr>) -> Option<Offer> {
        let dialled = |ip: &IpAddr| self.families.is_none_or(|families| families.has(Family::of(*ip)));
        let (mut ip, mut second) = (Some(host.ip).filter(dialled), second.filter(dialled));
        if ip.is_none() || second.is_some_and(|second| Family::of(second) == self.first) {
            std::mem::swap(&mut ip, &mut second);
        }
        let address = SocketAddr::new(ip?, host.port);
        Some(Offer { address, second, standing: self.standing(host.health) })
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
