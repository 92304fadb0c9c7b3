//! One service over all clusters (KEP-1645): the oldest export decides, ports are a union, and endpoints for a port come
//! only from clusters that really expose it. Deterministic: the order of arrival plays no part.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use ipnet::IpNet;

use crate::addresses::{Judgement, OutsideOffer, Rules};
use crate::model::{
    AppProtocol, ClusterId, Failover, Families, Family, Merged, MergedPort, Node, Service, ServiceKey, ServiceKind,
    Slice, Time,
};
use crate::report::{FamilyConflict, Notice, OutsideAddress, RefusedAddress};

mod backends;

use backends::{Gathered, PortIndex, Sighting, backends};

/// Hosts of one service over all its ports and clusters: ports times endpoints. One tenant's Service of 1,000 ports with 10,000
/// endpoints would be 10,000,000, and each change of one of them work for everybody. Of what is beyond, the oldest export's
/// first ports come first.
pub const MAX_HOSTS: usize = 100_000;

/// One cluster's part in a service.
pub(crate) struct Contribution<'a> {
    pub cluster: &'a ClusterId,
    pub service: &'a Service,
    /// When it was exported: the `ServiceExport`'s creation, else the Service's own.
    pub exported: Time,
    pub slices: Vec<&'a Slice>,
    /// Of the same cluster: where endpoints are that do not say it themselves.
    pub nodes: &'a BTreeMap<Arc<str>, Node>,
    pub failover: &'a Arc<Failover>,
    pub addresses: Rules<'a>,
}

/// What came of merging one service.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub merged: Option<Merged>,
    /// Addresses that are not served, and who offered them.
    pub refused: BTreeSet<(ClusterId, RefusedAddress)>,
    /// Addresses in nobody's range that are served, and who offered them.
    pub outside: BTreeSet<(ClusterId, OutsideAddress)>,
    /// Contributors whose address families have nothing in common with the oldest export's.
    pub family_conflicts: BTreeSet<(ClusterId, FamilyConflict)>,
    /// What the owners of the members' Services should know.
    pub notices: BTreeSet<(ClusterId, Notice)>,
    /// Hosts beyond [`MAX_HOSTS`] that are not served, by contributor.
    pub left_out: BTreeMap<ClusterId, usize>,
    /// All addresses in nobody's range. They do not depend on what others offer, but all else here does, if there are any.
    pub offers: BTreeSet<OutsideOffer>,
}

/// Merges the contributions; nothing comes of none. O(ports and endpoints of this service, and hosts up to [`MAX_HOSTS`]).
pub(crate) fn merge(key: &ServiceKey, mut parts: Vec<Contribution<'_>>) -> Outcome {
    parts.sort_by(|a, b| (a.exported, a.cluster).cmp(&(b.exported, b.cluster)));
    let Some(oldest) = parts.first() else { return Outcome::default() };
    let (headless, affinity) = (oldest.service.kind == ServiceKind::Headless, oldest.service.affinity);
    let failover = Arc::clone(oldest.failover);
    let family = oldest.service.families.map_or_else(Family::default, Families::first);

    let mut outcome = Outcome::default();
    let mut ports = union_of_ports(&parts);
    let index: HashMap<_, _> = ports.iter().enumerate().map(|(at, port)| ((port.port, port.protocol), at)).collect();
    let mut room = MAX_HOSTS;
    for part in &parts {
        let endpoints = usable_endpoints(key, part, &mut outcome);
        let slice_ports = PortIndex::of(&endpoints);
        for own in &part.service.ports {
            let found = index.get(&(own.port, own.protocol)).and_then(|at| ports.get_mut(*at));
            let Some(merged) = found else {
                continue; // it lost a conflict over the port's name, so its backends may not answer for the winner's port
            };
            let Gathered { backends, left_out } =
                backends(part.cluster, &endpoints, slice_ports.of_port(&own.name, own.protocol), &mut room);
            merged.backends.extend(backends);
            if left_out > 0 {
                *outcome.left_out.entry(part.cluster.clone()).or_default() += left_out;
            }
        }
    }
    for port in &mut ports {
        port.backends.sort_by(|a, b| (&a.cluster, &a.zone).cmp(&(&b.cluster, &b.zone)));
        port.backends.shrink_to_fit();
    }
    ports.sort_by_key(|port| (port.port, port.protocol));
    ports.shrink_to_fit();
    let sources = parts.iter().map(|part| part.cluster.clone()).collect();
    outcome.family_conflicts = family_conflicts(key, &parts);
    outcome.merged = Some(Merged { key: key.clone(), sources, headless, affinity, family, ports, failover });
    outcome
}

/// KEP-1645, `IPFamilyConflict`: a contributor that has no family of the oldest export's. Each of the two is unreachable
/// for clients that have only the other's family.
fn family_conflicts(key: &ServiceKey, parts: &[Contribution<'_>]) -> BTreeSet<(ClusterId, FamilyConflict)> {
    let Some((oldest, theirs)) = parts.first().and_then(|oldest| Some((oldest.cluster, oldest.service.families?)))
    else {
        return BTreeSet::new();
    };
    let conflict = |part: &Contribution<'_>| {
        let mine = part.service.families.filter(|mine| !mine.meets(theirs))?;
        let conflict = FamilyConflict { service: key.clone(), mine, theirs, with: oldest.clone() };
        Some((part.cluster.clone(), conflict))
    };
    parts.iter().filter_map(conflict).collect()
}

/// Ports by precedence: the same (number, protocol) is one port; a name that an older export gave to another number is
/// a conflict, and the younger port is left out.
fn union_of_ports(parts: &[Contribution<'_>]) -> Vec<MergedPort> {
    let mut ports: Vec<MergedPort> = Vec::new();
    let (mut numbers, mut names) = (HashSet::new(), HashSet::new());
    for own in parts.iter().flat_map(|part| &part.service.ports) {
        if !numbers.contains(&(own.port, own.protocol)) && !names.contains(&own.name) {
            numbers.insert((own.port, own.protocol));
            names.insert(&own.name);
            ports.push(MergedPort {
                name: Arc::clone(&own.name),
                port: own.port,
                protocol: own.protocol,
                app: AppProtocol::of(own),
                app_protocol: own.app_protocol.clone(),
                backends: Vec::new(),
            });
        }
    }
    ports
}

/// The contributor's slices without addresses that must not be served or are of a family that its Service does not have
/// (kube-proxy passes over those, too).
fn usable_endpoints<'a>(
    key: &ServiceKey,
    part: &Contribution<'a>,
    outcome: &mut Outcome,
) -> Vec<(&'a Slice, Vec<Sighting<'a>>)> {
    let is_its_own = |ip| part.service.families.is_none_or(|families: Families| families.has(Family::of(ip)));
    // Endpoints are neighbours: where one is at home, the next one mostly is as well, and need not be looked up.
    let mut home: Option<IpNet> = None;
    let mut usable = Vec::with_capacity(part.slices.len());
    for slice in &part.slices {
        let mut endpoints = Vec::with_capacity(slice.endpoints.len());
        let of_its_families = slice.endpoints.iter().enumerate().filter(|(_, endpoint)| is_its_own(endpoint.ip));
        for (index, endpoint) in of_its_families {
            if home.is_some_and(|home| home.contains(&endpoint.ip)) {
                endpoints.push(Sighting::of(slice, index, endpoint, part.nodes));
                continue;
            }
            match part.addresses.judge(endpoint.ip, &mut outcome.offers) {
                Judgement::AtHome(range) => home = Some(range),
                Judgement::Outside { expected: true } => {}
                Judgement::Outside { expected: false } => {
                    let outside = OutsideAddress { service: key.clone(), ip: endpoint.ip };
                    outcome.outside.insert((part.cluster.clone(), outside));
                }
                Judgement::Refused(why) => {
                    let refused = RefusedAddress { why, service: key.clone(), ip: endpoint.ip };
                    outcome.refused.insert((part.cluster.clone(), refused));
                    continue;
                }
            }
            endpoints.push(Sighting::of(slice, index, endpoint, part.nodes));
        }
        usable.push((*slice, endpoints));
    }
    usable
}
