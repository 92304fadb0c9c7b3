//! Which of a service's hosts a class of clients is offered, and in which state.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Backend, Families, Family, Health, Host, Merged};

/// What a class of clients may use of a service's hosts. By default everything that is ready, IPv4 first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reach {
    /// As in [`ClientClass::families`](super::ClientClass::families).
    families: Option<Families>,
    /// Which address of a host that has both comes first.
    first: Family,
    /// No host in the client's tiers is ready: hosts that terminate and still serve take new requests (KEP-1669).
    last_resort: bool,
}

/// A host as it is offered to one class of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    pub address: SocketAddr,
    /// Its address of the other family, where the client has both. The port is the same.
    pub second: Option<IpAddr>,
    pub state: HostState,
}

/// What a client should do with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostState {
    /// Use it.
    Serving,
    /// Finish open requests; it does not count as capacity.
    Draining,
    /// Do not use it; it counts as capacity that is missing.
    Lost,
}

impl Reach {
    /// For clients with these families. A client's own first family has precedence over the service's.
    pub fn new(families: Option<Families>, service: &Merged) -> Self {
        Self { families, first: families.map_or(service.family, Families::first), last_resort: false }
    }

    /// For clients for which no host is ready, or for which one is.
    pub fn as_last_resort(self, last_resort: bool) -> Self {
        Self { last_resort, ..self }
    }

    pub fn is_last_resort(self) -> bool {
        self.last_resort
    }

    /// The hosts of a backend that the class is offered, in the backend's order. A host without an address of the client's
    /// families is left out: the client could not connect to it.
    pub fn offers(self, backend: &Backend) -> impl Iterator<Item = Offer> {
        backend.hosts().filter_map(move |(host, second)| self.offer(*host, second))
    }

    /// How many of them count as capacity in Envoy's arithmetic: all but the draining ones.
    pub fn capacity(self, backend: &Backend) -> u64 {
        self.offers(backend).filter(|offer| offer.state != HostState::Draining).count() as u64
    }

    /// Whether any of a backend's hosts takes new requests.
    pub fn is_served(self, backend: &Backend) -> bool {
        self.offers(backend).any(|offer| offer.state == HostState::Serving)
    }

    /// Whether a host of this backend takes new requests only as a last resort.
    pub fn changes_as_last_resort(self, backend: &Backend) -> bool {
        !self.as_last_resort(false).is_served(backend) && self.as_last_resort(true).is_served(backend)
    }

    fn offer(self, host: Host, second: Option<IpAddr>) -> Option<Offer> {
        let reachable = |ip: &IpAddr| self.families.is_none_or(|families| families.has(Family::of(*ip)));
        let (mut ip, mut second) = (Some(host.ip).filter(reachable), second.filter(reachable));
        if ip.is_none() || second.is_some_and(|second| Family::of(second) == self.first) {
            std::mem::swap(&mut ip, &mut second);
        }
        let address = SocketAddr::new(ip?, host.port);
        Some(Offer { address, second, state: self.state(host.health) })
    }

    fn state(self, health: Health) -> HostState {
        match health {
            Health::Ready => HostState::Serving,
            Health::Draining if self.last_resort => HostState::Serving,
            Health::Draining | Health::Ended => HostState::Draining,
            Health::NotReady => HostState::Lost,
        }
    }
}
