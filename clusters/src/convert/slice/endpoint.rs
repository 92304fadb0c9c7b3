//! The endpoints of a slice. Each is judged alone, and each of its fields as well.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{Endpoint, Health, PodId, Slice, Zone};
use k8s_openapi::api::discovery::v1 as k8s;

use crate::convert::check::Check;
use crate::problem::MAX_NAME_LEN;

/// Endpoints of one slice (the API's limit).
pub const MAX_ENDPOINTS_PER_SLICE: usize = 1_000;

const NOT_USED: &str = "the endpoint is not used";

/// Endpoints, and the Nodes of those that say no zone.
type Endpoints = (Vec<Endpoint>, Box<[(u32, Arc<str>)]>);

/// What addresses a slice may hold.
#[derive(Clone, Copy)]
struct Addresses {
    v4: bool,
    /// They are on other machines, so that none may be a loopback address.
    remote: bool,
}

pub(super) fn endpoints(check: &mut Check, object: &k8s::EndpointSlice, remote: bool) -> Endpoints {
    let v4 = match object.address_type.as_str() {
        "IPv4" => true,
        "IPv6" => false,
        other => {
            check.report("addressType", format!("{other:?}"), "IPv4, IPv6 or FQDN");
            return Endpoints::default();
        }
    };
    let list = object.endpoints.as_deref().unwrap_or_default();
    let few = check.losing("the endpoints after these are not used", |check| {
        check.first("endpoints", list, MAX_ENDPOINTS_PER_SLICE, "endpoints")
    });
    let mut nodes: Vec<(u32, Arc<str>)> = Vec::new();
    let mut names: BTreeMap<&str, Arc<str>> = BTreeMap::new();
    let endpoints = check.some_of(|check| {
        let mut endpoints = Vec::with_capacity(few.len());
        for (index, endpoint) in few.iter().enumerate() {
            let Some(good) = one(check, index, endpoint, Addresses { v4, remote }) else { continue };
            if good.zone.is_none()
                && let (Some(node), Ok(at)) = (node(check, index, endpoint), u32::try_from(endpoints.len()))
            {
                // Equal names share one text: a slice may have many endpoints on one Node.
                nodes.push((at, names.entry(node).or_insert_with(|| Arc::from(node)).clone()));
            }
            endpoints.push(good);
        }
        endpoints
    });
    (Slice::share_zones(endpoints), nodes.into())
}

fn one(check: &mut Check, index: usize, endpoint: &k8s::Endpoint, addresses: Addresses) -> Option<Endpoint> {
    let at = |field: &str| format!("endpoints[{index}].{field}");
    let ip = check.losing(NOT_USED, |check| match endpoint.addresses.first() {
        // "No semantics are defined for additional addresses beyond the first" (EndpointSlice API).
        Some(first) => address(check, at("addresses[0]"), first, addresses),
        None => {
            check.report(at("addresses"), "no address", "at least one address");
            None
        }
    })?;
    let zone = endpoint.zone.as_deref().filter(|zone| !zone.is_empty());
    let zone = zone.and_then(|zone| {
        check.losing("the endpoint is used without its own zone", |check| check.name(at("zone"), zone, Zone::new))
    });
    Some(Endpoint { ip, zone, health: health(endpoint.conditions.as_ref()), pod: pod(endpoint) })
}

fn address(check: &mut Check, field: String, text: &str, Addresses { v4, remote }: Addresses) -> Option<IpAddr> {
    let ip = check.ip(field.clone(), text)?;
    if ip.is_ipv4() != v4 {
        let family = if v4 { "an IPv4" } else { "an IPv6" };
        check.report(field, ip, format!("{family} address, as addressType says"));
        return None;
    }
    if remote && ip.is_loopback() {
        check.report(field, ip, "an address that other hosts can reach: not a loopback address");
        return None;
    }
    Some(ip)
}

fn node<'a>(check: &mut Check, index: usize, endpoint: &'a k8s::Endpoint) -> Option<&'a str> {
    let name = endpoint.node_name.as_deref().filter(|name| !name.is_empty())?;
    let fits = check.losing("its Node's zone is not used", |check| {
        check.at_most(&format!("endpoints[{index}].nodeName"), name.len(), MAX_NAME_LEN, "bytes")
    });
    fits.then_some(name)
}

/// How endpoints of two slices are recognised as one pod: by their target, else by their hostname ("multiple endpoints which
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

/// As kube-proxy reads conditions (Kubernetes 1.37, `endpointslicecache.go`): `ready` and `serving` that are not set are
/// true, `terminating` is false. `ready` wins where it is set: with publishNotReadyAddresses the user wants terminating
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
