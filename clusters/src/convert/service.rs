//! Services.

use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{
    Affinity, Families, Family, Namespace, Owner, Protocol, Service, ServiceKey, ServiceKind, ServicePort,
};
use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::{Converted, derived, marks, meta, owner};

/// Ports of one Service. Kubernetes knows no limit of its own.
pub const MAX_PORTS_PER_SERVICE: usize = 1_000;
/// Longest `appProtocol`, in bytes: a label key.
pub const MAX_APP_PROTOCOL_LEN: usize = 317;
/// ClusterIPs of one Service: one for each family.
const MAX_CLUSTER_IPS: usize = 2;
/// Session affinity where no timeout is given, in seconds (the API's default).
const DEFAULT_AFFINITY_S: u32 = 10_800;
/// Longest session affinity, in seconds (the API's limit).
const MAX_AFFINITY_S: i64 = 86_400;

pub fn service(object: &k8s::Service) -> Converted<Service> {
    let mut check = Check::new("Service", &object.metadata);
    let key = meta::checked_service_key(&mut check, &object.metadata);
    let (uid, resource_version) = meta::identity(&mut check, &object.metadata);
    let labels = meta::labels(&mut check, &object.metadata);
    let empty = k8s::ServiceSpec::default();
    let spec = object.spec.as_ref().unwrap_or(&empty);
    let kind = kind(&mut check, spec);
    let cluster_ips = if kind == Some(ServiceKind::ClusterIp) { cluster_ips(&mut check, spec) } else { Vec::new() };
    let families = families(&mut check, spec, &cluster_ips);
    let ports = ports(&mut check, spec.ports.as_deref().unwrap_or_default(), kind);
    let affinity = affinity(&mut check, spec);
    let owner = owner::owner(&object.metadata, used(spec));
    // What a mirror says of Helm is in its mark: that it belongs to a release is the source's affair.
    let helm = (owner == Owner::User || owner == Owner::Adopted).then(|| owner::helm(&object.metadata)).flatten();
    let node_local = node_local(&mut check, spec);
    let (derived_by, hint) = (derived::by(&object.metadata), marks::hint(&object.metadata, &labels));
    let created = meta::created(&object.metadata);
    let service = key.zip(kind).map(|(key, kind)| Service {
        key,
        uid,
        resource_version,
        created,
        labels,
        kind,
        cluster_ips,
        families,
        ports,
        affinity,
        owner,
        node_local,
        derived_by,
        hint,
        helm,
    });
    check.finish(service)
}

pub fn key_service(meta: &ObjectMeta) -> Option<ServiceKey> {
    meta::service_key(meta)
}

fn used(spec: &k8s::ServiceSpec) -> owner::Spec {
    let selects = spec.selector.as_ref().is_some_and(|selector| !selector.is_empty());
    let points = spec.type_.as_deref() == Some("ExternalName");
    if selects || points { owner::Spec::Used } else { owner::Spec::Bare }
}

/// A type that is not known, of a newer Kubernetes, is taken for what all but ExternalName are, if it has got an address.
fn kind(check: &mut Check, spec: &k8s::ServiceSpec) -> Option<ServiceKind> {
    let has_address = spec.cluster_ip.iter().chain(spec.cluster_ips.iter().flatten()).any(|ip| !ip.is_empty());
    match spec.type_.as_deref().unwrap_or("ClusterIP") {
        "ExternalName" => return Some(ServiceKind::ExternalName),
        "ClusterIP" | "NodePort" | "LoadBalancer" => {}
        other => {
            let expected = "ClusterIP, NodePort, LoadBalancer or ExternalName";
            let report = |check: &mut Check| check.report("spec.type", format!("{other:?}"), expected);
            if !has_address {
                report(check);
                return None;
            }
            check.losing("it is taken for a ClusterIP Service", report);
        }
    }
    let first = spec.cluster_ip.as_ref().or(spec.cluster_ips.as_ref().and_then(|list| list.first()));
    Some(if first.is_some_and(|ip| ip == "None") { ServiceKind::Headless } else { ServiceKind::ClusterIp })
}

/// Empty until an address is allocated.
fn cluster_ips(check: &mut Check, spec: &k8s::ServiceSpec) -> Vec<IpAddr> {
    check.losing("requests to this address are not recognised as its own", |check| {
        let list = spec.cluster_ips.as_deref().unwrap_or_default();
        if list.is_empty() {
            let one = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty());
            return one.and_then(|ip| check.ip("spec.clusterIP", ip)).into_iter().collect();
        }
        let few = check.first("spec.clusterIPs", list, MAX_CLUSTER_IPS, "addresses");
        few.iter().enumerate().filter_map(|(index, ip)| check.ip(format!("spec.clusterIPs[{index}]"), ip)).collect()
    })
}

/// The API server fills `ipFamilies` in; a Service in a file may leave it out.
fn families(check: &mut Check, spec: &k8s::ServiceSpec, cluster_ips: &[IpAddr]) -> Option<Families> {
    let mut listed = Vec::new();
    for (index, family) in spec.ip_families.iter().flatten().enumerate() {
        match family.as_str() {
            "IPv4" => listed.push(Family::V4),
            "IPv6" => listed.push(Family::V6),
            other => check.losing("the family is passed over", |check| {
                check.report(format!("spec.ipFamilies[{index}]"), format!("{other:?}"), "IPv4 or IPv6");
            }),
        }
    }
    Families::new(listed).or_else(|| Families::new(cluster_ips.iter().map(|ip| Family::of(*ip))))
}

/// A Service of which no port can be used would have no endpoints, so it is not taken.
fn ports(check: &mut Check, list: &[k8s::ServicePort], kind: Option<ServiceKind>) -> Vec<ServicePort> {
    let few = check.losing("the ports after these are not used", |check| {
        check.first("spec.ports", list, MAX_PORTS_PER_SERVICE, "ports")
    });
    if list.is_empty() && kind == Some(ServiceKind::ClusterIp) {
        check.report("spec.ports", "no port", "at least one port");
    }
    check.some_of(|check| {
        let mut ports: Vec<ServicePort> = Vec::with_capacity(few.len());
        for (index, found) in few.iter().enumerate() {
            let alone = list.len() == 1;
            let good = check.losing("the port is not used", |check| port(check, index, found, &ports, alone));
            ports.extend(good);
        }
        ports
    })
}

/// One port, if it can be distinguished from those before it.
fn port(
    check: &mut Check,
    index: usize,
    port: &k8s::ServicePort,
    before: &[ServicePort],
    alone: bool,
) -> Option<ServicePort> {
    let at = |field: &str| format!("spec.ports[{index}].{field}");
    let name = port.name.as_deref().unwrap_or_default();
    let named = if name.is_empty() {
        if !alone {
            check.report(at("name"), "nothing", "a name, because the Service has more than one port");
        }
        alone
    } else {
        check.name(at("name"), name, Namespace::new).is_some()
    };
    let protocol = protocol(check, at("protocol"), port.protocol.as_deref());
    let number: Option<u16> = check.number(at("port"), i64::from(port.port), 1..=65_535);
    let (number, protocol) = number.zip(protocol).filter(|_| named)?;
    if before.iter().any(|known| *known.name == *name) {
        check.report(at("name"), format!("{name:?} again"), "each port name once");
        return None;
    }
    if before.iter().any(|known| known.port == number && known.protocol == protocol) {
        let found = format!("{number}/{} again", protocol.as_str());
        check.report(at("port"), found, "each pair of number and protocol once");
        return None;
    }
    let app_protocol = port.app_protocol.as_deref().filter(|app| {
        check.losing("the port's name says which protocol it serves", |check| {
            check.at_most(&at("appProtocol"), app.len(), MAX_APP_PROTOCOL_LEN, "bytes")
        })
    });
    Some(ServicePort { name: Arc::from(name), port: number, protocol, app_protocol: app_protocol.map(Arc::from) })
}

pub(super) fn protocol(check: &mut Check, field: String, text: Option<&str>) -> Option<Protocol> {
    match text.unwrap_or("TCP") {
        "TCP" => Some(Protocol::Tcp),
        "UDP" => Some(Protocol::Udp),
        "SCTP" => Some(Protocol::Sctp),
        other => {
            check.report(field, format!("{other:?}"), "TCP, UDP or SCTP");
            None
        }
    }
}

/// Whether clients are to reach endpoints of their own Node only.
fn node_local(check: &mut Check, spec: &k8s::ServiceSpec) -> bool {
    match spec.internal_traffic_policy.as_deref().unwrap_or("Cluster") {
        "Cluster" | "" => false,
        "Local" => true,
        other => {
            check.losing("it is used as if it were Cluster", |check| {
                check.report("spec.internalTrafficPolicy", format!("{other:?}"), "Cluster or Local");
            });
            false
        }
    }
}

fn affinity(check: &mut Check, spec: &k8s::ServiceSpec) -> Affinity {
    match spec.session_affinity.as_deref().unwrap_or("None") {
        "None" | "" => Affinity::None,
        "ClientIP" => {
            let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
            let seconds = config.and_then(|config| config.timeout_seconds);
            let field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
            let timeout_s = check.losing("the API's default of 10800 is used", |check| {
                check.number(field, seconds.map_or(i64::from(DEFAULT_AFFINITY_S), i64::from), 1..=MAX_AFFINITY_S)
            });
            Affinity::ClientIp { timeout_s: timeout_s.unwrap_or(DEFAULT_AFFINITY_S) }
        }
        other => {
            check.losing("it has no session affinity", |check| {
                check.report("spec.sessionAffinity", format!("{other:?}"), "None or ClientIP");
            });
            Affinity::None
        }
    }
}
