//! Fuzz target: Kubernetes objects with values of other types, extremes, and texts where they do not belong. What is taken of
//! them can be recorded: no limit of the encoding is in the way of what a source takes.

use federation::change::{Batch, Delta, Epoch, HubChanges, MemberChanges};
use federation::model::ClusterId;
use fuzzing::{edited_tree, run};
use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::ServiceCIDR;
use serde_json::{Value, json};

use super::*;
use crate::api::{FederationPolicy, MemberCluster, Region, ServiceExport};

const WORDS: [&str; 18] = [
    "isthmus.dev/federate",
    "isthmus.dev/mirror",
    "app.kubernetes.io/managed-by",
    "isthmus",
    "Helm",
    "ServiceImport",
    "kubernetes.io/service-name",
    "None",
    "ExternalName",
    "ClientIP",
    "IPv6",
    "FQDN",
    "SCTP",
    "Local",
    "10.0.0.0/8",
    "fd00::/200",
    "shop-*",
    "2026-01-01T00:00:00Z",
];

/// A valid object of each kind.
fn documents() -> Vec<Value> {
    let meta = json!({
        "name": "web", "namespace": "shop", "uid": "u-1", "resourceVersion": "7", "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"isthmus.dev/federate": "true", "kubernetes.io/service-name": "web", "topology.kubernetes.io/zone": "z1"},
        "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop"},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Service", "name": "web", "uid": "u-2"}],
        "managedFields": [{"manager": "isthmus", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:spec": {"f:ports": {}, "f:selector": {}}, "f:metadata": {"f:labels": {"f:a": {}}}}}],
    });
    vec![
        json!({"metadata": meta, "spec": {
            "type": "ClusterIP", "clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9", "fd00::9"],
            "ipFamilies": ["IPv4", "IPv6"], "sessionAffinity": "ClientIP", "internalTrafficPolicy": "Cluster",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 30}}, "selector": {"app": "web"},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "appProtocol": "grpc", "targetPort": "web"}]}}),
        json!({"metadata": meta, "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"], "zone": "z1", "nodeName": "n1", "hostname": "web-0",
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "targetRef": {"kind": "Pod", "name": "web-0", "uid": "p-1"}}],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http"}]}),
        json!({"metadata": meta, "spec": {"podCIDR": "10.0.1.0/24", "podCIDRs": ["10.0.1.0/24", "fd00:1::/64"]},
            "status": {"addresses": [{"type": "InternalIP", "address": "172.16.0.1"}], "phase": "Active"}}),
        json!({"metadata": meta, "spec": {"cidrs": ["10.96.0.0/16", "fd00:96::/112"]}}),
        json!({"metadata": meta, "spec": {"failover": ["us", "ap"]}}),
        json!({"metadata": meta, "spec": {"region": "eu", "network": "vpc", "kubeconfigSecretRef": {"name": "web"},
            "cidrs": {"pods": ["10.0.0.0/16"], "services": ["10.96.0.0/16"]}, "exports": {"namespaces": ["shop-*"]},
            "traffic": "Drained", "weight": 5},
            "status": {"admission": {"at": "2026-01-01T00:00:00Z", "clusterUid": "u-1", "podCidrs": ["10.0.0.0/16"],
                "serviceCidrs": ["10.96.0.0/16"]}}}),
        json!({"metadata": meta, "spec": {"federate": "All", "reservedCidrs": ["192.168.0.0/16"], "strictCidrs": true,
            "selector": {"namespaces": {"matchLabels": {"team": "a"}}, "services": {"matchLabels": {"tier": "front"}}},
            "failover": {"tiers": ["Zone", "Any"], "clusters": [{"cluster": "eu-1", "weight": 3}]}}}),
    ]
}

fn member(changes: MemberChanges) -> Batch {
    Batch::Member { cluster: ClusterId::new("eu-1").unwrap(), epoch: Epoch(1), changes }
}

/// Converts it, if it is an object of this type at all; what was taken must be decoded as it was after it was encoded.
fn tried<T: Convert + DeserializeOwned>(value: &Value, batch: impl Fn(Delta<T::Model>) -> Batch) -> bool {
    let Ok(object) = serde_json::from_value::<T>(value.clone()) else { return false };
    let taken = match object.convert() {
        Ok(Accepted { object, .. }) => object,
        Err(problems) => {
            assert!(!problems.is_empty(), "what is rejected is rejected for a reason");
            None
        }
    };
    let Some(model) = taken else { return false };
    let batch = batch(Delta::put(model));
    let bytes = wire::encode(&batch).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(wire::decode(&bytes).unwrap_or_else(|error| panic!("{error}")), batch);
    true
}

fn taken_as_any(value: &Value) -> usize {
    [
        tried::<Region>(value, |delta| Batch::Hub(HubChanges::Regions(delta))),
        tried::<MemberCluster>(value, |delta| Batch::Hub(HubChanges::Members(delta))),
        tried::<FederationPolicy>(value, |delta| Batch::Hub(HubChanges::Policies(delta))),
        tried::<Namespace>(value, |delta| member(MemberChanges::Namespaces(delta))),
        tried::<Service>(value, |delta| member(MemberChanges::Services(delta))),
        tried::<EndpointSlice>(value, |delta| member(MemberChanges::Slices(delta))),
        tried::<Node>(value, |delta| member(MemberChanges::Nodes(delta))),
        tried::<ServiceCIDR>(value, |delta| member(MemberChanges::ServiceCidrs(delta))),
        tried::<ServiceExport>(value, |delta| member(MemberChanges::Exports(delta))),
    ]
    .into_iter()
    .filter(|taken| *taken)
    .count()
}

#[test]
fn fuzz_kubernetes_objects() {
    for document in documents() {
        assert!(taken_as_any(&document) > 0, "the object without edits is taken: {document}");
    }
    run("Kubernetes objects", edited_tree(documents(), &WORDS), |value| {
        taken_as_any(&value);
    });
}
