#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use federation::model::{Protocol, ServiceKey, ServicePort};

use super::super::fields;
use super::*;

fn desired(helm: Option<(&str, &str)>) -> MirrorService {
    let port = ServicePort { name: Arc::from("http"), port: 80, protocol: Protocol::Tcp, app_protocol: None };
    let helm =
        helm.map(|(namespace, name)| Arc::new(HelmRelease { name: Arc::from(name), namespace: Arc::from(namespace) }));
    MirrorService {
        key: ServiceKey::new("shop", "web").unwrap(),
        headless: false,
        affinity: Affinity::None,
        ports: vec![port],
        sources: vec![ClusterId::new("eu-1").unwrap()],
        helm,
    }
}

/// As the API server would hold it after our apply.
fn held(desired: &MirrorService, hub: &str) -> Service {
    let wanted = service(desired, hub);
    let mut held = wanted.clone();
    fields::settle(&mut held, &wanted);
    let spec = held.spec.as_mut().unwrap();
    spec.cluster_ip = Some("10.0.0.9".to_owned());
    spec.type_ = Some("ClusterIP".to_owned());
    held
}

#[test]
fn a_mirror_names_its_hub_its_sources_and_its_release() {
    let metadata = service(&desired(Some(("shop", "web"))), "h1").metadata;
    let text = |map: Option<BTreeMap<String, String>>| {
        map.unwrap().iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(text(metadata.labels), ["app.kubernetes.io/managed-by=Helm", "isthmus.dev/mirror=true"]);
    assert_eq!(
        text(metadata.annotations),
        [
            "isthmus.dev/hub=h1",
            "isthmus.dev/sources=eu-1",
            "meta.helm.sh/release-name=web",
            "meta.helm.sh/release-namespace=shop"
        ]
    );
    let plain = service(&desired(None), "h1").metadata;
    assert_eq!(text(plain.labels), ["app.kubernetes.io/managed-by=isthmus", "isthmus.dev/mirror=true"]);
}

#[test]
fn comparing_looks_at_all_that_is_ours() {
    let plain = desired(None);
    let helm = desired(Some(("shop", "web")));
    assert_eq!(compare(&held(&plain, "h1"), &plain, "h1"), Standing::AsDesired);
    assert_eq!(compare(&held(&helm, "h1"), &helm, "h1"), Standing::AsDesired);
    assert_eq!(compare(&held(&plain, "h1"), &helm, "h1"), Standing::Different);
    assert_eq!(compare(&held(&helm, "h1"), &plain, "h1"), Standing::Different, "a release that is gone");
    assert_eq!(compare(&held(&plain, "h2"), &plain, "h1"), Standing::Different, "it was taken over");
    let mut restored = held(&plain, "h1");
    let writer = &mut restored.metadata.managed_fields.as_mut().unwrap()[0];
    (writer.manager, writer.operation) = (Some("velero-server".to_owned()), Some("Update".to_owned()));
    assert_eq!(compare(&restored, &plain, "h1"), Standing::Different);
    assert_eq!(compare(&restored, &plain, "h2"), Standing::NotForUs);
    let sticky = MirrorService { affinity: Affinity::ClientIp { timeout_s: 30 }, ..plain.clone() };
    assert_eq!(compare(&held(&sticky, "h1"), &sticky, "h1"), Standing::AsDesired);
    assert_eq!(compare(&held(&sticky, "h1"), &plain, "h1"), Standing::Different);
    let mut headless = held(&plain, "h1");
    headless.spec.as_mut().unwrap().cluster_ip = Some("None".to_owned());
    assert_eq!(compare(&headless, &plain, "h1"), Standing::NotForUs);
}

/// A release that a user wrote by hand, to prepare an adoption, stays.
#[test]
fn what_prepares_an_adoption_is_respected() {
    let plain = desired(None);
    let mut found = held(&plain, "h1");
    let metadata = &mut found.metadata;
    metadata.labels.as_mut().unwrap().insert(LABEL_MANAGED_BY.to_owned(), MANAGED_BY_HELM.to_owned());
    metadata.annotations.as_mut().unwrap().insert(ANNOTATION_HELM_NAME.to_owned(), "web".to_owned());
    metadata.annotations.as_mut().unwrap().insert(ANNOTATION_HELM_NAMESPACE.to_owned(), "shop".to_owned());
    assert_eq!(compare(&found, &plain, "h1"), Standing::Different, "as long as no other client wrote it");
    let claim = r#"{manager: kubectl-label, operation: Update, fieldsV1: {"f:metadata": {"f:labels": {"f:app.kubernetes.io/managed-by": {}}}}}"#;
    found.metadata.managed_fields.as_mut().unwrap().push(serde_saphyr::from_str(claim).unwrap());
    assert_eq!(compare(&found, &plain, "h1"), Standing::AsDesired);
    let mut wanted = service(&plain, "h1");
    respect(&mut wanted, &found);
    let before = found.clone();
    overwrite(&mut found, &wanted);
    assert_eq!(found.metadata.labels, before.metadata.labels);
    assert_eq!(found.metadata.annotations, before.metadata.annotations);
}

#[test]
fn claims_are_cut_down_to_what_is_applied() {
    let wanted = service(&desired(None), "h1");
    let mut found = held(&desired(None), "h1");
    assert!(fields::are_settled(&found));
    found.metadata.managed_fields.as_mut().unwrap()[0].operation = Some("Update".to_owned());
    let others = r#"{manager: velero-server, operation: Update, fieldsV1: {"f:spec": {}}}"#;
    found.metadata.managed_fields.as_mut().unwrap().push(serde_saphyr::from_str(others).unwrap());
    assert!(!fields::are_settled(&found));
    fields::settle(&mut found, &wanted);
    assert!(fields::are_settled(&found));
    let entries = found.metadata.managed_fields.unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.manager.as_deref().unwrap()).collect::<Vec<_>>(),
        ["velero-server", "isthmus"]
    );
    let fields = serde_json::to_string(&entries[1].fields_v1).unwrap();
    assert!(fields.contains(r#"k:{\"port\":80,\"protocol\":\"TCP\"}"#), "{fields}");
    for default in ["targetPort", "clusterIP", "f:type", "sessionAffinity"] {
        assert!(!fields.contains(default), "{default} in {fields}");
    }
}
