//! Endpoints one by one (LEDS): for a service of ten thousand endpoints, one that changes is 200 bytes instead of 250 KB.
//!
//! A load assignment then only says which localities there are and where each one's endpoints are found: in a glob
//! collection, which the client subscribes to (xDS protocol, "glob collections"; xRFC TP1). What an endpoint is does not
//! depend on who asks, so all clients share them.

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as pb;
use envoy_types::pb::envoy::config::endpoint::v3::locality_lb_endpoints::LbConfig;
use federation::model::{Backend, ClusterId, Host, Merged, MergedPort, Protocol, ServiceKey, Zone};
use federation::view::{Assignment, Locality};

use super::proto::{ads, u32_value};
use super::{endpoint, names};
use crate::resource::{Resource, ResourceType};

const AUTHORITY_AND_TYPE: &str = "xdstp:///envoy.config.endpoint.v3.LbEndpoint/";
/// Stands for no zone: a path has no empty segments.
const NO_ZONE: &str = "-";

/// The load assignment of one port, without endpoints.
pub fn load_assignment(service: &ServiceKey, port: u16, assignment: &Assignment<'_>) -> Resource {
    let name = names::outbound(port, service);
    let endpoints = (0u32..)
        .zip(&assignment.tiers)
        .flat_map(|(priority, tier)| tier.iter().map(move |locality| (priority, locality)))
        .map(|(priority, locality)| locality_endpoints(service, port, priority, locality, assignment.weighted))
        .collect();
    let message = endpoint::message(&name, endpoints);
    // Its bytes do not move with the readiness of endpoints, so this must not either.
    let usable = assignment.tiers.iter().any(|tier| !tier.is_empty());
    let resource = Resource::encode(ResourceType::Assignment, &name, &message).usable(usable);
    resource.followed_by(&begin(service, port))
}

/// No weight that moves with the number of endpoints, unless weights are declared: the message would move with it.
fn locality_endpoints(
    service: &ServiceKey,
    port: u16,
    priority: u32,
    locality: &Locality<'_>,
    weighted: bool,
) -> pb::LocalityLbEndpoints {
    let collection = pb::LedsClusterLocalityConfig {
        leds_config: ads(),
        leds_collection_name: format!("{}*", collection(service, port, locality.cluster, locality.zone)),
    };
    pb::LocalityLbEndpoints {
        locality: Some(core::Locality {
            region: locality.region.to_string(),
            zone: locality.zone.map(ToString::to_string).unwrap_or_default(),
            sub_zone: locality.cluster.to_string(),
        }),
        load_balancing_weight: u32_value(if weighted { locality.weight } else { 1 }),
        priority,
        lb_config: Some(LbConfig::LedsClusterLocalityConfig(collection)),
        ..pb::LocalityLbEndpoints::default()
    }
}

/// What endpoints changed from one state of a service to the next.
#[derive(Debug, Default)]
pub struct Difference {
    pub put: Vec<Resource>,
    pub gone: Vec<String>,
}

/// Encodes only what differs. O(endpoints) comparisons of addresses, which are sorted.
pub fn difference(old: Option<&Merged>, new: Option<&Merged>) -> Difference {
    let mut difference = Difference::default();
    let Some(service) = new.or(old).map(|merged| &merged.key) else { return difference };
    for port in new.into_iter().flat_map(tcp) {
        for backend in &port.backends {
            let (at, before) = (place(backend), hosts(old, port.port, place(backend)));
            for step in steps(before, &backend.hosts) {
                match step {
                    Step::Put(host) => difference.put.push(single(service, port.port, at, host)),
                    Step::Gone(host) => difference.gone.push(single_name(service, port.port, at, host)),
                }
            }
        }
    }
    for port in old.into_iter().flat_map(tcp) {
        // Those that are somewhere else now are gone from here.
        for backend in port.backends.iter().filter(|backend| hosts(new, port.port, place(backend)).is_empty()) {
            let gone = backend.hosts.iter().map(|host| single_name(service, port.port, place(backend), host));
            difference.gone.extend(gone);
        }
    }
    difference
}

enum Step<'a> {
    Put(&'a Host),
    Gone(&'a Host),
}

/// From one list of hosts to another, both sorted by address.
fn steps<'a>(before: &'a [Host], now: &'a [Host]) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let mut before = before.iter().peekable();
    for host in now {
        while let Some(gone) = before.next_if(|known| (known.ip, known.port) < (host.ip, host.port)) {
            steps.push(Step::Gone(gone));
        }
        let known = before.next_if(|known| (known.ip, known.port) == (host.ip, host.port));
        if known != Some(host) {
            steps.push(Step::Put(host));
        }
    }
    steps.extend(before.map(Step::Gone));
    steps
}

/// None where there are none: no backend is empty.
fn hosts<'a>(merged: Option<&'a Merged>, port: u16, at: (&ClusterId, Option<&Zone>)) -> &'a [Host] {
    let ports = merged.into_iter().flat_map(tcp).filter(|found| found.port == port);
    let mut backends = ports.flat_map(|port| &port.backends);
    backends.find(|backend| place(backend) == at).map_or(&[], |backend| &backend.hosts)
}

/// The collection that an endpoint is in, as it is subscribed to.
pub fn collection_of(name: &str) -> String {
    let (begin, _) = name.rsplit_once('/').unwrap_or_default();
    format!("{begin}/*")
}

/// What the names in a glob collection begin with; `None` for any other name.
pub fn glob(name: &str) -> Option<&str> {
    name.strip_suffix('*').filter(|begin| begin.starts_with(AUTHORITY_AND_TYPE) && begin.ends_with('/'))
}

fn single(service: &ServiceKey, port: u16, at: (&ClusterId, Option<&Zone>), host: &Host) -> Resource {
    Resource::encode(ResourceType::Endpoint, &single_name(service, port, at, host), &endpoint::endpoint(host))
}

fn single_name(service: &ServiceKey, port: u16, at: (&ClusterId, Option<&Zone>), host: &Host) -> String {
    format!("{}{}-{}", collection(service, port, at.0, at.1), host.ip, host.port)
}

fn collection(service: &ServiceKey, port: u16, cluster: &ClusterId, zone: Option<&Zone>) -> String {
    format!("{}{cluster}/{}/", begin(service, port), zone.map_or_else(|| NO_ZONE.to_owned(), segment))
}

/// A zone as one segment of a path. An EndpointSlice may hold any text: a `/` would make a zone part of another's
/// collection, `%`, `?` and `#` mean something in these names, and `-` alone is [`NO_ZONE`]. Not percent-encoded, because
/// Envoy decodes names and asks for a spelling of its own.
fn segment(zone: &Zone) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let zone = zone.as_str();
    if zone != NO_ZONE && zone.chars().all(plain) {
        return zone.to_owned();
    }
    let escaped = |byte: u8| match char::from(byte) {
        c if c != '-' && plain(c) => c.to_string(),
        _ => format!("={byte:02x}"),
    };
    zone.bytes().map(escaped).collect()
}

/// What the names of all endpoints of a port begin with.
fn begin(service: &ServiceKey, port: u16) -> String {
    format!("{AUTHORITY_AND_TYPE}{}.{}/{port}/", service.name, service.namespace)
}

fn place(backend: &Backend) -> (&ClusterId, Option<&Zone>) {
    (&backend.cluster, backend.zone.as_ref())
}

fn tcp(merged: &Merged) -> impl Iterator<Item = &MergedPort> {
    merged.ports.iter().filter(|port| port.protocol == Protocol::Tcp)
}

#[cfg(test)]
mod tests;
