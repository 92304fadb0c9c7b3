//! Which endpoint addresses may be served.
//!
//! On a flat network an address must mean one pod, whichever client connects to it. In a member's own pod ranges admission ensures
//! that. Outside of all ranges nothing does, so the [`OutsideOffers`] there are compared: an address that two members offer is
//! refused to both, because each client would reach the pod of its own cluster. Which of them offered it first does not matter, so
//! every replica decides alike.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use ipnet::IpNet;

use crate::cidr::{Claims, Holder};
use crate::model::{ClusterId, Network, ServiceKey};
use crate::report::AddressRefusal;

/// An address in no member's range, and the member that offers it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OutsideOffer {
    pub network: Network,
    pub ip: IpAddr,
    pub by: ClusterId,
}

/// All offers of addresses in no member's range. Addresses in their member's own ranges, nearly all, are not among them.
#[derive(Debug, Default)]
pub(crate) struct OutsideOffers {
    by_address: HashMap<(Network, IpAddr), BTreeMap<ClusterId, BTreeSet<ServiceKey>>>,
    of_service: HashMap<ServiceKey, BTreeSet<OutsideOffer>>,
}

impl OutsideOffers {
    /// Replaces the offers of one service. Returns the services with an address that now has other members offering
    /// it.
    pub fn replace(&mut self, service: &ServiceKey, fresh: BTreeSet<OutsideOffer>) -> BTreeSet<ServiceKey> {
        let mut affected = BTreeSet::new();
        let old = self.of_service.remove(service).unwrap_or_default();
        for OutsideOffer { network, ip, by } in old.difference(&fresh) {
            let address = (network.clone(), *ip);
            let Some(members) = self.by_address.get_mut(&address) else { continue };
            let Some(services) = members.get_mut(by) else { continue };
            services.remove(service);
            if services.is_empty() {
                members.remove(by);
                affected.extend(members.values().flatten().cloned());
            }
            if members.is_empty() {
                self.by_address.remove(&address);
            }
        }
        for OutsideOffer { network, ip, by } in fresh.difference(&old) {
            let members = self.by_address.entry((network.clone(), *ip)).or_default();
            if !members.contains_key(by) {
                affected.extend(members.values().flatten().cloned());
            }
            members.entry(by.clone()).or_default().insert(service.clone());
        }
        if !fresh.is_empty() {
            self.of_service.insert(service.clone(), fresh);
        }
        affected
    }

    /// The services that offer this address.
    pub fn services_at(&self, network: &Network, ip: IpAddr) -> impl Iterator<Item = &ServiceKey> {
        self.by_address.get(&(network.clone(), ip)).into_iter().flat_map(|members| members.values().flatten())
    }

    /// Another member that offers this address, the first by id.
    fn rival(&self, network: &Network, ip: IpAddr, by: &ClusterId) -> Option<&ClusterId> {
        if self.by_address.is_empty() {
            return None;
        }
        self.by_address.get(&(network.clone(), ip))?.keys().find(|other| *other != by)
    }
}

/// The rules for one member's addresses.
pub(crate) struct Rules<'a> {
    pub cluster: &'a ClusterId,
    pub network: &'a Network,
    /// The ranges of all members of the network.
    pub claims: Option<&'a Claims>,
    pub offers: &'a OutsideOffers,
    /// Addresses of the member's Nodes, which pods on the host network have. They are expected outside of all ranges.
    pub nodes: &'a BTreeMap<IpAddr, usize>,
    /// Nothing outside of the member's ranges is served.
    pub strict: bool,
}

/// The decision about one address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// In this pod range of the member itself.
    OwnRange(IpNet),
    /// Not to be served.
    Refused(AddressRefusal),
    /// In no member's range, and allowed; `expected`: it is an address of a Node.
    Outside { expected: bool },
}

impl Rules<'_> {
    pub fn judge(&self, ip: IpAddr, offers: &mut BTreeSet<OutsideOffer>) -> Judgement {
        match self.claims.map_or(Holder::None, |claims| claims.holder(ip, self.cluster)) {
            Holder::OwnPods(range) => Judgement::OwnRange(range),
            Holder::OwnServices => Judgement::Refused(AddressRefusal::VirtualIp),
            Holder::Other(owner) => Judgement::Refused(AddressRefusal::InRangeOf(owner.clone())),
            Holder::None if ip.is_loopback() => Judgement::Refused(AddressRefusal::Loopback),
            Holder::None => {
                offers.insert(OutsideOffer { network: self.network.clone(), ip, by: self.cluster.clone() });
                let expected = self.nodes.contains_key(&ip);
                match self.offers.rival(self.network, ip, self.cluster) {
                    Some(rival) => Judgement::Refused(AddressRefusal::AlsoOfferedBy(rival.clone())),
                    None if self.strict && !expected => Judgement::Refused(AddressRefusal::OutsideRanges),
                    None => Judgement::Outside { expected },
                }
            }
        }
    }
}
