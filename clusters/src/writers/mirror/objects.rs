//! Mirrors as Kubernetes objects: how they are written, and whether one that exists is as it should be.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use federation::desired::{MirrorNamespace, MirrorService};
use federation::model::{Affinity, ClusterId, Digest, HelmRelease, Owner, Service as Model, ServiceKind};
use k8s_openapi::api::core::v1::{ClientIPConfig, Namespace, Service, ServicePort, ServiceSpec, SessionAffinityConfig};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{
    ANNOTATION_HELM_NAME, ANNOTATION_HELM_NAMESPACE, ANNOTATION_HUB, ANNOTATION_SOURCES, LABEL_MANAGED_BY,
    LABEL_MIRROR, MANAGED_BY, MANAGED_BY_HELM,
};
use crate::convert::{self, Accepted, Convert};

/// `spec.clusterIP` of a headless Service.
const HEADLESS: &str = "None";
const CLUSTER_IP: &str = "ClusterIP";
const CLIENT_IP: &str = "ClientIP";

pub(in crate::writers) fn namespace(desired: &MirrorNamespace, hub: &str) -> Namespace {
    let helm = desired.helm.as_deref();
    let metadata = ObjectMeta {
        name: Some(desired.name.to_string()),
        labels: Some(labels(helm)),
        annotations: Some(annotations(hub, None, helm)),
        ..ObjectMeta::default()
    };
    Namespace { metadata, ..Namespace::default() }
}

/// Only what a mirror must have: each field that is written here is one that another tool's server-side apply can
/// conflict with. What is the default is left to it.
pub(in crate::writers) fn service(desired: &MirrorService, hub: &str) -> Service {
    let (key, helm) = (&desired.key, desired.helm.as_deref());
    Service {
        metadata: ObjectMeta {
            namespace: Some(key.namespace.to_string()),
            name: Some(key.name.to_string()),
            labels: Some(labels(helm)),
            annotations: Some(annotations(hub, Some(&desired.sources), helm)),
            ..ObjectMeta::default()
        },
        spec: Some(ServiceSpec {
            cluster_ip: desired.headless.then(|| HEADLESS.to_owned()),
            session_affinity: affinity(desired.affinity).map(|_| CLIENT_IP.to_owned()),
            session_affinity_config: affinity(desired.affinity),
            ports: (!desired.ports.is_empty()).then(|| desired.ports.iter().map(port).collect()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// What an object in a member is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::writers) enum Standing {
    /// Another owner's, or there is doubt, or it cannot be changed into what is desired (`clusterIP` is fixed when a
    /// Service is made): the engine decides again when its watch shows the object.
    NotForUs,
    AsDesired,
    Different,
}

pub(in crate::writers) fn compare(found: &Service, desired: &MirrorService, hub: &str) -> Standing {
    let Ok(Accepted { object: Some(model), .. }) = found.convert() else { return Standing::NotForUs };
    if (model.kind == ServiceKind::Headless) != desired.headless {
        return Standing::NotForUs;
    }
    let hub = Digest::of(hub);
    match &model.owner {
        Owner::Mirror(mark) if mark.hub == hub && fits(&model, found, desired) => Standing::AsDesired,
        // Another hub's, in a member that this hub holds: it was taken over.
        Owner::Mirror(_) => Standing::Different,
        Owner::Restored(mark) if mark.hub == hub => Standing::Different,
        Owner::Restored(_) | Owner::Lookalike | Owner::User | Owner::Adopted => Standing::NotForUs,
    }
}

fn fits(model: &Model, found: &Service, desired: &MirrorService) -> bool {
    let sorted = |ports: &[federation::model::ServicePort]| {
        let mut ports = ports.to_vec();
        ports.sort();
        ports
    };
    let Some(mark) = model.mark() else { return false };
    let helm = mark.helm_claimed || mark.helm == HelmRelease::digest(desired.helm.as_deref());
    let kind = found.spec.as_ref().and_then(|spec| spec.type_.as_deref()).unwrap_or(CLUSTER_IP);
    let spec =
        model.affinity == desired.affinity && sorted(&model.ports) == sorted(&desired.ports) && kind == CLUSTER_IP;
    helm && mark.sources == desired.sources && spec
}

/// Leaves out what another client wrote on the object that is there to prepare its adoption by Helm.
pub(in crate::writers) fn respect(wanted: &mut Service, found: &Service) {
    if convert::helm_claimed(&found.metadata) {
        wanted.metadata.labels.get_or_insert_default().remove(LABEL_MANAGED_BY);
        remove_helm(wanted.metadata.annotations.get_or_insert_default());
    }
}

/// Makes our fields of an object exactly what they should be, and leaves all others.
pub(in crate::writers) fn overwrite(found: &mut Service, wanted: &Service) {
    let annotations = found.metadata.annotations.get_or_insert_default();
    if wanted.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(LABEL_MANAGED_BY)) {
        remove_helm(annotations);
    }
    annotations.extend(wanted.metadata.annotations.clone().unwrap_or_default());
    found.metadata.labels.get_or_insert_default().extend(wanted.metadata.labels.clone().unwrap_or_default());
    if let (Some(spec), Some(wanted)) = (&mut found.spec, &wanted.spec) {
        spec.type_ = Some(CLUSTER_IP.to_owned());
        spec.ports.clone_from(&wanted.ports);
        spec.session_affinity.clone_from(&wanted.session_affinity);
        spec.session_affinity_config.clone_from(&wanted.session_affinity_config);
    }
}

/// No affinity is the default, and is left to it.
fn affinity(affinity: Affinity) -> Option<SessionAffinityConfig> {
    let Affinity::ClientIp { timeout_s } = affinity else { return None };
    let client_ip = ClientIPConfig { timeout_seconds: i32::try_from(timeout_s).ok() };
    Some(SessionAffinityConfig { client_ip: Some(client_ip) })
}

pub(in crate::writers) fn remove_helm(annotations: &mut BTreeMap<String, String>) {
    for key in [ANNOTATION_HELM_NAME, ANNOTATION_HELM_NAMESPACE] {
        annotations.remove(key);
    }
}

fn labels(helm: Option<&HelmRelease>) -> BTreeMap<String, String> {
    let manager = if helm.is_some() { MANAGED_BY_HELM } else { MANAGED_BY };
    [(LABEL_MANAGED_BY, manager), (LABEL_MIRROR, "true")].map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

fn annotations(hub: &str, sources: Option<&[ClusterId]>, helm: Option<&HelmRelease>) -> BTreeMap<String, String> {
    let sources = sources.map(|ids| ids.iter().map(ClusterId::as_str).collect::<Vec<_>>().join(","));
    let sources = sources.map(|text| (ANNOTATION_SOURCES, text));
    let helm = helm.into_iter().flat_map(|release| {
        [(ANNOTATION_HELM_NAME, release.name.to_string()), (ANNOTATION_HELM_NAMESPACE, release.namespace.to_string())]
    });
    let all = std::iter::once((ANNOTATION_HUB, hub.to_owned())).chain(sources).chain(helm);
    all.map(|(key, text)| (key.to_owned(), text)).collect()
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
