//! What a section of the page should have come to.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};
use tokio::process::Command;

use super::kubelet::Kubelet;
use super::script::Block;
use super::stage::{NAMES, Stage};
use crate::harness::{SOON, objects};
use crate::testbed::{Cluster, Pod, client_of, eventually, http};

const CALL_LIMIT: Duration = Duration::from_secs(10);
pub const FIRST_IMAGE: &str = "registry.example/mesh/isthmus:1.2.3";
pub const SECOND_IMAGE: &str = "registry.example/mesh/isthmus:1.3.0";
const NAMESPACE: &str = "isthmus-system";

/// Three Deployments of two pods each, with the image of the command.
pub fn installed(kubelet: &Kubelet) {
    let running = kubelet.running();
    assert_eq!(running.len(), 6, "{running:?}");
    assert!(running.values().all(|pod| pod.image == FIRST_IMAGE), "{running:?}");
    assert_eq!((kubelet.of_region("eu").len(), kubelet.of_region("us").len()), (2, 2));
}

/// The member's own DNS leads to the control plane's pods.
pub async fn name_resolves(stage: &Stage, kubelet: &Kubelet) {
    let addresses: Vec<IpAddr> = kubelet.of_region("eu").iter().map(|pod| pod.address.into()).collect();
    assert_eq!(addresses.len(), 2);
    stage.dns.resolves_to("isthmus-region-eu.isthmus-system.svc.cluster.local", &addresses, SOON).await;
}

/// Some replica of the region says that this client took all that it was sent.
pub async fn synced(kubelet: &Kubelet, node: &str) {
    let program = env!("CARGO_BIN_EXE_isthmus");
    eventually(&format!("{node} is SYNCED"), SOON, async || {
        let mut pages = String::new();
        for pod in kubelet.of_region("eu") {
            let command = format!("{program} proxy --admin http://127.0.0.1:15014 -o json");
            let page = inside(&pod.network, &command).await?;
            let proxies: Value = serde_json::from_str(&page).map_err(|error| error.to_string())?;
            let is_synced = |proxy: &Value| {
                let types = proxy["types"].as_array().into_iter().flatten();
                let states: Vec<&Value> = types.map(|kind| &kind["state"]).collect();
                let in_sync = |state: &&Value| *state == "SYNCED" || *state == "NOT_SENT"; // the latter: there is none of it
                proxy["node"] == node && states.contains(&&json!("SYNCED")) && states.iter().all(in_sync)
            };
            if proxies.as_array().into_iter().flatten().any(is_synced) {
                return Ok(());
            }
            pages.push_str(&page);
        }
        Err(pages)
    })
    .await;
}

/// Runs the block in the Envoy's pod until this one answers: what was changed a moment ago is on its way.
pub async fn answers(block: &Block, envoy: &Pod, expected: &str) {
    eventually(&format!("{expected} answers"), SOON, async || match call(block, envoy).await? {
        answer if answer == expected => Ok(()),
        answer => Err(answer),
    })
    .await;
}

pub async fn call(block: &Block, envoy: &Pod) -> Result<String, String> {
    inside(&envoy.network(), &block.text).await
}

/// What a command prints in a pod's network.
async fn inside(network: &str, command: &str) -> Result<String, String> {
    let mut entered = Command::new("nsenter");
    entered.arg(format!("--net={network}")).args(["--", "bash", "-c", command]).kill_on_drop(true);
    let output = tokio::time::timeout(CALL_LIMIT, entered.output()).await.map_err(|_| "no answer".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The token in a Secret of a member.
pub async fn token(member: &Cluster, secret: &str) -> String {
    let secret = Api::<Secret>::namespaced(member.client(), NAMESPACE).get(secret).await.unwrap();
    String::from_utf8(secret.data.unwrap().remove("token").expect("a token").0).unwrap()
}

/// The old token is worth nothing, and both processes follow the member with the new ones.
pub async fn rotated(stage: &Stage, kubelet: &Kubelet, old: &str) {
    let us = stage.cluster("us-1");
    assert_ne!(token(us, "isthmus-member-token").await, old);
    let services = Api::<Service>::all(client_of(&us.kubeconfig_with("old", old)).await);
    eventually("the old token is worth nothing", SOON, async || {
        match services.list(&ListParams::default().limit(1)).await {
            Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
            other => Err(format!("{:?}", other.map(|list| list.items.len()))),
        }
    })
    .await;
    // Who is answered from now on has a new one.
    let [.., audit] = &stage.audits;
    let length = audit.len();
    eventually("both accounts are answered", SOON, async || {
        let answered = audit.answered_since(length);
        let both = ["isthmus-member", "isthmus-member-reader"].iter().all(|account| answered.contains(*account));
        if both { Ok(()) } else { Err(format!("{answered:?}")) }
    })
    .await;
    us.apply(&objects::service("shop", "late", "", "ports: [{name: http, port: 80}]")).await;
    us.apply(&objects::slice("shop", "late", &["10.3.0.2".to_owned()], "us-a")).await;
    let mirrors = Api::<Service>::namespaced(stage.cluster("eu-1").client(), "shop");
    eventually("the new Service is mirrored", SOON, async || {
        let found = mirrors.get_opt("late").await.map_err(|error| error.to_string())?.ok_or("it is not there")?;
        if objects::sources(&found) == Some("us-1") { Ok(()) } else { Err(format!("{:?}", found.metadata)) }
    })
    .await;
    for pod in kubelet.of_region("eu") {
        eventually("the region serves the new Service", SOON, async || {
            let page = inside(&pod.network, "curl --silent --fail http://127.0.0.1:15014/debug/services").await?;
            if page.contains("\"late\"") { Ok(()) } else { Err(page) }
        })
        .await;
    }
}

/// Both replicas took the renewed certificate.
pub async fn renewed(kubelet: &Kubelet) {
    for pod in kubelet.of_region("eu") {
        let at = SocketAddr::from((pod.address, 15021));
        eventually("the new certificate is taken", SOON, async || {
            let page = http::get(at, &at.to_string(), "/metrics", CALL_LIMIT).await?.body;
            let taken = page.lines().find(|line| line.starts_with("isthmus_tls_certificates_taken_total"));
            if taken.is_some_and(|line| line.ends_with(" 2")) { Ok(()) } else { Err(format!("{taken:?}")) }
        })
        .await;
    }
}

/// Nothing of Isthmus is in a member that left, and what is its owner's is as it was.
pub async fn removed(stage: &Stage, member: &str) {
    let cluster = stage.cluster(member);
    nothing_of_ours(cluster, member).await;
    let web = Api::<Service>::namespaced(cluster.client(), "shop").get("web").await.unwrap();
    assert_eq!(objects::managers(&web.metadata), ["test"], "{member}: no other manager ever wrote it");
    let members = stage.cluster("hub").kubectl(&["get", "mc", "-o", "name"]).await;
    assert!(!members.contains(member), "{members}");
}

/// Deployments by name, without what changes by itself.
pub async fn deployments(hub: &Cluster) -> Vec<(String, Value)> {
    let list = Api::<Deployment>::namespaced(hub.client(), NAMESPACE).list(&ListParams::default()).await.unwrap();
    let one = |deployment: Deployment| {
        let annotations = deployment.metadata.annotations.map(|mut all| {
            all.remove("deployment.kubernetes.io/revision");
            all
        });
        let all = json!({"annotations": annotations, "labels": deployment.metadata.labels, "spec": deployment.spec});
        (deployment.metadata.name.unwrap(), all)
    };
    list.items.into_iter().map(one).collect()
}

/// What an operator sets beside what the manifests say.
pub async fn customise(hub: &Cluster) {
    let name = "deployment/isthmus-region-eu";
    for words in [
        &["set", "resources", name, "--limits=memory=512Mi"][..],
        &["set", "env", name, "RUST_BACKTRACE=1"],
        &["annotate", name, "team.example/owner=mesh"],
        &[
            "patch",
            name,
            "--patch",
            r#"{"spec": {"template": {"spec": {"priorityClassName": "system-cluster-critical"}}}}"#,
        ],
    ] {
        hub.kubectl(&[&["-n", NAMESPACE], words].concat()).await;
    }
    hub.kubectl(&["-n", NAMESPACE, "rollout", "status", "--timeout=2m", name]).await;
}

/// The image is new, in every pod, and nothing else is.
pub async fn upgraded(stage: &Stage, kubelet: &Kubelet, before: Vec<(String, Value)>) {
    let expected: Vec<(String, Value)> = before
        .into_iter()
        .map(|(name, mut deployment)| {
            let image = &mut deployment["spec"]["template"]["spec"]["containers"][0]["image"];
            assert_eq!(*image, FIRST_IMAGE, "{name}");
            *image = SECOND_IMAGE.into();
            (name, deployment)
        })
        .collect();
    let found = deployments(stage.cluster("hub")).await;
    assert_eq!(serde_json::to_string_pretty(&found).unwrap(), serde_json::to_string_pretty(&expected).unwrap());
    eventually("only pods of the new image run", SOON, async || {
        let images: Vec<String> = kubelet.running().into_values().map(|pod| pod.image).collect();
        if images == [SECOND_IMAGE; 6] { Ok(()) } else { Err(format!("{images:?}")) }
    })
    .await;
}

/// A field that another tool has set since is not put back silently.
pub async fn conflicts_are_reported(stage: &Stage) {
    let hub = stage.cluster("hub");
    let scale = |number: &'static str| async move {
        hub.kubectl(&["-n", NAMESPACE, "scale", "deployment/isthmus-controller", number]).await
    };
    scale("--replicas=1").await;
    let text =
        crate::harness::run(&["manifests", "deployments", "--image", FIRST_IMAGE, "--region=eu", "--replicas=2"]).await;
    let file = stage.script.file("conflict.yaml");
    std::fs::write(&file, text.stdout).unwrap();
    let apply = ["apply", "--server-side", "--dry-run=server", "-f", file.to_str().unwrap()];
    let refused = hub.try_kubectl(&apply).await.expect_err("a conflict");
    assert!(refused.contains(".spec.replicas") && refused.contains("scale"), "{refused}");
    scale("--replicas=2").await;
}

pub async fn nothing_is_left(stage: &Stage, kubelet: &Kubelet) {
    for name in NAMES {
        nothing_of_ours(stage.cluster(name), name).await;
    }
    eventually("no pod runs", SOON, async || {
        let running = kubelet.running();
        if running.is_empty() { Ok(()) } else { Err(format!("{running:?}")) }
    })
    .await;
}

async fn nothing_of_ours(cluster: &Cluster, name: &str) {
    for what in ["namespaces", "clusterroles", "clusterrolebindings", "customresourcedefinitions"] {
        let names = cluster.kubectl(&["get", what, "-o", "name"]).await;
        assert!(!names.contains("isthmus"), "{name}: {names}");
    }
    let mirrors = cluster.kubectl(&["get", "services", "-A", "-l", "isthmus.dev/mirror", "-o", "name"]).await;
    assert_eq!(mirrors, "", "{name}");
}
