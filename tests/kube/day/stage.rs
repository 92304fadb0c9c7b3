//! A hub and three members in a network of their own, and what a reader of docs/operations.md has before the first
//! command: contexts, programs, an application.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use tempfile::TempDir;

use super::audit::AuditLog;
use super::documented;
use super::kubelet::NODE;
use super::script::Script;
use crate::harness::objects;
use crate::testbed::binaries::{Tool, obtain_all};
use crate::testbed::{Backend, Cluster, ClusterSpec, CoreDns, Pod, PodSpec};

/// Contexts of docs/operations.md: the hub, then the members.
pub const NAMES: [&str; 4] = ["hub", "eu-1", "eu-2", "us-1"];
const PAGE: &str = include_str!("../../../docs/operations.md");
/// Of the Envoy in `eu-1`.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 50);

pub struct Stage {
    pub clusters: [Arc<Cluster>; 4],
    pub audits: [AuditLog; 4],
    pub script: Script,
    pub dns: CoreDns,
    _backends: [Backend; 2],
    folder: TempDir,
}

/// `https://…` of a cluster, as pods and all other programs here reach it: the first address of its service range, which its
/// certificate holds. The hub's number is 0.
pub fn server(cluster: &Cluster, number: usize) -> String {
    cluster.server_url().replace("127.0.0.1", &format!("10.{}.0.1", 100 + number))
}

impl Stage {
    pub async fn set() -> Self {
        let folder = tempfile::Builder::new().prefix("isthmus-stage-").tempdir().unwrap();
        let mut audits = Vec::new();
        let specs: Vec<ClusterSpec> = (0..)
            .zip(NAMES)
            .map(|(number, name): (u8, &str)| {
                let (audit, flags) = AuditLog::into(folder.path(), name);
                audits.push(audit);
                let mut spec = ClusterSpec::named(name).service_cidrs(&[&format!("10.{}.0.0/16", 100 + number)]);
                // Pods reach it at an address of its service range, which is local to the test's namespace.
                spec.apiserver_flags = [flags, vec!["--bind-address=0.0.0.0".to_owned()]].concat();
                spec
            })
            .collect();
        let specs: [ClusterSpec; 4] = specs.try_into().unwrap_or_else(|_| unreachable!("as many as names"));
        let clusters = Cluster::start_all(specs).await.map(Arc::new);
        let [_, eu_1, eu_2, us_1] = &clusters;
        for ((number, cluster), zone) in (0..).zip(&clusters).zip(["hub-a", "eu-a", "eu-b", "us-a"]) {
            let number: u8 = number;
            cluster.apply(&objects::node(NODE, zone, &format!("10.{number}.0.0/23"))).await;
        }
        let backends =
            [application(eu_2, "10.2.0.1", "eu-b", "eu-2").await, application(us_1, "10.3.0.1", "us-a", "us-1").await];
        // One member has the Multi-Cluster Services API, the others do not.
        us_1.apply(&objects::service_exports("v1beta1", "{type: object}")).await;
        let dns = CoreDns::start_at(eu_1, SocketAddr::from(([10, 101, 0, 10], 53))).await;
        let programs = folder.path().join("bin");
        std::fs::create_dir(&programs).unwrap();
        let [kubectl] = obtain_all([Tool::Kubectl]).await;
        for (name, target) in [("kubectl", kubectl), ("isthmus", PathBuf::from(env!("CARGO_BIN_EXE_isthmus")))] {
            std::os::unix::fs::symlink(target, programs.join(name)).unwrap();
        }
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, contexts(&clusters)).unwrap();
        let script = Script::new(PAGE, &programs, &kubeconfig);
        let audits = audits.try_into().unwrap_or_else(|_| unreachable!("as many as names"));
        Self { clusters, audits, script, dns, _backends: backends, folder }
    }

    pub fn cluster(&self, name: &str) -> &Arc<Cluster> {
        let at = NAMES.iter().position(|found| *found == name).expect("a name");
        &self.clusters[at]
    }

    /// A file, or a folder, that lives as long as this.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The client's Envoy, in a pod of `eu-1` with the Secret of namespace `shop` mounted.
    pub async fn envoy(&self) -> Pod {
        let secrets = Api::<Secret>::namespaced(self.cluster("eu-1").client(), "shop");
        let secret = secrets.get("isthmus-tls").await.unwrap();
        let (etc, tls) = (self.folder.path().join("envoy"), self.folder.path().join("isthmus-tls"));
        for folder in [&etc, &tls] {
            std::fs::create_dir(folder).unwrap();
        }
        for (name, bytes) in secret.data.unwrap() {
            std::fs::write(tls.join(name), bytes.0).unwrap();
        }
        // No sidecar: its clients come to it.
        let node = [("NAMESPACE: shop}", "NAMESPACE: shop, INTERCEPTION_MODE: NONE}")];
        let bootstrap = documented::files(&etc, &tls, &node);
        let args = ["-c", &bootstrap.display().to_string(), "--concurrency", "1", "--disable-hot-restart"];
        let spec = PodSpec {
            name: "envoy".to_owned(),
            program: programs::envoy::obtain(None, &|_| {}).await.unwrap(),
            args: args.map(str::to_owned).to_vec(),
            env: Vec::new(),
            user: None,
            dns: Some((IpAddr::from([10, 101, 0, 10]), "shop".to_owned())),
        };
        Pod::start(&spec, CLIENT).await
    }
}

/// The Service `shop/web` of a member's user, not marked, and its only pod.
async fn application(member: &Cluster, address: &str, zone: &str, identity: &str) -> Backend {
    member.apply(&objects::namespace("shop")).await;
    let spec = "selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]";
    member.apply(&objects::service("shop", "web", "", spec)).await;
    member.apply(&objects::slice("shop", "web", &[address.to_owned()], zone)).await;
    Backend::start(SocketAddr::new(address.parse().unwrap(), 8080), identity).await
}

/// A kubeconfig with a context for each cluster.
fn contexts(clusters: &[Arc<Cluster>]) -> String {
    let (mut servers, mut users, mut contexts) = (Vec::new(), Vec::new(), Vec::new());
    for (number, (cluster, name)) in clusters.iter().zip(NAMES).enumerate() {
        let mut all: serde_json::Value = serde_saphyr::from_str(&cluster.kubeconfig()).unwrap();
        all["clusters"][0]["name"] = name.into();
        all["clusters"][0]["cluster"]["server"] = server(cluster, number).into();
        all["users"][0]["name"] = name.into();
        servers.push(all["clusters"][0].take());
        users.push(all["users"][0].take());
        contexts.push(serde_json::json!({"name": name, "context": {"cluster": name, "user": name}}));
    }
    serde_json::json!({
        "apiVersion": "v1", "kind": "Config", "clusters": servers, "users": users, "contexts": contexts,
    })
    .to_string()
}
