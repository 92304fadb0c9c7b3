//! Mirrors as Kubernetes objects: how they are written, and whether one that stands is as it should be.

use std::collections::BTreeMap;

use federation::MirrorService;
use federation::model::{Affinity, ClusterId, Namespace as NamespaceName, Owner, ServiceKey, ServiceKind};
use k8s_openapi::api::core::v1::{ClientIPConfig, Namespace, Service, ServicePort, ServiceSpec, SessionAffinityConfig};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{ANNOTATION_SOURCES, FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_MIRROR, MANAGED_BY};
use crate::convert::{Accepted, Convert};

/// `spec.clusterIP` of a headless Service.
const HEADLESS: &str = "None";

pub(super) fn namespace(name: &NamespaceName) -> Namespace {
    let metadata = ObjectMeta { name: Some(name.to_string()), labels: Some(labels()), ..ObjectMeta::default() };
    Namespace { metadata, ..Namespace::default() }
}

pub(super) fn service(key: &ServiceKey, wish: &MirrorService) -> Service {
    Service {
        metadata: ObjectMeta {
            namespace: Some(key.namespace.to_string()),
            name: Some(key.name.to_string()),
            labels: Some(labels()),
            annotations: Some(annotations(&wish.sources)),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: wish.headless.then(|| HEADLESS.to_owned()),
            session_affinity: Some(affinity_name(wish.affinity).to_owned()),
            session_affinity_config: affinity_config(wish.affinity),
            ports: (!wish.ports.is_empty()).then(|| wish.ports.iter().map(port).collect()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

fn affinity_name(affinity: Affinity) -> &'static str {
    match affinity {
        Affinity::None => "None",
        Affinity::ClientIp { .. } => "ClientIP",
    }
}

fn affinity_config(affinity: Affinity) -> Option<SessionAffinityConfig> {
    let Affinity::ClientIp { timeout_s } = affinity else { return None };
    let client_ip = ClientIPConfig { timeout_seconds: i32::try_from(timeout_s).ok() };
    Some(SessionAffinityConfig { client_ip: Some(client_ip) })
}

/// What an object in a member is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Somebody else's, or there is doubt, or it cannot be changed into what is wished (`clusterIP` is fixed when a
    /// Service is made): the engine judges anew when its watch shows the object.
    NotForUs,
    AsWished,
    Different,
}

pub(super) fn compare(found: &Service, wish: &MirrorService) -> Standing {
    let Ok(Accepted { object: Some(model), .. }) = found.convert() else { return Standing::NotForUs };
    let Owner::Mirror { sources } = &model.owner else { return Standing::NotForUs };
    if (model.kind == ServiceKind::Headless) != wish.headless {
        return Standing::NotForUs;
    }
    let sorted = |ports: &[federation::model::ServicePort]| {
        let mut ports = ports.to_vec();
        ports.sort();
        ports
    };
    let kind = found.spec.as_ref().and_then(|spec| spec.type_.as_deref()).unwrap_or("ClusterIP");
    let same = model.affinity == wish.affinity
        && sorted(&model.ports) == sorted(&wish.ports)
        && *sources == wish.sources
        && kind == "ClusterIP";
    if same { Standing::AsWished } else { Standing::Different }
}

/// Makes our fields of an object that stands exactly what they should be, and leaves all others.
pub(super) fn overwrite(found: &mut Service, wanted: &Service) {
    found.metadata.labels.get_or_insert_default().extend(labels());
    found.metadata.annotations.get_or_insert_default().extend(wanted.metadata.annotations.clone().unwrap_or_default());
    if let (Some(spec), Some(wanted)) = (&mut found.spec, &wanted.spec) {
        spec.type_.clone_from(&wanted.type_);
        spec.ports.clone_from(&wanted.ports);
        spec.session_affinity.clone_from(&wanted.session_affinity);
        spec.session_affinity_config.clone_from(&wanted.session_affinity_config);
    }
}

/// Takes everything of ours off an object that its user adopted; false if there is nothing to take off, or if it still
/// is our mirror.
pub(super) fn release(found: &mut Service) -> bool {
    if matches!(found.convert(), Ok(Accepted { object: Some(model), .. }) if model.is_mirror()) {
        return false;
    }
    let meta = &mut found.metadata;
    let labels = meta.labels.get_or_insert_default();
    if labels.remove(LABEL_MIRROR).is_none() {
        return false;
    }
    // The user's own value of the common label stays.
    if labels.get(LABEL_MANAGED_BY).map(String::as_str) == Some(MANAGED_BY) {
        labels.remove(LABEL_MANAGED_BY);
    }
    meta.annotations.get_or_insert_default().remove(ANNOTATION_SOURCES);
    if let Some(entries) = &mut meta.managed_fields {
        entries.retain(|entry| entry.manager.as_deref() != Some(FIELD_MANAGER));
    }
    true
}

fn labels() -> BTreeMap<String, String> {
    [(LABEL_MANAGED_BY, MANAGED_BY), (LABEL_MIRROR, "true")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

fn annotations(sources: &[ClusterId]) -> BTreeMap<String, String> {
    let sources: Vec<_> = sources.iter().map(ClusterId::as_str).collect();
    [(ANNOTATION_SOURCES.to_owned(), sources.join(","))].into()
}

/// `targetPort` is left out: without a selector nothing uses it, and the API server sets it to the port's number.
fn port(port: &federation::model::ServicePort) -> ServicePort {
    ServicePort {
        name: (!port.name.is_empty()).then(|| port.name.to_string()),
        port: i32::from(port.port),
        protocol: Some(port.protocol.as_str().to_owned()),
        app_protocol: port.app_protocol.as_deref().map(str::to_owned),
        ..ServicePort::default()
    }
}
