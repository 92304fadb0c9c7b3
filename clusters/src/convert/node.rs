//! Nodes: their pod ranges, their own addresses, and the zone of what runs on them.

use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{Node, Zone};
use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::cidr::MAX_CIDRS_PER_NODE;
use super::{Converted, meta};

/// Addresses that are read of one Node.
const MAX_ADDRESSES_PER_NODE: usize = 64;
/// A well-known label of Kubernetes.
const LABEL_ZONE: &str = "topology.kubernetes.io/zone";

pub fn node(object: &k8s::Node) -> Converted<Node> {
    let mut check = Check::new("Node", &object.metadata);
    let name = meta::checked_subdomain(&mut check, &object.metadata);
    let spec = object.spec.clone().unwrap_or_default();
    // podCIDRs[0] repeats podCIDR; old objects have the singular only.
    let (field, ranges) = match (spec.pod_cidrs.unwrap_or_default(), spec.pod_cidr) {
        (list, _) if !list.is_empty() => ("spec.podCIDRs", list),
        (_, Some(one)) if !one.is_empty() => ("spec.podCIDR", vec![one]),
        _ => ("", Vec::new()),
    };
    let pod_cidrs = check.ranges_of_member(field, &ranges, MAX_CIDRS_PER_NODE);
    let zone =
        object.metadata.labels.as_ref().and_then(|labels| labels.get(LABEL_ZONE)).filter(|zone| !zone.is_empty());
    let zone = zone.and_then(|zone| {
        let field = format!("metadata.labels[{LABEL_ZONE:?}]");
        check.losing("its zone is not known", |check| check.name(field, zone, Zone::new))
    });
    check.finish(name.map(|name| Node { name, pod_cidrs, zone, addresses: addresses(object) }))
}

/// Addresses that a Node can be reached at, sorted. They only say what to expect of pods on the host network, so what is
/// no address (a host name, for example) is no problem.
fn addresses(object: &k8s::Node) -> Vec<IpAddr> {
    let listed = object.status.as_ref().and_then(|status| status.addresses.as_deref()).unwrap_or_default();
    let mut addresses: Vec<IpAddr> =
        listed.iter().take(MAX_ADDRESSES_PER_NODE).filter_map(|entry| entry.address.parse().ok()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

pub fn key_node(meta: &ObjectMeta) -> Option<Arc<str>> {
    meta::subdomain(meta)
}
