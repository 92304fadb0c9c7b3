#![allow(clippy::unwrap_used)]

use super::*;

fn read(yaml: &str) -> Service {
    serde_saphyr::from_str(yaml).unwrap()
}

/// Our mirror after another client's write: with these annotations and managers, and this spec.
fn taken(annotations: &str, managers: &str, spec: &str) -> Service {
    let ours = r#"{"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}, "f:appProtocol": {}}, "k:{\"port\":443,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}}}"#;
    read(&format!(
        "metadata:
  namespace: shop
  name: web
  labels: {{isthmus.dev/mirror: 'true', app.kubernetes.io/managed-by: Helm, team: blue}}
  annotations: {{isthmus.dev/sources: eu-1, isthmus.dev/hub: h1, meta.helm.sh/release-name: web, meta.helm.sh/release-namespace: shop{annotations}}}
  managedFields: [{{manager: isthmus, operation: Apply, fieldsV1: {ours}}}{managers}]
spec: {{clusterIP: 10.0.0.1, ports: [{{name: http, port: 80, protocol: TCP, appProtocol: http}}, {{name: tls, port: 443, protocol: TCP}}], {spec}}}
"
    ))
}

/// `name:port=appProtocol` of each port, the labels, the annotations.
fn shown(service: &Service) -> String {
    let ports = service.spec.as_ref().unwrap().ports.iter().flatten().map(|port| {
        let app = port.app_protocol.as_deref().map(|app| format!("={app}")).unwrap_or_default();
        format!("{}:{}{app}", port.name.as_deref().unwrap_or_default(), port.port)
    });
    let keys = |map: &Option<std::collections::BTreeMap<String, String>>| {
        map.iter()
            .flatten()
            .map(|(key, _)| key.rsplit('/').next().unwrap_or(key).to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let metadata = &service.metadata;
    let ports = ports.collect::<Vec<_>>().join(" ");
    format!("{ports} | {} | {}", keys(&metadata.labels), keys(&metadata.annotations))
}

fn released(mut service: Service) -> String {
    assert!(release(&mut service));
    let managers = service.metadata.managed_fields.iter().flatten();
    assert!(managers.filter(|entry| is_ours(entry)).count() == 0);
    assert!(!release(&mut service), "once is enough");
    shown(&service)
}

#[test]
fn a_tool_that_patches_what_differs_keeps_all_that_is_there() {
    let helm = ", {manager: helm, operation: Update, fieldsV1: {\"f:spec\": {\"f:selector\": {}}}}";
    let all = "http:80=http tls:443 | managed-by team | release-name release-namespace";
    assert_eq!(released(taken("", helm, "selector: {app: web}")), all);
    assert_eq!(released(taken("", helm, "sessionAffinity: None")), all, "without a selector as well");
}

#[test]
fn what_a_client_applied_is_what_stays() {
    let applied = |config: &str| {
        let text = serde_json::to_string(config).unwrap();
        taken(&format!(", kubectl.kubernetes.io/last-applied-configuration: {text}"), "", "selector: {app: web}")
    };
    // Equal ports were not sent, and are meant nevertheless; ours beside them go, and so does Helm's name.
    assert_eq!(
        released(applied(r#"{"spec": {"ports": [{"name": "http", "port": 80}]}}"#)),
        "http:80 | team | last-applied-configuration"
    );
    let with_helm = r#"{"metadata": {"annotations": {"meta.helm.sh/release-name": "web"}}, "spec": {"ports": [{"port": 443, "protocol": "TCP"}]}}"#;
    assert_eq!(
        released(applied(with_helm)),
        ":443 | managed-by team | last-applied-configuration release-name release-namespace"
    );
    // What was applied names none of our ports: a Service needs one, so they stay.
    assert!(released(applied(r#"{"spec": {"ports": []}}"#)).starts_with("http:80=http tls:443 |"));
    // A configuration that cannot be read says nothing.
    assert!(released(applied("not JSON")).starts_with("http:80=http tls:443 | managed-by team"));
}

/// Kept by a patch, replaced by what was applied.
#[test]
fn affinity_that_only_we_set_goes() {
    let sticky =
        "selector: {app: web}, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 30}}";
    let left = |annotations: &str, managers: &str| {
        let mut service = taken(annotations, managers, sticky);
        assert!(release(&mut service));
        service.spec.unwrap().session_affinity
    };
    let applied = |config: &str| {
        let text = serde_json::to_string(config).unwrap();
        left(&format!(", kubectl.kubernetes.io/last-applied-configuration: {text}"), "")
    };
    assert_eq!(applied(r#"{"spec": {"ports": [{"port": 80}]}}"#), None);
    assert_eq!(applied(r#"{"spec": {"sessionAffinity": "ClientIP"}}"#).as_deref(), Some("ClientIP"));
    let by_server =
        |fields: &str| left("", &format!(", {{manager: flux, operation: Apply, fieldsV1: {{\"f:spec\": {fields}}}}}"));
    assert_eq!(by_server(r#"{"f:selector": {}}"#), None);
    assert_eq!(by_server(r#"{"f:sessionAffinity": {}}"#).as_deref(), Some("ClientIP"));
    assert_eq!(left("", ", {manager: helm, operation: Update}").as_deref(), Some("ClientIP"));
}

#[test]
fn what_a_server_side_apply_claims_is_what_stays() {
    let claims = |fields: &str| format!(", {{manager: argocd-controller, operation: Apply, fieldsV1: {fields}}}");
    let one = claims(
        r#"{"f:spec": {"f:selector": {}, "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}}}"#,
    );
    assert_eq!(released(taken("", &one, "selector: {app: web}")), "http:80 | team | ");
    let helm = claims(
        r#"{"f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}}, "f:spec": {"f:ports": {"k:{\"port\":443,\"protocol\":\"TCP\"}": {".": {}}}}}"#,
    );
    assert_eq!(
        released(taken("", &helm, "type: ClusterIP")),
        ":443 | managed-by team | release-name release-namespace"
    );
}

#[test]
fn what_replaced_a_mirror_keeps_all_but_our_claim() {
    let claim = r#"{"f:spec": {"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}}}}}"#;
    let service = read(&format!(
        "metadata: {{namespace: a, name: b, managedFields: [{{manager: isthmus, operation: Apply, fieldsV1: {claim}}}]}}
spec: {{ports: [{{name: http, port: 80, protocol: TCP}}]}}"
    ));
    assert_eq!(released(service), "http:80 |  | ");
}

#[test]
fn what_is_still_a_mirror_or_never_was_is_not_touched() {
    let mut mirror = taken("", "", "type: ClusterIP");
    let before = mirror.clone();
    assert!(!release(&mut mirror));
    assert_eq!(mirror, before);
    let mut own = read(
        "{metadata: {namespace: a, name: b, labels: {app.kubernetes.io/managed-by: isthmus}}, spec: {ports: [{port: 80}]}}",
    );
    assert!(!release(&mut own));
}
