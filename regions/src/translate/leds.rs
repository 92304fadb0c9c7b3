//! Endpoints one by one (LEDS): for a service of ten thousand endpoints, one that changes is 200 bytes instead of 250 KB.
//!
//! A load assignment then only holds the localities and where each one's endpoints are found: in a glob collection, which
//! the client subscribes to (xDS protocol, "glob collections"; xRFC TP1). An endpoint's bytes do not
//! depend on the client, so all clients share them, with one exception: whether one that terminates takes new requests
//! depends on whether any other is ready in the client's tiers. A backend whose endpoints can be either is two
//! collections, and the load assignment refers a client to one of them. Clients with other address families get
//! other endpoints under the same names.

use envoy_types::pb::envoy::config::endpoint::v3 as pb;
use envoy_types::pb::envoy::config::endpoint::v3::locality_lb_endpoints::LbConfig;
use federation::model::{Backend, ClusterId, Families, Merged, MergedPort, Protocol, ServiceKey, Zone};
use federation::ranking::{Assignment, Locality, Offer, Reach};

use super::proto::{ads, u32_value};
use super::{endpoint, names};
use crate::resource::{Resource, ResourceType};

const AUTHORITY_AND_TYPE: &str = "xdstp:///envoy.config.endpoint.v3.LbEndpoint/";
/// Written where there is no zone: a path has no empty segments.
const NO_ZONE: &str = "-";
/// Begins the names of endpoints as a last resort. No cluster's id begins with it, and Envoy, which encodes names again
/// before it asks for them, leaves it as it is (unlike `~`).
const LAST_RESORT: &str = "-";

/// The load assignment of one port, without endpoints.
pub fn load_assignment(service: &ServiceKey, port: u16, assignment: &Assignment<'_>) -> Resource {
    let name = names::outbound(port, service);
    let endpoints = (0u32..)
        .zip(&assignment.tiers)
        .flat_map(|(priority, tier)| tier.iter().map(move |locality| (priority, locality)))
        .map(|(priority, locality)| locality_endpoints(service, port, priority, locality, assignment))
        .collect();
    let message = endpoint::message(&name, endpoints);
    // Its bytes do not change with the readiness of endpoints, so this must not either.
    let usable = assignment.tiers.iter().any(|tier| !tier.is_empty());
    let resource = Resource::encode(ResourceType::Assignment, &name, &message).usable(usable);
    resource.followed_by(&begin(service, port))
}

/// No weight that changes with the number of endpoints, unless weights are declared: the message would change with it.
fn locality_endpoints(
    service: &ServiceKey,
    port: u16,
    priority: u32,
    locality: &Locality<'_>,
    assignment: &Assignment<'_>,
) -> pb::LocalityLbEndpoints {
    let reach = assignment.reach;
    let last_resort = reach.is_last_resort() && reach.changes_as_last_resort(locality.backend);
    let collection = Collection { last_resort, ..Collection::of(locality.backend) };
    let config = pb::LedsClusterLocalityConfig {
        leds_config: ads(),
        leds_collection_name: format!("{}*", collection_name(service, port, collection)),
    };
    pb::LocalityLbEndpoints {
        locality: Some(endpoint::locality(locality)),
        load_balancing_weight: u32_value(if assignment.weighted { locality.weight } else { 1 }),
        priority,
        lb_config: Some(LbConfig::LedsClusterLocalityConfig(config)),
        ..pb::LocalityLbEndpoints::default()
    }
}

/// What endpoints changed from one state of a service to the next.
#[derive(Debug, Default)]
pub struct Difference {
    pub put: Vec<Resource>,
    pub gone: Vec<String>,
}

/// Encodes only what differs, for clients with these families. O(endpoints) comparisons of addresses, which are sorted.
pub fn difference(families: Option<Families>, old: Option<&Merged>, new: Option<&Merged>) -> Difference {
    let mut difference = Difference::default();
    let Some(service) = new.or(old).map(|merged| &merged.key) else { return difference };
    let [old, new] = [old, new].map(|merged| merged.map(|merged| Side { merged, reach: Reach::new(families, merged) }));
    for (port, collection, backend) in new.iter().flat_map(Side::collections) {
        let before = old.and_then(|old| Some(old.offers(collection, old.find(port, collection)?))).unwrap_or_default();
        for step in steps(before, new.map(|new| new.offers(collection, backend)).unwrap_or_default()) {
            match step {
                Step::Put(offer) => difference.put.push(single(service, port, collection, &offer)),
                Step::Gone(offer) => difference.gone.push(single_name(service, port, collection, &offer)),
            }
        }
    }
    for (port, collection, backend) in old.iter().flat_map(Side::collections) {
        // Those that are somewhere else now are gone from here.
        if new.is_none_or(|new| new.find(port, collection).is_none()) {
            let offers = old.map(|old| old.offers(collection, backend)).unwrap_or_default();
            difference.gone.extend(offers.iter().map(|offer| single_name(service, port, collection, offer)));
        }
    }
    difference
}

/// One state of a service, as clients with some families see it.
#[derive(Clone, Copy)]
struct Side<'a> {
    merged: &'a Merged,
    reach: Reach,
}

impl<'a> Side<'a> {
    /// All collections, by port: mostly one for each backend.
    fn collections(&self) -> impl Iterator<Item = (u16, Collection<'a>, &'a Backend)> {
        let Self { merged, reach } = *self;
        let backends = tcp(merged).flat_map(|port| port.backends.iter().map(|backend| (port.port, backend)));
        backends.flat_map(move |(port, backend)| {
            let collection = Collection::of(backend);
            let last_resort =
                reach.changes_as_last_resort(backend).then_some(Collection { last_resort: true, ..collection });
            std::iter::once(collection).chain(last_resort).map(move |collection| (port, collection, backend))
        })
    }

    /// The backend whose endpoints a collection holds, if there is such a collection.
    fn find(self, port: u16, collection: Collection<'_>) -> Option<&'a Backend> {
        let mut backends = tcp(self.merged).filter(|found| found.port == port).flat_map(|port| &port.backends);
        backends
            .find(|backend| Collection::of(backend) == Collection { last_resort: false, ..collection })
            .filter(|backend| !collection.last_resort || self.reach.changes_as_last_resort(backend))
    }

    /// The endpoints of a collection, by address.
    fn offers(self, collection: Collection<'_>, backend: &Backend) -> Vec<Offer> {
        let mut offers: Vec<Offer> = self.reach.as_last_resort(collection.last_resort).offers(backend).collect();
        if !backend.second.is_empty() {
            offers.sort_by_key(|offer| offer.address); // the first address may be the backend's second
        }
        offers
    }
}

/// A collection of one port.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Collection<'a> {
    cluster: &'a ClusterId,
    zone: Option<&'a Zone>,
    last_resort: bool,
}

impl<'a> Collection<'a> {
    fn of(backend: &'a Backend) -> Self {
        Self { cluster: &backend.cluster, zone: backend.zone.as_ref(), last_resort: false }
    }
}

enum Step {
    Put(Offer),
    Gone(Offer),
}

/// From one list of hosts to another, both sorted by address.
fn steps(before: Vec<Offer>, now: Vec<Offer>) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut before = before.into_iter().peekable();
    for offer in now {
        while let Some(gone) = before.next_if(|known| known.address < offer.address) {
            steps.push(Step::Gone(gone));
        }
        let known = before.next_if(|known| known.address == offer.address);
        if known != Some(offer) {
            steps.push(Step::Put(offer));
        }
    }
    steps.extend(before.map(Step::Gone));
    steps
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

fn single(service: &ServiceKey, port: u16, collection: Collection<'_>, offer: &Offer) -> Resource {
    let name = single_name(service, port, collection, offer);
    Resource::encode(ResourceType::Endpoint, &name, &endpoint::endpoint(offer))
}

fn single_name(service: &ServiceKey, port: u16, collection: Collection<'_>, offer: &Offer) -> String {
    format!("{}{}-{}", collection_name(service, port, collection), offer.address.ip(), offer.address.port())
}

fn collection_name(
    service: &ServiceKey,
    port: u16,
    Collection { cluster, zone, last_resort }: Collection<'_>,
) -> String {
    let mark = if last_resort { LAST_RESORT } else { "" };
    format!("{}{mark}{cluster}/{}/", begin(service, port), zone.map_or_else(|| NO_ZONE.to_owned(), segment))
}

/// A zone as one segment of a path. An EndpointSlice may hold any text: a `/` would make a zone part of another's
/// collection, `%`, `?` and `#` mean something in these names, and `-` alone is [`NO_ZONE`]. Not percent-encoded, because
/// Envoy decodes names and asks for them in an encoding of its own.
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

fn tcp(merged: &Merged) -> impl Iterator<Item = &MergedPort> {
    merged.ports.iter().filter(|port| port.protocol == Protocol::Tcp)
}

#[cfg(test)]
mod tests;
