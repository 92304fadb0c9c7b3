//! Nodes: their pod ranges, and the zone of what runs on them.

use std::sync::Arc;

use federation::model::{Node, Zone};
use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::cidr::MAX_CIDRS_PER_NODE;
use super::{Converted, meta};

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
    check.finish(name.map(|name| Node { name, pod_cidrs, zone }))
}

pub fn key_node(meta: &ObjectMeta) -> Option<Arc<str>> {
    meta::subdomain(meta)
}
