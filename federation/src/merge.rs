//! One service over all clusters (KEP-1645): the oldest export decides, ports are a union, and endpoints for a port come
//! only from clusters that really expose it. Deterministic: the order of arrival does not matter.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use crate::addresses::{Judgement, OutsideOffer};
use crate::explain::Conflict;
use crate::model::{
    AppProtocol, ClusterId, Families, Family, Merged, MergedPort, RankingRule, ServiceKey, ServiceKind,
};
use crate::packed::PackedSlice;
use crate::report::{FamilyConflict, Notice, OutsideAddress, RefusedAddress};

mod backends;
mod conflicts;
mod contribution;

pub(crate) use contribution::Contribution;

use backends::{Gathered, PortIndex, Sighting, backends};

/// Hosts of one service over all its ports and clusters: ports times endpoints. One tenant's Service of 1,000 ports with 10,000
/// endpoints would be 10,000,000, and each change of one of them work for every proxy. Of those beyond this bound, the
/// oldest export's first ports are served first.
pub const MAX_HOSTS: usize = 100_000;

/// The outcome of merging one service.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub merged: Option<Merged>,
    /// What the policy of the oldest export says about ranking.
    pub rule: Option<Arc<RankingRule>>,
    /// Addresses that are not served, and the member that offered them.
    pub refused: BTreeSet<(ClusterId, RefusedAddress)>,
    /// Addresses in no member's range that are served, and the member that offered them.
    pub outside: BTreeSet<(ClusterId, OutsideAddress)>,
    /// Contributors whose address families have nothing in common with the oldest export's.
    pub family_conflicts: BTreeSet<(ClusterId, FamilyConflict)>,
    /// What the owners of the members' Services should know.
    pub notices: BTreeSet<(ClusterId, Notice)>,
    /// Where contributors differ, and who wins.
    pub conflicts: Vec<Conflict>,
    /// Hosts beyond [`MAX_HOSTS`] that are not served, by contributor.
    pub left_out: BTreeMap<ClusterId, usize>,
    /// All addresses in no member's range. They do not depend on what other members offer; everything else does, if there are any.
    pub offers: BTreeSet<OutsideOffer>,
}

/// Merges the contributions; without any, there is no merged service. O(ports and endpoints of this service, and hosts up to [`MAX_HOSTS`]).
pub(crate) fn merge(key: &ServiceKey, mut parts: Vec<Contribution<'_>>) -> Outcome {
    parts.sort_by(|a, b| (a.exported, a.cluster).cmp(&(b.exported, b.cluster)));
    let Some(oldest) = parts.first() else { return Outcome::default() };
    let (headless, affinity) = (oldest.service.kind == ServiceKind::Headless, oldest.service.affinity);
    let rule = Arc::clone(oldest.rule);
    let family = oldest.service.families.map_or_else(Family::default, Families::first);

    let mut outcome = Outcome::default();
    let mut ports = union_of_ports(&parts, &mut outcome.conflicts);
    conflicts::of_shapes(&parts, &mut outcome.conflicts);
    let index: HashMap<_, _> = ports.iter().enumerate().map(|(at, port)| ((port.port, port.protocol), at)).collect();
    let mut room = MAX_HOSTS;
    for part in &parts {
        let endpoints = usable_endpoints(key, part, &mut outcome);
        let slice_ports = PortIndex::of(&endpoints);
        for own in &*part.service.ports {
            let found = index.get(&(own.port, own.protocol)).and_then(|at| ports.get_mut(*at));
            let Some(merged) = found else {
                continue; // it lost a conflict over the port's name, so its backends must not serve the winner's port
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
    outcome.merged = Some(Merged { key: key.clone(), sources, headless, affinity, family, ports });
    outcome.rule = Some(rule);
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
fn union_of_ports(parts: &[Contribution<'_>], conflicts: &mut Vec<Conflict>) -> Vec<MergedPort> {
    let mut ports: Vec<MergedPort> = Vec::new();
    let (mut numbers, mut names) = (HashMap::new(), HashMap::new());
    for (part, own) in parts.iter().flat_map(|part| part.service.ports.iter().map(move |own| (part, own))) {
        let number = (own.port, own.protocol);
        let winner = numbers.get(&number).or_else(|| names.get(&own.name)).copied();
        if let Some((winner, won)) = winner {
            conflicts.extend(conflicts::of_ports((winner, won), (part.cluster, own)));
        } else {
            numbers.insert(number, (part.cluster, own));
            names.insert(&own.name, (part.cluster, own));
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
/// (kube-proxy ignores those as well).
fn usable_endpoints<'a>(
    key: &ServiceKey,
    part: &Contribution<'a>,
    outcome: &mut Outcome,
) -> Vec<(&'a PackedSlice, Vec<Sighting<'a>>)> {
    let is_its_own = |ip| part.service.families.is_none_or(|families: Families| families.has(Family::of(ip)));
    // The next endpoint mostly is in the same range as the one before, and need not be looked up.
    let mut own_range: Option<IpNet> = None;
    let mut usable = Vec::with_capacity(part.slices.len());
    for slice in &part.slices {
        let mut endpoints = Vec::with_capacity(slice.len());
        let of_its_families = slice.endpoints().enumerate().filter(|(_, endpoint)| is_its_own(endpoint.ip));
        for (index, endpoint) in of_its_families {
            if own_range.is_some_and(|range| range.contains(&endpoint.ip)) {
                endpoints.push(Sighting::of(slice, index, endpoint, part.nodes));
                continue;
            }
            match part.addresses.judge(endpoint.ip, &mut outcome.offers) {
                Judgement::OwnRange(range) => own_range = Some(range),
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
