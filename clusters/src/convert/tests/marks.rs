//! Marks that are misspelt, and objects that other products derived.

use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;

use super::convert;

fn service(metadata: &str) -> federation::model::Service {
    let yaml =
        format!("{{metadata: {{namespace: shop, {metadata}}}, spec: {{clusterIP: 10.1.1.1, ports: [{{port: 80}}]}}}}");
    convert::<Service>(&yaml).unwrap_or_else(|problems| panic!("{metadata}: {problems:?}")).unwrap()
}

/// A Service's and a Namespace's hint for the same labels and annotations; `None`: there is no hint.
fn hint(metadata: &str) -> Option<String> {
    let of_service = service(&format!("name: web, {metadata}")).hint;
    let namespace = convert::<Namespace>(&format!("{{metadata: {{name: shop, {metadata}}}}}")).unwrap().unwrap();
    assert_eq!(of_service, namespace.hint, "{metadata}");
    of_service.map(|hint| hint.to_string())
}

#[test]
fn what_looks_like_a_mark_and_is_none_is_reported() {
    let right = ["true", "false"];
    for value in right {
        assert_eq!(hint(&format!("labels: {{isthmus.dev/federate: '{value}'}}")), None);
        let both = format!("labels: {{isthmus.dev/federate: '{value}'}}, annotations: {{isthmus.dev/federate: 'x'}}");
        assert_eq!(hint(&both), None, "the label is what counts");
    }
    for value in ["True", "TRUE", "yes", "1", "on", "", "treu"] {
        let expected =
            format!("label isthmus.dev/federate is {value:?}, which marks nothing; expected \"true\" or \"false\"");
        assert_eq!(hint(&format!("labels: {{isthmus.dev/federate: '{value}'}}")), Some(expected));
    }
    for value in ["False", "No", "off", "0"] {
        let expected = format!(
            "label isthmus.dev/federate is {value:?}, which is taken for \"false\"; expected \"true\" or \"false\""
        );
        assert_eq!(hint(&format!("labels: {{isthmus.dev/federate: '{value}'}}")), Some(expected));
    }
    let annotation = hint("annotations: {isthmus.dev/federate: 'true'}");
    assert_eq!(
        annotation.as_deref(),
        Some("annotation isthmus.dev/federate marks nothing; expected a label of that name")
    );
}

#[test]
fn keys_that_were_meant_are_recognised_and_others_left_alone() {
    let meant = [
        "isthmus.dev/federated",
        "isthmus.dev/federat",
        "isthmus.dev/Federate",
        "isthmus.dev/export",
        "isthmus.dev/exported",
        "isthmus.io/federate",
        "isthmus/federate",
        "istmus.dev/federate",
        "istio.io/federate",
        "federate",
    ];
    for key in meant {
        for kind in ["label", "annotation"] {
            let expected = format!("{kind} {key} marks nothing; expected the label isthmus.dev/federate");
            assert_eq!(hint(&format!("{kind}s: {{{key}: 'true'}}")), Some(expected));
        }
    }
    let others = [
        "app",
        "isthmus.dev/mirror",
        "isthmus.dev/sources",
        "isthmus.dev/hub",
        "mirror.linkerd.io/exported",
        "service.cilium.io/global",
        "istio.io/rev",
        "example.org/federation",
        "kubefed.io/managed",
    ];
    for key in others {
        assert_eq!(hint(&format!("labels: {{{key}: 'true'}}, annotations: {{{key}: 'true'}}")), None, "{key}");
    }
    let long = format!("annotations: {{{}/federate: 'true'}}", "a".repeat(200));
    assert_eq!(hint(&long), None, "no typing error looks like that");
}

#[test]
fn a_misspelt_mark_rejects_nothing() {
    let object = service("name: web, labels: {isthmus.dev/federate: 'True', app: web}");
    assert_eq!((object.labels.get("app"), object.key.to_string()), (Some("web"), "shop/web".to_owned()));
}

/// Metadata of derived Services as their makers write it, and who that is.
const DERIVED: [(&str, &str); 20] = [
    ("name: gke-mcs-1a8qqpah56", "GKE Multi-Cluster Services"),
    (
        "name: x, ownerReferences: [{apiVersion: net.gke.io/v1, kind: ServiceImport, name: x, uid: u}]",
        "GKE Multi-Cluster Services",
    ),
    ("name: x, labels: {app.kubernetes.io/managed-by: gke-mcs-controller.gke.io}", "GKE Multi-Cluster Services"),
    (
        "name: derived-k2, ownerReferences: [{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceImport, name: x, uid: u}]",
        "an implementation of the MCS API",
    ),
    (
        "name: imported-9, ownerReferences: [{apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceImport, name: x, uid: u}]",
        "an implementation of the MCS API",
    ),
    ("name: derived-k2, labels: {multicluster.kubernetes.io/service-name: web}", "an implementation of the MCS API"),
    ("name: web, labels: {multicluster.kubernetes.io/source-cluster: us}", "an implementation of the MCS API"),
    (
        "name: web-us, labels: {mirror.linkerd.io/mirrored-service: 'true', mirror.linkerd.io/cluster-name: us}",
        "Linkerd",
    ),
    ("name: pod-0-us, labels: {mirror.linkerd.io/headless-mirror-svc-name: web-us}", "Linkerd"),
    ("name: probe-gateway-us, labels: {mirror.linkerd.io/mirrored-gateway: 'true'}", "Linkerd"),
    ("name: web-us, labels: {multicluster.linkerd.io/remote-discovery: us}", "Linkerd"),
    ("name: web-federated, annotations: {multicluster.linkerd.io/remote-discovery: web@us}", "Linkerd"),
    ("name: derived-web, labels: {karmada.io/managed: 'true'}", "Karmada"),
    ("name: derived-web, annotations: {resourcetemplate.karmada.io/uid: u}", "Karmada"),
    ("name: derived-web, labels: {clusternet.io/created-by: clusternet-hub}", "Clusternet"),
    ("name: submariner-abc, labels: {submariner.io/exportedServiceRef: web}", "Submariner"),
    ("name: web, annotations: {internal.skupper.io/controlled: 'true'}", "Skupper"),
    ("name: web, labels: {internal.skupper.io/listener: 'true'}", "Skupper"),
    ("name: web, annotations: {multicluster.admiralty.io/is-delegate: ''}", "Admiralty"),
    ("name: web, labels: {offloading.liqo.io/origin: us}", "Liqo"),
];

#[test]
fn services_that_other_products_derived_are_recognised() {
    for (metadata, by) in DERIVED {
        assert_eq!(service(metadata).derived_by, Some(by), "{metadata}");
    }
}

#[test]
fn services_that_users_marked_for_other_products_are_their_own() {
    let own = [
        "name: web",
        "name: web, annotations: {service.cilium.io/global: 'true', service.cilium.io/shared: 'true'}",
        "name: web, annotations: {io.cilium/global-service: 'true'}",
        "name: web, labels: {mirror.linkerd.io/exported: 'true'}",
        "name: web, labels: {mirror.linkerd.io/federated: member}",
        "name: web, annotations: {mirror.linkerd.io/gateway-identity: x, mirror.linkerd.io/probe-port: '4191'}",
        "name: web, labels: {karmada.io/managed: 'true'}, annotations: {resourcetemplate.karmada.io/uid: u}",
        "name: web, annotations: {skupper.io/proxy: http}",
        "name: web, annotations: {internal.skupper.io/controlled: 'false'}",
        "name: web, annotations: {multicluster.admiralty.io/elect: ''}",
        "name: web, annotations: {networking.istio.io/exportTo: '*'}",
        "name: derived-metrics",
        "name: web-gke-mcs-1",
        "name: web, ownerReferences: [{apiVersion: serving.knative.dev/v1, kind: Route, name: x, uid: u}]",
        "name: web, labels: {not-karmada.io/managed: 'true'}",
    ];
    for metadata in own {
        assert_eq!(service(metadata).derived_by, None, "{metadata}");
    }
}

#[test]
fn slices_that_other_products_wrote_are_left_out() {
    let slice = |metadata: &str| {
        let yaml = format!(
            "{{metadata: {{namespace: shop, name: web-1, {metadata}}}, addressType: IPv4, ports: [{{port: 80}}], \
             endpoints: [{{addresses: [10.9.0.1]}}]}}"
        );
        convert::<EndpointSlice>(&yaml).unwrap().is_some()
    };
    let name = "kubernetes.io/service-name: web";
    assert!(slice(&format!("labels: {{{name}}}")));
    assert!(slice(&format!(
        "labels: {{{name}, endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io, mirror.linkerd.io/exported: 'true'}}"
    )));
    let others = [
        format!("labels: {{{name}, multicluster.kubernetes.io/source-cluster: us}}"),
        format!("labels: {{{name}, multicluster.kubernetes.io/service-name: web}}"),
        format!("labels: {{{name}, endpointslice.kubernetes.io/managed-by: endpointslice-mesh-controller.cilium.io}}"),
        format!(
            "labels: {{{name}, endpointslice.kubernetes.io/managed-by: endpointslice-dispatch-controller.karmada.io}}"
        ),
        format!("labels: {{{name}, endpointslice.kubernetes.io/managed-by: lighthouse-agent.submariner.io}}"),
        format!("labels: {{{name}}}, annotations: {{endpointslice.karmada.io/provision-cluster: us}}"),
        format!("labels: {{{name}, mirror.linkerd.io/mirrored-service: 'true'}}"),
        format!("labels: {{{name}, lighthouse.submariner.io/sourceCluster: us}}"),
    ];
    for metadata in others {
        assert!(!slice(&metadata), "{metadata}");
    }
}

#[test]
fn addresses_of_nodes_are_read_and_names_are_none() {
    let node = "{metadata: {name: n1}, spec: {podCIDR: 10.8.0.0/24}, status: {addresses: [\
                {type: InternalIP, address: 172.18.0.3}, {type: InternalIP, address: \"fd00::3\"}, \
                {type: ExternalIP, address: 172.18.0.2}, {type: Hostname, address: n1}, \
                {type: InternalDNS, address: n1.internal}, {type: InternalIP, address: 172.18.0.3}]}}";
    let node = convert::<Node>(node).unwrap().unwrap();
    let addresses: Vec<_> = node.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["172.18.0.2", "172.18.0.3", "fd00::3"]);
}
