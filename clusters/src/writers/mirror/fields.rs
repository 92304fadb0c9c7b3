//! Our claims on a mirror's fields.
//!
//! A create makes its author the owner of every field, defaults such as `targetPort` included, and server-side apply by
//! another tool (Helm 4, Argo CD, kubectl) is refused for every field that differs and is owned by another manager. A
//! mirror must not be in the way of the object it represents, so our claims are cut down to what we really say.

use k8s_openapi::api::core::v1::{Service, ServicePort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use serde_json::{Map, Value, json};

use crate::api::FIELD_MANAGER;
use crate::convert::is_ours;

const APPLY: &str = "Apply";

/// Whether we own nothing but what we applied.
pub(in crate::writers) fn are_settled(found: &Service) -> bool {
    let mut ours = found.metadata.managed_fields.iter().flatten().filter(|entry| is_ours(entry));
    ours.all(|entry| entry.operation.as_deref() == Some(APPLY))
}

/// Replaces all claims of ours by one, as a server-side apply of `wanted` would have made it.
pub(in crate::writers) fn settle(found: &mut Service, wanted: &Service) {
    let time = found.metadata.creation_timestamp.clone();
    let entries = found.metadata.managed_fields.get_or_insert_default();
    entries.retain(|entry| !is_ours(entry));
    entries.push(ManagedFieldsEntry {
        manager: Some(FIELD_MANAGER.to_owned()),
        operation: Some(APPLY.to_owned()),
        api_version: Some("v1".to_owned()),
        fields_type: Some("FieldsV1".to_owned()),
        fields_v1: Some(FieldsV1(claimed(wanted))),
        time,
        subresource: None,
    });
}

/// The name of a port's entry in the set of claimed fields: ports are a map by number and protocol.
pub(in crate::writers) fn port_key(port: &ServicePort) -> String {
    format!("k:{{\"port\":{},\"protocol\":\"{}\"}}", port.port, port.protocol.as_deref().unwrap_or("TCP"))
}

fn claimed(wanted: &Service) -> Value {
    let keys = |map: &Option<std::collections::BTreeMap<String, String>>| -> Map<String, Value> {
        map.iter().flatten().map(|(key, _)| (format!("f:{key}"), json!({}))).collect()
    };
    let mut spec = Map::new();
    if let Some(wanted) = &wanted.spec {
        if wanted.cluster_ip.is_some() {
            spec.insert("f:clusterIP".to_owned(), json!({}));
        }
        if wanted.session_affinity.is_some() {
            spec.insert("f:sessionAffinity".to_owned(), json!({}));
        }
        if wanted.session_affinity_config.is_some() {
            let config = json!({"f:clientIP": {"f:timeoutSeconds": {}}});
            spec.insert("f:sessionAffinityConfig".to_owned(), config);
        }
        let ports: Map<String, Value> = wanted.ports.iter().flatten().map(|p| (port_key(p), claimed_port(p))).collect();
        if !ports.is_empty() {
            spec.insert("f:ports".to_owned(), Value::Object(ports));
        }
    }
    json!({
        "f:metadata": {"f:labels": keys(&wanted.metadata.labels), "f:annotations": keys(&wanted.metadata.annotations)},
        "f:spec": spec,
    })
}

fn claimed_port(port: &ServicePort) -> Value {
    let mut fields = json!({".": {}, "f:port": {}, "f:protocol": {}});
    if let Some(fields) = fields.as_object_mut() {
        if port.name.is_some() {
            fields.insert("f:name".to_owned(), json!({}));
        }
        if port.app_protocol.is_some() {
            fields.insert("f:appProtocol".to_owned(), json!({}));
        }
    }
    fields
}
