//! `isthmus manifests`: what it prints is YAML, and a real API server takes it as it is.

use serde_json::Value;

use crate::harness::{Federation, run};

const IMAGE: &str = "--image=registry.example/mesh/isthmus:1.2.3";
/// Words of the command, and kinds that have to be there.
const PARTS: [(&[&str], &[&str]); 7] = [
    (&["crds"], &["CustomResourceDefinition"]),
    (&["hub-rbac"], &["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"]),
    (&["hub-rbac", "--secrets-namespace=isthmus-regions"], &["Namespace", "Role", "RoleBinding"]),
    (&["member-rbac"], &["Namespace", "ServiceAccount", "Secret", "ClusterRole", "ClusterRoleBinding"]),
    (&["deployments", IMAGE, "--region=eu", "--region=us"], &["Deployment", "Service", "PodDisruptionBudget"]),
    (&["region-address", "--region=ap", "--address=10.0.0.1", "--address=fd00::1"], &["Service", "EndpointSlice"]),
    (&["all", IMAGE, "--region=eu"], &["CustomResourceDefinition", "ClusterRole", "Deployment"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_part_is_taken_by_an_api_server() {
    // The Namespaces must be there before anything in them can be tried.
    let federation = Federation::start(&[]).await;
    federation.hub.kubectl(&["create", "namespace", "isthmus-regions"]).await;
    for (number, (words, kinds)) in PARTS.iter().enumerate() {
        let part = words.join(" ");
        let output = run(&[&["manifests"], *words].concat()).await;
        assert_eq!(output.status.code(), Some(0), "{part}");
        let text = String::from_utf8(output.stdout).unwrap();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for object in &objects {
            let named = |key: &str| object[key].as_str().is_some_and(|text| !text.is_empty());
            assert!(named("apiVersion") && named("kind") && object["metadata"]["name"].is_string(), "{part}: {object}");
        }
        for kind in *kinds {
            assert!(objects.iter().any(|object| object["kind"] == *kind), "{part}: no {kind}");
        }
        let file = federation.file(&format!("{number}.yaml"), &text);
        let file = file.to_str().unwrap();
        // Strict: a field that the API server does not know is an error.
        let apply = ["apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", file];
        let tried = federation.hub.kubectl(&[&apply[..], &["--dry-run=server"]].concat()).await;
        assert_eq!(tried.lines().count(), objects.len(), "{part}: {tried}");
        // Warnings of the API server are for the authors of manifests, which is this project.
        federation.hub.kubectl(&[&apply[..], &["--warnings-as-errors"]].concat()).await;
    }
}

/// Pods of ours may run where the restricted profile is enforced.
#[tokio::test(flavor = "multi_thread")]
async fn pods_fit_the_restricted_security_profile() {
    let federation = Federation::start(&[]).await;
    federation
        .hub
        .kubectl(&["label", "namespace", "isthmus-system", "pod-security.kubernetes.io/enforce=restricted"])
        .await;
    let text = run(&["manifests", "deployments", IMAGE, "--region=eu"]).await.stdout;
    let objects: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8(text).unwrap()).unwrap();
    let deployments: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "Deployment").collect();
    assert_eq!(deployments.len(), 2);
    for deployment in deployments {
        let template = &deployment["spec"]["template"];
        let mut pod = serde_json::json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"],
        });
        pod["metadata"]["name"] = deployment["metadata"]["name"].clone();
        pod["metadata"]["namespace"] = "isthmus-system".into();
        federation.hub.apply(&pod.to_string()).await;
        // The profile is in force: the same pod with one right more is refused.
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = true.into();
        pod["metadata"]["name"] = "other".into();
        let refusal = federation.hub.apply_or_refusal(&pod.to_string()).await.expect_err("a pod that may do more");
        assert!(refusal.contains("restricted"), "{refusal}");
    }
}
