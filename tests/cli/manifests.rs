//! `isthmus manifests`: what it prints is YAML, and a real API server takes it as it is.

use serde_json::Value;

use crate::harness::{Federation, run};

const PARTS: [(&str, &[&str]); 5] = [
    ("crds", &["CustomResourceDefinition"]),
    ("hub-rbac", &["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"]),
    ("member-rbac", &["Namespace", "ServiceAccount", "Secret", "ClusterRole", "ClusterRoleBinding"]),
    ("deployments", &["Deployment", "Service"]),
    ("all", &["CustomResourceDefinition", "ClusterRole", "Deployment"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_part_is_taken_by_an_api_server() {
    // The Namespace must be there before anything in it can be tried.
    let federation = Federation::start(&[]).await;
    for (part, kinds) in PARTS {
        let output = run(&["manifests", part]).await;
        assert_eq!(output.status.code(), Some(0), "{part}");
        let text = String::from_utf8(output.stdout).unwrap();
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        for object in &objects {
            let named = |key: &str| object[key].as_str().is_some_and(|text| !text.is_empty());
            assert!(named("apiVersion") && named("kind") && object["metadata"]["name"].is_string(), "{part}: {object}");
        }
        for kind in kinds {
            assert!(objects.iter().any(|object| object["kind"] == *kind), "{part}: no {kind}");
        }
        let file = federation.file(&format!("{part}.yaml"), &text);
        let file = file.to_str().unwrap();
        let tried = federation
            .hub
            .kubectl(&["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", file])
            .await;
        assert_eq!(tried.lines().count(), objects.len(), "{part}: {tried}");
        // Warnings of the API server are for whoever writes manifests, which is us.
        federation
            .hub
            .kubectl(&["apply", "--server-side", "--force-conflicts", "--warnings-as-errors", "-f", file])
            .await;
    }
    assert_eq!(run(&["manifests"]).await.stdout, run(&["manifests", "all"]).await.stdout);
}
