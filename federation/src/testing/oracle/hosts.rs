//! The hosts of one member on one port.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use super::services::Part;
use crate::model::{Backend, Endpoint, Health, Host, PodId, SecondAddresses, ServicePort, Slice, Zone};

#[derive(Clone, Debug, PartialEq)]
struct Sighting {
    at: SocketAddr,
    health: Health,
    zone: Option<Zone>,
    pod: PodId,
}

pub(super) fn backends(part: &Part<'_>, own: &ServicePort, is_usable: impl Fn(IpAddr) -> bool) -> Vec<Backend> {
    let mut all: Vec<Sighting> = Vec::new();
    for slice in part.reported.objects.slices.iter().filter(|slice| slice.service == part.service.key) {
        for port in slice.ports.iter().filter(|port| port.name == own.name && port.protocol == own.protocol) {
            for (index, endpoint) in slice.endpoints.iter().enumerate().filter(|(_, e)| is_usable(e.ip)) {
                let at = SocketAddr::new(endpoint.ip, port.port);
                let zone = zone(part, slice, index, endpoint);
                all.push(Sighting { at, health: endpoint.health, zone, pod: endpoint.pod });
            }
        }
    }
    let mut addresses: Vec<SocketAddr> = all.iter().map(|seen| seen.at).collect();
    addresses.sort();
    addresses.dedup();
    let hosts: Vec<Sighting> = addresses.into_iter().filter_map(|at| one(&all, at)).collect();
    grouped(part, &hosts)
}

/// Its own zone, else its Node's.
fn zone(part: &Part<'_>, slice: &Slice, index: usize, endpoint: &Endpoint) -> Option<Zone> {
    let name = slice.nodes.iter().find(|(at, _)| *at as usize == index).map(|(_, node)| node);
    let node = part.reported.objects.nodes.iter().find(|node| Some(&node.name) == name);
    endpoint.zone.clone().or_else(|| node?.zone.clone())
}

/// Everything reported of one address: the best state, and what is known before what is not.
fn one(all: &[Sighting], at: SocketAddr) -> Option<Sighting> {
    let mut seen: Vec<&Sighting> = all.iter().filter(|seen| seen.at == at).collect();
    seen.sort_by_key(|s| (s.health, s.zone.is_none(), s.zone.clone(), std::cmp::Reverse(s.pod)));
    let health = seen.first()?.health;
    let zone = seen.iter().find_map(|seen| seen.zone.clone());
    let pod = seen.iter().map(|seen| seen.pod).find(|pod| *pod != PodId::default()).unwrap_or_default();
    Some(Sighting { at, health, zone, pod })
}

/// The one other address that is the same pod's: the other family's, on the same port. `None` if that is not clear.
fn partner<'a>(hosts: &'a [Sighting], host: &Sighting) -> Option<&'a Sighting> {
    if host.pod == PodId::default() {
        return None;
    }
    let same: Vec<&Sighting> =
        hosts.iter().filter(|other| other.pod == host.pod && other.at.port() == host.at.port()).collect();
    match same[..] {
        [a, b] if a.at.is_ipv4() != b.at.is_ipv4() => Some(if a.at == host.at { b } else { a }),
        _ => None,
    }
}

fn grouped(part: &Part<'_>, hosts: &[Sighting]) -> Vec<Backend> {
    let mut zones: BTreeMap<Option<Zone>, Vec<(Host, Option<IpAddr>)>> = BTreeMap::new();
    for host in hosts {
        let partner = partner(hosts, host);
        if partner.is_some() && host.at.is_ipv6() {
            continue; // it is the second address of the other one
        }
        let health = partner.map_or(host.health, |partner| partner.health.min(host.health));
        let zone = host.zone.clone().or_else(|| partner?.zone.clone());
        let second = partner.map(|partner| partner.at.ip());
        zones.entry(zone).or_default().push((Host::new(host.at, health), second));
    }
    let backend = |(zone, hosts): (Option<Zone>, Vec<(Host, Option<IpAddr>)>)| {
        let second = (0..).zip(&hosts).filter_map(|(index, (_, second))| Some((index, (*second)?))).collect();
        Backend {
            cluster: part.member.id.clone(),
            zone,
            hosts: hosts.into_iter().map(|(host, _)| host).collect(),
            second: SecondAddresses::new(second),
        }
    };
    zones.into_iter().map(backend).collect()
}
