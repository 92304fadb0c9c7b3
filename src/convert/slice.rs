//! EndpointSlices.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{Endpoint, Health, Namespace, PodId, ServiceKey, Slice, SliceKey, SlicePort, Zone};
use k8s_openapi::api::discovery::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::service::protocol;
use super::{Converted, meta};
use crate::api::{
    LABEL_MCS_SERVICE_NAME, LABEL_MIRROR, LABEL_SERVICE_NAME, LABEL_SLICE_MANAGED_BY, LABEL_SOURCE_CLUSTER, MANAGED_BY,
};

/// Endpoints of one slice (the API's limit).
pub const MAX_ENDPOINTS_PER_SLICE: usize = 1_000;
/// Addresses of one endpoint (the API's limit). Only the first one is used.
pub const MAX_ADDRESSES_PER_ENDPOINT: usize = 100;
/// Ports of one slice.
pub const MAX_PORTS_PER_SLICE: usize = 1_000;

/// `Ok(None)`: written by us or by an MCS implementation (it repeats what another cluster says), of no Service, or
/// made of names instead of addresses.
pub fn slice(object: &k8s::EndpointSlice) -> Converted<Slice> {
    let label = |key: &str| object.metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    let ours = label(LABEL_SLICE_MANAGED_BY) == Some(MANAGED_BY) || label(LABEL_MIRROR) == Some("true");
    let imported = label(LABEL_SOURCE_CLUSTER).is_some() || label(LABEL_MCS_SERVICE_NAME).is_some();
    let Some(service) = label(LABEL_SERVICE_NAME) else { return Ok(None) };
    if ours || imported || object.address_type == "FQDN" {
        return Ok(None);
    }

    let mut check = Check::new("EndpointSlice", &object.metadata);
    let name = meta::checked_subdomain(&mut check, &object.metadata);
    let namespace =
        check.name("metadata.namespace", object.metadata.namespace.as_deref().unwrap_or_default(), Namespace::new);
    let label_field = format!("metadata.labels[{LABEL_SERVICE_NAME:?}]");
    let service = check.name(label_field, service, |text| ServiceKey::new("any", text));
    let ports = ports(&mut check, object.ports.as_deref().unwrap_or_default());
    let (endpoints, nodes) = endpoints(&mut check, object);
    let slice = name.zip(namespace).zip(service).map(|((name, namespace), service)| Slice {
        key: SliceKey { namespace: namespace.clone(), name },
        service: ServiceKey { namespace, name: service.name },
        ports,
        endpoints,
        nodes,
    });
    check.finish(slice)
}

pub fn key_slice(meta: &ObjectMeta) -> Option<SliceKey> {
    let namespace = Namespace::new(meta.namespace.as_deref()?).ok()?;
    Some(SliceKey { namespace, name: meta::subdomain(meta)? })
}

fn ports(check: &mut Check, list: &[k8s::EndpointPort]) -> Vec<SlicePort> {
    if !check.at_most("ports", list.len(), MAX_PORTS_PER_SLICE, "ports") {
        return Vec::new();
    }
    let mut ports = Vec::with_capacity(list.len());
    for (index, port) in list.iter().enumerate() {
        let at = |field: &str| format!("ports[{index}].{field}");
        let name = port.name.as_deref().unwrap_or_default();
        if !name.is_empty() {
            check.name(at("name"), name, Namespace::new);
        }
        let protocol = protocol(check, at("protocol"), port.protocol.as_deref());
        // No number means "any port" and leaves the meaning to the reader; there is nothing in it to dial.
        let Some(number) = port.port else { continue };
        let number = check.number(at("port"), i64::from(number), 1..=65_535);
        if let (Some(port), Some(protocol)) = (number, protocol) {
            ports.push(SlicePort { name: Arc::from(name), port, protocol });
        }
    }
    ports
}

/// Endpoints, and the Nodes of those that say no zone.
type Endpoints = (Vec<Endpoint>, Box<[(u32, Arc<str>)]>);

fn endpoints(check: &mut Check, object: &k8s::EndpointSlice) -> Endpoints {
    let wants_v4 = match object.address_type.as_str() {
        "IPv4" => true,
        "IPv6" => false,
        other => {
            check.report("addressType", format!("{other:?}"), "IPv4, IPv6 or FQDN");
            return Endpoints::default();
        }
    };
    let list = object.endpoints.as_deref().unwrap_or_default();
    if !check.at_most("endpoints", list.len(), MAX_ENDPOINTS_PER_SLICE, "endpoints") {
        return Endpoints::default();
    }
    let mut endpoints = Vec::with_capacity(list.len());
    let mut nodes: Vec<(u32, Arc<str>)> = Vec::new();
    let mut names: BTreeMap<&str, Arc<str>> = BTreeMap::new();
    for (index, endpoint) in list.iter().enumerate() {
        let Some(good) = one(check, index, endpoint, wants_v4) else { continue };
        if let (None, Some(node), Ok(at)) = (&good.zone, node(endpoint), u32::try_from(endpoints.len())) {
            // Equal names share one text: a slice may have many endpoints on one Node.
            nodes.push((at, names.entry(node).or_insert_with(|| Arc::from(node)).clone()));
        }
        endpoints.push(good);
    }
    (Slice::share_zones(endpoints), nodes.into())
}

/// The name of the Node; of one that cannot exist nothing is known.
fn node(endpoint: &k8s::Endpoint) -> Option<&str> {
    endpoint.node_name.as_deref().filter(|name| !name.is_empty() && name.len() <= meta::MAX_NAME_LEN)
}

/// What tells that endpoints of two slices are one pod: what they stand for, else their hostname ("multiple endpoints which
/// use the same hostname should be considered fungible", EndpointSlice API).
fn pod(endpoint: &k8s::Endpoint) -> PodId {
    let set = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let target = endpoint.target_ref.as_ref();
    let uid = target.and_then(|target| set(&target.uid)).map(|uid| format!("uid {uid}"));
    let name = || {
        let (kind, name) = target.map(|target| (set(&target.kind).unwrap_or_default(), set(&target.name)))?;
        Some(format!("name {kind} {}", name?))
    };
    let hostname = || set(&endpoint.hostname).map(|hostname| format!("hostname {hostname}"));
    uid.or_else(name).or_else(hostname).map_or_else(PodId::default, |text| PodId::of(&text))
}

fn one(check: &mut Check, index: usize, endpoint: &k8s::Endpoint, wants_v4: bool) -> Option<Endpoint> {
    let at = |field: &str| format!("endpoints[{index}].{field}");
    let addresses = endpoint.addresses.as_slice();
    if !check.at_most(&at("addresses"), addresses.len(), MAX_ADDRESSES_PER_ENDPOINT, "addresses") {
        return None;
    }
    let Some(first) = addresses.first() else {
        check.report(at("addresses"), "no address", "at least one address");
        return None;
    };
    let zone = endpoint.zone.as_deref().filter(|zone| !zone.is_empty());
    let zone = zone.and_then(|zone| check.name(at("zone"), zone, Zone::new));
    let ip = check.ip(at("addresses[0]"), first)?;
    if matches!(ip, IpAddr::V4(_)) != wants_v4 {
        let family = if wants_v4 { "an IPv4" } else { "an IPv6" };
        check.report(at("addresses[0]"), ip, format!("{family} address, as addressType says"));
        return None;
    }
    Some(Endpoint { ip, zone, health: health(endpoint.conditions.as_ref()), pod: pod(endpoint) })
}

/// As kube-proxy reads conditions (Kubernetes 1.37, `endpointslicecache.go`): `ready` and `serving` that are not set are
/// true, `terminating` is false. `ready` wins where it is said: with publishNotReadyAddresses the user wants terminating
/// pods to be used. One that terminates and says nothing else is taken as draining, not as ready.
fn health(conditions: Option<&k8s::EndpointConditions>) -> Health {
    let ready = conditions.and_then(|conditions| conditions.ready);
    let serving = conditions.and_then(|conditions| conditions.serving).unwrap_or(true);
    let terminating = conditions.and_then(|conditions| conditions.terminating).unwrap_or(false);
    match (ready, terminating) {
        (Some(true), _) | (None, false) => Health::Ready,
        (_, true) if serving => Health::Draining,
        (_, true) => Health::Ended,
        (Some(false), false) => Health::NotReady,
    }
}
