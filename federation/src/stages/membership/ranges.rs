//! The address ranges that a member uses: as declared, or as its objects show.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::change::MemberKind;
use crate::model::{Families, Family, Member};
use crate::report::{CidrSource, Cidrs, Listed, RangeUse, UndeclaredRange};
use crate::store::ClusterState;

/// The ranges a member uses: as declared, else as its Nodes and ServiceCIDR objects show once they were fully listed.
/// `state`: its objects, if any are accepted.
pub(super) fn cidrs(member: &Member, state: Option<&ClusterState>) -> Cidrs {
    let seen = |kind: MemberKind| state.filter(|state| state.lists.has_seen(kind));
    let discovered = |ranges: Vec<IpNet>| match ranges.is_empty() {
        true => (Vec::new(), CidrSource::Unknown),
        false => (IpNet::aggregate(&ranges), CidrSource::Discovered),
    };
    let of_nodes = |state: &ClusterState| -> Vec<IpNet> {
        state.nodes.values().flat_map(|node| node.pod_cidrs.iter().copied()).collect()
    };
    let of_objects = |state: &ClusterState| -> Vec<IpNet> {
        state.service_cidrs.values().flat_map(|object| object.cidrs.iter().copied()).collect()
    };
    let (pods, pods_source) = match &member.pods {
        Some(declared) => (sorted(declared), CidrSource::Declared),
        None => discovered(seen(MemberKind::Nodes).map(of_nodes).unwrap_or_default()),
    };
    let (services, services_source) = match &member.services {
        Some(declared) => (sorted(declared), CidrSource::Declared),
        None => discovered(seen(MemberKind::ServiceCidrs).map(of_objects).unwrap_or_default()),
    };
    Cidrs { pods, pods_source, services, services_source }
}

/// Where its own objects contradict what is declared. Objects of a kind count once they were fully listed.
pub(super) fn undeclared(member: &Member, state: &ClusterState) -> Listed<UndeclaredRange> {
    let nodes = state.nodes.values().flat_map(|node| &node.pod_cidrs);
    let cidrs = state.service_cidrs.values().flat_map(|object| &object.cidrs);
    let mut found = outside(member.pods.as_deref(), nodes, RangeUse::Pods, state.lists.has_seen(MemberKind::Nodes));
    let listed = state.lists.has_seen(MemberKind::ServiceCidrs);
    found.extend(outside(member.services.as_deref(), cidrs, RangeUse::Services, listed));
    Listed::new(found.len(), found)
}

fn outside<'a>(
    declared: Option<&[IpNet]>,
    shown: impl Iterator<Item = &'a IpNet>,
    used_for: RangeUse,
    listed: bool,
) -> Vec<UndeclaredRange> {
    let Some(declared) = declared.filter(|_| listed) else { return Vec::new() };
    // A range may be in two declared ranges that touch.
    let declared = IpNet::aggregate(&declared.to_vec());
    let outside: Vec<IpNet> = shown.filter(|range| !declared.iter().any(|net| net.contains(*range))).copied().collect();
    IpNet::aggregate(&outside).into_iter().map(|range| UndeclaredRange { used_for, range }).collect()
}

/// The families of a member's pods: those of its ranges on record. The first range it declares, else the first one of a
/// Node, decides which comes first: Kubernetes lists the primary family first, and ranges on record are sorted.
pub(super) fn families(member: &Member, state: Option<&ClusterState>, admitted: &[IpNet]) -> Option<Families> {
    let family = |range: &IpNet| Family::of(range.addr());
    let discovered = || state?.nodes.values().find_map(|node| node.pod_cidrs.first());
    let first = member.pods.as_ref().map_or_else(discovered, |declared| declared.first());
    let families = Families::new(admitted.iter().map(family))?;
    Some(first.map_or(families, |first| families.preferring(family(first))))
}

fn sorted(ranges: &[IpNet]) -> Vec<IpNet> {
    ranges.iter().map(IpNet::trunc).collect::<BTreeSet<_>>().into_iter().collect()
}
