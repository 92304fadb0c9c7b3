//! Load assignments of names that a member keeps for itself, for its own clients: they lead to its own Services, whatever
//! others export under these names. Nearly always empty.

use std::net::{IpAddr, SocketAddr};

use federation::model::{Backend, ClusterId, Health, Host, Protocol, SecondAddresses, ServiceKey};
use federation::ranking::{Assignment, Locality, RankReason, Reach};

use super::{Encoding, KeyedRecipe};
use crate::catalog::facts::{Changes, Facts, Shape};
use crate::resource::{Resource, ResourceType};
use crate::translate::{endpoint, grpc, names};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::catalog) struct KeptNames {
    pub(in crate::catalog) member: ClusterId,
    pub(in crate::catalog) encoding: Encoding,
}

impl KeyedRecipe for KeptNames {
    const TYPE: ResourceType = ResourceType::Assignment;
    type Key = ServiceKey;

    fn keys<'a>(&self, facts: &'a Facts) -> Vec<&'a ServiceKey> {
        facts.known_in(&self.member).collect()
    }

    fn touched<'a>(&self, changes: &'a Changes, _: &'a Facts) -> Vec<&'a ServiceKey> {
        changes.shapes_and_vips_of(&self.member)
    }

    /// A name leads to the member's own Service, as in the member's DNS. A port that the Service does not have, or one
    /// without a VIP, leads nowhere, and never to another member's pods.
    fn make(&self, key: &ServiceKey, facts: &Facts) -> Vec<Resource> {
        let Some(merged) = facts.services.get(key) else { return Vec::new() };
        let known = facts.vips(&self.member, key).filter(|(known, _)| known.is_kept_local(true));
        let place = facts.topology.members.get(&self.member);
        let (Some((known, ips)), Some(place)) = (known, place) else { return Vec::new() };
        let load = |shape: Shape| {
            let port = shape.port.port;
            let vips: &[IpAddr] = if known.ports.contains(&(port, Protocol::Tcp)) { &ips } else { &[] };
            let backend = vip_backend(&self.member, vips, port);
            let locality =
                Locality { region: &place.region, weight: 1, reason: RankReason::UNRANKED, backend: &backend };
            let tiers = if vips.is_empty() { Vec::new() } else { vec![vec![locality]] };
            let assignment = Assignment { tiers, weighted: false, reach: Reach::new(place.families, merged) };
            let name = names::outbound(port, key);
            match self.encoding {
                Encoding::Envoy | Encoding::Leds => endpoint::load_assignment(&name, &assignment),
                Encoding::Grpc => grpc::load_assignment(&name, &assignment),
            }
        };
        facts.shapes(key).into_iter().map(load).collect()
    }
}

/// One host: a Service's VIP of each family.
fn vip_backend(member: &ClusterId, vips: &[IpAddr], port: u16) -> Backend {
    let first = vips.iter().find(|ip| ip.is_ipv4()).or(vips.first());
    let second = vips.iter().find(|ip| ip.is_ipv6() && Some(*ip) != first).map(|ip| (0, *ip));
    let hosts = first.map(|ip| Host::new(SocketAddr::new(*ip, port), Health::Ready));
    Backend {
        cluster: member.clone(),
        zone: None,
        hosts: hosts.into_iter().collect(),
        second: SecondAddresses::new(second.into_iter().collect()),
    }
}
