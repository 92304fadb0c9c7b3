//! Letting go of a mirror that a user, or a user's tool, took over: our marks and our claims go, and so does what only
//! we had put into the spec. What the user means to have stays, although it may look as if we had written it: a client
//! that computes a patch does not send what is the same already, and leaves no claim on it.

#[cfg(test)]
mod tests;

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use super::fields::port_key;
use super::objects::remove_helm;
use crate::api::{
    ANNOTATION_HELM_NAME, ANNOTATION_HUB, ANNOTATION_LAST_APPLIED, ANNOTATION_SOURCES, LABEL_MANAGED_BY, LABEL_MIRROR,
    MANAGED_BY, MANAGED_BY_HELM,
};
use crate::convert::{Accepted, Convert as _, claims, helm_claimed, is_ours, others};
use federation::model::Owner;

/// Takes everything of ours off an object that was taken over; false if it was not.
pub(in crate::writers) fn release(found: &mut Service) -> bool {
    if !matches!(found.convert(), Ok(Accepted { object: Some(model), .. }) if model.owner == Owner::Adopted) {
        return false;
    }
    let intent = Intent::of(found);
    release_ports(found, &intent);
    release_affinity(found, &intent);
    release_marks(found, &intent);
    found.metadata.managed_fields.get_or_insert_default().retain(|entry| !is_ours(entry));
    true
}

/// What its new owner means the object to be, as far as the object shows.
enum Intent {
    /// As it was applied by a client.
    Applied(Value),
    /// What other managers claim is everything in it, because one of them applied it through the server.
    Claimed,
    /// A tool patched what differed. Everything that is there may be meant.
    Unknown,
}

impl Intent {
    fn of(found: &Service) -> Self {
        let annotations = found.metadata.annotations.as_ref();
        let applied = annotations.and_then(|annotations| annotations.get(ANNOTATION_LAST_APPLIED));
        if let Some(applied) = applied.and_then(|text| serde_json::from_str(text).ok()) {
            return Self::Applied(applied);
        }
        let by_server = |entry: &ManagedFieldsEntry| entry.operation.as_deref() == Some("Apply");
        match others(&found.metadata).any(|entry| by_server(entry) && claims(entry, &["f:spec"])) {
            true => Self::Claimed,
            false => Self::Unknown,
        }
    }

    /// The port as it was applied.
    fn port(&self, port: &ServicePort) -> Option<&Value> {
        let Self::Applied(object) = self else { return None };
        let protocol = |found: &Value| found.get("protocol").and_then(Value::as_str).unwrap_or("TCP").to_owned();
        let same = |found: &&Value| {
            found.get("port").and_then(Value::as_i64) == Some(i64::from(port.port))
                && protocol(found) == port.protocol.as_deref().unwrap_or("TCP")
        };
        object.pointer("/spec/ports")?.as_array()?.iter().find(same)
    }

    fn has_helm(&self) -> bool {
        match self {
            Self::Applied(object) => {
                let annotations = object.pointer("/metadata/annotations");
                annotations.is_some_and(|annotations| annotations.get(ANNOTATION_HELM_NAME).is_some())
            }
            Self::Claimed => false,
            Self::Unknown => true,
        }
    }
}

fn release_ports(found: &mut Service, intent: &Intent) {
    if matches!(intent, Intent::Unknown) {
        return;
    }
    let entries: Vec<ManagedFieldsEntry> = others(&found.metadata).cloned().collect();
    let Some(ports) = found.spec.as_mut().and_then(|spec| spec.ports.as_mut()) else { return };
    let claimed = |port: &ServicePort, field: Option<&str>| {
        let key = port_key(port);
        let path: Vec<&str> = ["f:spec", "f:ports", &key].into_iter().chain(field).collect();
        entries.iter().any(|entry| claims(entry, &path))
    };
    let is_meant = |port: &ServicePort| intent.port(port).is_some() || claimed(port, None);
    // A Service without any port would be refused.
    if !ports.iter().any(is_meant) {
        return;
    }
    ports.retain(is_meant);
    for port in ports {
        let is_meant = |name: &str| {
            let applied = intent.port(port).is_some_and(|applied| applied.get(name).is_some());
            applied || claimed(port, Some(&format!("f:{name}")))
        };
        let (name, app_protocol) = (is_meant("name"), is_meant("appProtocol"));
        port.name.take_if(|_| !name);
        port.app_protocol.take_if(|_| !app_protocol);
    }
}

fn release_affinity(found: &mut Service, intent: &Intent) {
    let applied = matches!(intent, Intent::Applied(object) if object.pointer("/spec/sessionAffinity").is_some());
    let claimed = others(&found.metadata).any(|entry| claims(entry, &["f:spec", "f:sessionAffinity"]));
    if matches!(intent, Intent::Unknown) || applied || claimed {
        return;
    }
    if let Some(spec) = &mut found.spec {
        (spec.session_affinity, spec.session_affinity_config) = (None, None);
    }
}

fn release_marks(found: &mut Service, intent: &Intent) {
    let helm_stays = intent.has_helm() || helm_claimed(&found.metadata);
    let labels = found.metadata.labels.get_or_insert_default();
    let annotations = found.metadata.annotations.get_or_insert_default();
    labels.remove(LABEL_MIRROR);
    annotations.remove(ANNOTATION_SOURCES);
    annotations.remove(ANNOTATION_HUB);
    match labels.get(LABEL_MANAGED_BY).map(String::as_str) {
        Some(MANAGED_BY) => _ = labels.remove(LABEL_MANAGED_BY),
        Some(MANAGED_BY_HELM) if !helm_stays => {
            labels.remove(LABEL_MANAGED_BY);
            remove_helm(annotations);
        }
        _ => {}
    }
}
