//! One service over all clusters (KEP-1645): the oldest export decides, ports are a union, and endpoints for a port come
//! only from clusters that really expose it. Deterministic: the order of arrival plays no part.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use crate::cidr::{Claims, Whose};
use crate::model::{
    AppProtocol, ClusterId, Failover, Families, Family, Merged, MergedPort, Node, Service, ServiceKey, ServiceKind,
    Slice, Time,
};
use crate::report::{FamilyConflict, Trespass};

mod backends;

use backends::{Sighting, backends};

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
    /// Ranges of the contributor's network: no address in another member's range is served.
    pub claims: Option<&'a Claims>,
}

/// Addresses that a contributor offered although they lie in another member's range: who offered them, and which.
pub(crate) type Trespasses = Vec<(ClusterId, Trespass)>;

/// Contributors whose address families have nothing in common with the oldest export's.
pub(crate) type FamilyConflicts = Vec<(ClusterId, FamilyConflict)>;

/// What became of the contributions.
#[derive(Default)]
pub(crate) struct Outcome {
    /// `None`: there were none.
    pub merged: Option<Merged>,
    pub trespasses: Trespasses,
    pub family_conflicts: FamilyConflicts,
}

/// Merges the contributions. O(endpoints of this service).
pub(crate) fn merge(key: &ServiceKey, mut parts: Vec<Contribution<'_>>) -> Outcome {
    parts.sort_by(|a, b| (a.exported, a.cluster).cmp(&(b.exported, b.cluster)));
    let Some(oldest) = parts.first() else { return Outcome::default() };
    let (headless, affinity) = (oldest.service.kind == ServiceKind::Headless, oldest.service.affinity);
    let failover = Arc::clone(oldest.failover);
    let family = oldest.service.families.map_or_else(Family::default, Families::first);
    let family_conflicts = family_conflicts(key, &parts);

    let mut trespasses = Vec::new();
    let mut ports = union_of_ports(&parts);
    for part in &parts {
        let endpoints = usable_endpoints(key, part, &mut trespasses);
        for own in &part.service.ports {
            let Some(merged) =
                ports.iter_mut().find(|merged| merged.port == own.port && merged.protocol == own.protocol)
            else {
                continue; // it lost a conflict over the port's name, so its backends may not answer for the winner's port
            };
            merged.backends.extend(backends(part.cluster, &endpoints, &own.name, own.protocol));
        }
    }
    for port in &mut ports {
        port.backends.sort_by(|a, b| (&a.cluster, &a.zone).cmp(&(&b.cluster, &b.zone)));
        port.backends.shrink_to_fit();
    }
    ports.sort_by_key(|port| (port.port, port.protocol));
    ports.shrink_to_fit();
    let sources = parts.iter().map(|part| part.cluster.clone()).collect();
    let merged = Merged { key: key.clone(), sources, headless, affinity, family, ports, failover };
    Outcome { merged: Some(merged), trespasses, family_conflicts }
}

/// KEP-1645, `IPFamilyConflict`: a contributor that has no family of the oldest export's. Each of the two is unreachable
/// for clients that have only the other's family.
fn family_conflicts(key: &ServiceKey, parts: &[Contribution<'_>]) -> FamilyConflicts {
    let Some((oldest, theirs)) = parts.first().and_then(|oldest| Some((oldest.cluster, oldest.service.families?)))
    else {
        return Vec::new();
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
    for own in parts.iter().flat_map(|part| &part.service.ports) {
        let known = ports.iter().any(|port| port.port == own.port && port.protocol == own.protocol);
        let name_taken = ports.iter().any(|port| port.name == own.name);
        if !known && !name_taken {
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

/// The contributor's slices without addresses that belong to somebody else or are of a family that its Service does not
/// have (kube-proxy passes over those, too).
fn usable_endpoints<'a>(
    key: &ServiceKey,
    part: &Contribution<'a>,
    trespasses: &mut Trespasses,
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
            match part.claims.map(|claims| claims.whose(endpoint.ip, part.cluster)) {
                Some(Whose::Anothers(owner)) => {
                    let trespass = Trespass { service: key.clone(), ip: endpoint.ip, owner: owner.clone() };
                    trespasses.push((part.cluster.clone(), trespass));
                    continue;
                }
                Some(Whose::Own(range)) => home = Some(range),
                Some(Whose::Nobodys) | None => {}
            }
            endpoints.push(Sighting::of(slice, index, endpoint, part.nodes));
        }
        usable.push((*slice, endpoints));
    }
    usable
}
