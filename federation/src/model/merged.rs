//! One service as all clusters together offer it: what `regions` converts to xDS.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Affinity, AppProtocol, ClusterId, Family, Health, Protocol, ServiceKey, Zone};

/// A merged service. It holds nothing that depends on the client, and nothing that only changes the ranking of endpoints:
/// regions, drains and members' weights are in [`crate::Topology`], and what its policy says is in a
/// [`super::RankingRule`], so that a change of them merges nothing again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    pub key: ServiceKey,
    /// Contributing clusters in precedence order: oldest export first, then cluster id (KEP-1645).
    pub sources: Vec<ClusterId>,
    pub headless: bool,
    pub affinity: Affinity,
    /// The first of the oldest export's families: it comes first for clients whose own families are not known.
    pub family: Family,
    /// Sorted by (number, protocol); both together are unique.
    pub ports: Vec<MergedPort>,
}

/// One port and its backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedPort {
    pub name: Arc<str>,
    /// The Service's port number, to which clients connect.
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
    pub hosts: Box<[Host]>,
    pub second: SecondAddresses,
}

/// The IPv6 addresses of those hosts of a backend that have both. Kept apart, so that a federation with one family pays nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondAddresses(Option<Box<SortedByHost>>);

type SortedByHost = Vec<(u32, IpAddr)>;

impl SecondAddresses {
    /// Index of the host and its second address, in the order of the hosts.
    pub fn new(list: Vec<(u32, IpAddr)>) -> Self {
        Self((!list.is_empty()).then(|| Box::new(list)))
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, IpAddr)> {
        self.0.iter().flat_map(|list| list.iter()).map(|(index, ip)| (*index as usize, *ip))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Backend {
    /// Each host with its second address, if it has one.
    pub fn hosts(&self) -> impl Iterator<Item = (&Host, Option<IpAddr>)> {
        let mut second = self.second.iter().peekable();
        self.hosts
            .iter()
            .enumerate()
            .map(move |(index, host)| (host, second.next_if(|(at, _)| *at == index).map(|(_, ip)| ip)))
    }
}

/// One host: its IPv4 address if it has one, else its IPv6 address. Kept apart, because a [`SocketAddr`] has 32 bytes, and there may be millions.
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
