//! One service over all clusters (KEP-1645): the oldest export decides, ports are a union, and endpoints for a port come
//! only from clusters that really expose it. Deterministic: the order of arrival plays no part.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::addresses::{Judgement, Offer, Rules};
use crate::model::{
    AppProtocol, Backend, ClusterId, Endpoint, Failover, Health, Host, Merged, MergedPort, Protocol, Service,
    ServiceKey, ServiceKind, Slice, Time, Zone,
};
use crate::report::{Notice, OutsideAddress, RefusedAddress};

/// One cluster's part in a service.
pub(crate) struct Contribution<'a> {
    pub cluster: &'a ClusterId,
    pub service: &'a Service,
    /// When it was exported: the `ServiceExport`'s creation, else the Service's own.
    pub exported: Time,
    pub slices: Vec<&'a Slice>,
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
    /// What the owners of the members' Services should know.
    pub notices: BTreeSet<(ClusterId, Notice)>,
    /// All addresses in nobody's range. They do not depend on what others offer, but all else here does, if there are any.
    pub offers: BTreeSet<Offer>,
}

/// Merges the contributions; nothing comes of none. O(endpoints of this service).
pub(crate) fn merge(key: &ServiceKey, mut parts: Vec<Contribution<'_>>) -> Outcome {
    parts.sort_by(|a, b| (a.exported, a.cluster).cmp(&(b.exported, b.cluster)));
    let Some(oldest) = parts.first() else { return Outcome::default() };
    let (headless, affinity) = (oldest.service.kind == ServiceKind::Headless, oldest.service.affinity);
    let failover = Arc::clone(oldest.failover);

    let mut outcome = Outcome::default();
    let mut ports = union_of_ports(&parts);
    for part in &parts {
        let endpoints = usable_endpoints(key, part, &mut outcome);
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
    outcome.merged = Some(Merged { key: key.clone(), sources, headless, affinity, ports, failover });
    outcome
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

/// The contributor's slices without addresses that must not be served and, on dual stack, of its primary family
/// only: a pod with two addresses is one backend.
fn usable_endpoints<'a>(
    key: &ServiceKey,
    part: &Contribution<'a>,
    outcome: &mut Outcome,
) -> Vec<(&'a Slice, Vec<&'a Endpoint>)> {
    let primary_is_v4 = part.service.cluster_ips.first().map(std::net::IpAddr::is_ipv4);
    let has_v4 = || part.slices.iter().flat_map(|slice| &slice.endpoints).any(|endpoint| endpoint.ip.is_ipv4());
    let want_v4 = primary_is_v4.unwrap_or_else(has_v4);
    // Endpoints are neighbours: where one is at home, the next one mostly is as well, and need not be looked up.
    let mut home: Option<IpNet> = None;
    let mut usable = Vec::with_capacity(part.slices.len());
    for slice in &part.slices {
        let mut endpoints = Vec::with_capacity(slice.endpoints.len());
        for endpoint in slice.endpoints.iter().filter(|endpoint| endpoint.ip.is_ipv4() == want_v4) {
            if home.is_some_and(|home| home.contains(&endpoint.ip)) {
                endpoints.push(endpoint);
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
            endpoints.push(endpoint);
        }
        usable.push((*slice, endpoints));
    }
    usable
}

/// Hosts of one port by zone. An address that two slices hold is one host, in its best state: while the EndpointSlice
/// controller moves an endpoint from slice to slice it may stand in both.
fn backends<'a>(
    cluster: &ClusterId,
    endpoints: &[(&Slice, Vec<&'a Endpoint>)],
    name: &str,
    protocol: Protocol,
) -> Vec<Backend> {
    let mut found: Vec<(SocketAddr, Health, Option<&Zone>)> = Vec::new();
    for (slice, endpoints) in endpoints {
        for port in slice.ports.iter().filter(|port| *port.name == *name && port.protocol == protocol) {
            let host = |endpoint: &&'a Endpoint| {
                (SocketAddr::new(endpoint.ip, port.port), endpoint.health, endpoint.zone.as_ref())
            };
            found.extend(endpoints.iter().map(host));
        }
    }
    found.sort_unstable(); // by address, and then the best first
    found.dedup_by_key(|(address, ..)| *address);
    let mut zones: BTreeMap<Option<&Zone>, Vec<Host>> = BTreeMap::new();
    for (address, health, zone) in found {
        zones.entry(zone).or_default().push(Host::new(address, health));
    }
    let backend = |(zone, mut hosts): (Option<&Zone>, Vec<Host>)| {
        hosts.shrink_to_fit(); // there are millions, and none of these vectors ever grows
        Backend { cluster: cluster.clone(), zone: zone.cloned(), hosts }
    };
    zones.into_iter().map(backend).collect()
}
