//! Services.

use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{Affinity, Namespace, Owner, Protocol, Service, ServiceKey, ServiceKind, ServicePort};
use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::{Converted, meta, owner};

/// Ports of one Service. Kubernetes knows no limit of its own.
pub const MAX_PORTS_PER_SERVICE: usize = 1_000;
/// Longest `appProtocol`, in bytes: a label key.
pub const MAX_APP_PROTOCOL_LEN: usize = 317;
/// ClusterIPs of one Service: one for each family.
const MAX_CLUSTER_IPS: usize = 2;
/// Session affinity where no timeout is given, in seconds (the API's default).
const DEFAULT_AFFINITY_S: i64 = 10_800;
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
    let ports = ports(&mut check, spec.ports.as_deref().unwrap_or_default());
    if kind == Some(ServiceKind::ClusterIp) && spec.ports.as_ref().is_none_or(Vec::is_empty) {
        check.report("spec.ports", "no port", "at least one port");
    }
    let affinity = affinity(&mut check, spec);
    let owner = owner::owner(&object.metadata, used(spec));
    // What a mirror says of Helm is in its mark: that it belongs to a release is the source's affair.
    let helm = (owner == Owner::User || owner == Owner::Adopted).then(|| owner::helm(&object.metadata)).flatten();
    let created = meta::created(&object.metadata);
    let service = key.zip(kind).map(|(key, kind)| Service {
        key,
        uid,
        resource_version,
        created,
        labels,
        kind,
        cluster_ips,
        ports,
        affinity,
        owner,
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

fn kind(check: &mut Check, spec: &k8s::ServiceSpec) -> Option<ServiceKind> {
    match spec.type_.as_deref().unwrap_or("ClusterIP") {
        "ExternalName" => Some(ServiceKind::ExternalName),
        "ClusterIP" | "NodePort" | "LoadBalancer" if spec.cluster_ip.as_deref() == Some("None") => {
            Some(ServiceKind::Headless)
        }
        "ClusterIP" | "NodePort" | "LoadBalancer" => Some(ServiceKind::ClusterIp),
        other => {
            check.report("spec.type", format!("{other:?}"), "ClusterIP, NodePort, LoadBalancer or ExternalName");
            None
        }
    }
}

/// Empty until an address is allocated.
fn cluster_ips(check: &mut Check, spec: &k8s::ServiceSpec) -> Vec<IpAddr> {
    let list = spec.cluster_ips.as_deref().unwrap_or_default();
    if list.is_empty() {
        let one = spec.cluster_ip.as_deref().filter(|ip| !ip.is_empty());
        return one.and_then(|ip| check.ip("spec.clusterIP", ip)).into_iter().collect();
    }
    if !check.at_most("spec.clusterIPs", list.len(), MAX_CLUSTER_IPS, "addresses") {
        return Vec::new();
    }
    list.iter().enumerate().filter_map(|(index, ip)| check.ip(format!("spec.clusterIPs[{index}]"), ip)).collect()
}

fn ports(check: &mut Check, list: &[k8s::ServicePort]) -> Vec<ServicePort> {
    if !check.at_most("spec.ports", list.len(), MAX_PORTS_PER_SERVICE, "ports") {
        return Vec::new();
    }
    let mut ports: Vec<ServicePort> = Vec::with_capacity(list.len());
    let mut names = std::collections::BTreeSet::new();
    let mut numbers = std::collections::BTreeSet::new();
    for (index, port) in list.iter().enumerate() {
        let at = |field: &str| format!("spec.ports[{index}].{field}");
        let name = port.name.as_deref().unwrap_or_default();
        if name.is_empty() && list.len() > 1 {
            check.report(at("name"), "nothing", "a name, because the Service has more than one port");
        } else if !name.is_empty() && check.name(at("name"), name, Namespace::new).is_some() && !names.insert(name) {
            check.report(at("name"), format!("{name:?} again"), "each port name once");
        }
        let protocol = protocol(check, at("protocol"), port.protocol.as_deref());
        let number: Option<u16> = check.number(at("port"), i64::from(port.port), 1..=65_535);
        let (Some(number), Some(protocol)) = (number, protocol) else { continue };
        if !numbers.insert((number, protocol)) {
            let found = format!("{number}/{} again", protocol.as_str());
            check.report(at("port"), found, "each pair of number and protocol once");
        }
        if let Some(app) = &port.app_protocol
            && app.len() > MAX_APP_PROTOCOL_LEN
        {
            let expected = format!("at most {MAX_APP_PROTOCOL_LEN} bytes");
            check.report(at("appProtocol"), format!("{} bytes", app.len()), expected);
        }
        ports.push(ServicePort {
            name: Arc::from(name),
            port: number,
            protocol,
            app_protocol: port.app_protocol.as_deref().map(Arc::from),
        });
    }
    ports
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

fn affinity(check: &mut Check, spec: &k8s::ServiceSpec) -> Affinity {
    match spec.session_affinity.as_deref().unwrap_or("None") {
        "None" | "" => Affinity::None,
        "ClientIP" => {
            let config = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
            let seconds = config.and_then(|config| config.timeout_seconds).map_or(DEFAULT_AFFINITY_S, i64::from);
            let field = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
            let timeout_s = check.number(field, seconds, 1..=MAX_AFFINITY_S);
            timeout_s.map_or(Affinity::None, |timeout_s| Affinity::ClientIp { timeout_s })
        }
        other => {
            check.report("spec.sessionAffinity", format!("{other:?}"), "None or ClientIP");
            Affinity::None
        }
    }
}
