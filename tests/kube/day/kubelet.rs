//! A small kubelet: runs the processes of the pods that Deployments made, and says so in their status. What a container
//! runs is what its pod says, with two things replaced that have no place without an image: the image, by the binary under
//! test, and the mounted token, by a kubeconfig with a token of the same account.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod as PodObject;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::testbed::{Cluster, Pod, PodSpec, http};

const NAMESPACE: &str = "isthmus-system";
/// The hub's only Node.
pub const NODE: &str = "node-0";
const LOOK_EVERY: Duration = Duration::from_millis(200);
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// As long as Kubernetes gives a container by default.
const GRACE: Duration = Duration::from_secs(30);

/// A container that runs.
#[derive(Clone, Debug)]
pub struct Running {
    pub address: Ipv4Addr,
    /// The path of its network namespace.
    pub network: String,
    pub image: String,
    pub labels: BTreeMap<String, String>,
}

#[derive(Default)]
struct Seen {
    running: BTreeMap<String, Running>,
    /// All addresses that pods of these accounts ever had.
    addresses: BTreeMap<String, Vec<String>>,
    /// Containers that ended although their pod was there, and those that did not end in good order.
    faults: Vec<String>,
}

/// Runs until it is dropped.
pub struct Kubelet {
    seen: Arc<Mutex<Seen>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Kubelet {
    pub fn start(hub: Arc<Cluster>, server: String) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let stop = Arc::<AtomicBool>::default();
        let (noted, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        // A runtime of its own, because what waits for a container cannot move between threads.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let folder = tempfile::Builder::new().prefix("isthmus-kubelet-").tempdir().unwrap();
                // Containers have users of their own.
                std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
                let node = Node {
                    pods: Api::namespaced(hub.client(), NAMESPACE),
                    hub,
                    server,
                    seen: noted,
                    containers: BTreeMap::new(),
                    ending: Vec::new(),
                    next: 1,
                    folder,
                };
                node.run(&stopped).await;
            });
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// By pod name.
    pub fn running(&self) -> BTreeMap<String, Running> {
        self.read(|seen| seen.running.clone())
    }

    pub fn of_region(&self, region: &str) -> Vec<Running> {
        let fits = |pod: &Running| pod.labels.get("isthmus.dev/region").is_some_and(|found| found == region);
        self.running().into_values().filter(fits).collect()
    }

    /// Addresses that pods of this account had.
    pub fn addresses(&self, account: &str) -> Vec<String> {
        self.read(|seen| seen.addresses.get(account).cloned().unwrap_or_default())
    }

    pub fn faults(&self) -> Vec<String> {
        self.read(|seen| seen.faults.clone())
    }

    fn read<T>(&self, read: impl FnOnce(&Seen) -> T) -> T {
        read(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has printed why it failed, if it did
        }
    }
}

struct Container {
    pod: Pod,
    ready: bool,
    readiness: (SocketAddr, String),
    liveness: (SocketAddr, String),
}

struct Node {
    hub: Arc<Cluster>,
    pods: Api<PodObject>,
    /// The API server's address, as pods reach it.
    server: String,
    seen: Arc<Mutex<Seen>>,
    containers: BTreeMap<String, Container>,
    ending: Vec<(String, Pod, Instant)>,
    next: u8,
    folder: TempDir,
}

impl Node {
    async fn run(mut self, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            // A list that fails is tried again: the hub may be about to go.
            if let Ok(list) = self.pods.list(&ListParams::default()).await {
                self.look(&list.items).await;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&mut self, pods: &[PodObject]) {
        let name = |pod: &PodObject| pod.metadata.name.clone().unwrap_or_default();
        let wanted: Vec<String> =
            pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).map(name).collect();
        let gone: Vec<String> = self.containers.keys().filter(|name| !wanted.contains(name)).cloned().collect();
        for name in gone {
            let Some(container) = self.containers.remove(&name) else { continue };
            container.pod.terminate();
            self.ending.push((name.clone(), container.pod, Instant::now()));
            self.note(|seen| drop(seen.running.remove(&name)));
        }
        for pod in pods.iter().filter(|pod| wanted.contains(&name(pod))) {
            if !self.containers.contains_key(&name(pod)) {
                self.start(pod, name(pod)).await;
            }
        }
        self.follow().await;
        self.bury().await;
    }

    /// A pod goes when its container has ended.
    async fn bury(&mut self) {
        let mut faults = Vec::new();
        for (name, mut pod, since) in std::mem::take(&mut self.ending) {
            let late = since.elapsed() > GRACE;
            if late {
                faults.push(format!("{name} does not end when asked to\n{}", pod.log_tail(10)));
            }
            if late || pod.has_ended() {
                // It may be gone already: not every delete waits for us.
                let _ = self.pods.delete(&name, &DeleteParams::default().grace_period(0)).await;
            } else {
                self.ending.push((name, pod, since));
            }
        }
        self.note(|seen| seen.faults.extend(faults));
    }

    async fn start(&mut self, pod: &PodObject, name: String) {
        let target = json!({"apiVersion": "v1", "kind": "Node", "name": NODE});
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target});
        let bound: kube::Result<Value> =
            self.pods.create_subresource("binding", &name, &PostParams::default(), &binding).await;
        if bound.is_err() {
            return; // it is gone already
        }
        let spec = serde_json::to_value(&pod.spec).unwrap();
        let container = &spec["containers"][0];
        let account = spec["serviceAccountName"].as_str().unwrap_or("default").to_owned();
        let token = self.hub.token_of(NAMESPACE, &account).await;
        let kubeconfig = self.folder.path().join(&name);
        let text = self.hub.kubeconfig_with(&account, &token).replace(&self.hub.server_url(), &self.server);
        std::fs::write(&kubeconfig, text).unwrap();
        let address = Ipv4Addr::new(10, 0, 1, self.next);
        self.next += 1;
        let list = |value: &Value| -> Vec<Value> { value.as_array().cloned().unwrap_or_default() };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        assert!(container["command"].is_null(), "the image's entry point is what we run");
        let mut env: Vec<_> =
            list(&container["env"]).iter().map(|pair| (text(&pair["name"]), text(&pair["value"]))).collect();
        env.push(("KUBECONFIG".to_owned(), kubeconfig.display().to_string()));
        env.push(("HOSTNAME".to_owned(), name.clone()));
        let run = PodSpec {
            name: name.clone(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_isthmus")),
            args: list(&container["args"]).iter().map(text).collect(),
            env,
            user: Some(user(&spec, container)),
            dns: None,
        };
        let [readiness, liveness] = ["readinessProbe", "livenessProbe"].map(|name| probe(container, name, address));
        let started = Pod::start(&run, address).await;
        let labels = pod.metadata.labels.clone().unwrap_or_default();
        let running = Running { address, network: started.network(), image: text(&container["image"]), labels };
        self.note(|seen| {
            seen.addresses.entry(account).or_default().push(address.to_string());
            seen.running.insert(name.clone(), running);
        });
        self.containers.insert(name, Container { pod: started, ready: false, readiness, liveness });
    }

    /// Probes each container, and writes what changed into its pod's status.
    async fn follow(&mut self) {
        let mut faults = Vec::new();
        for (name, container) in &mut self.containers {
            if container.pod.has_ended() {
                faults.push(format!("{name} ended\n{}", container.pod.log_tail(20)));
                continue;
            }
            let ready = asked(&container.readiness).await;
            if ready == container.ready {
                continue;
            }
            if !asked(&container.liveness).await {
                faults.push(format!("{name} changed its readiness to {ready}, and is not alive"));
            }
            let address = container.pod.address().to_string();
            let condition = json!({"type": "Ready", "status": if ready { "True" } else { "False" }, "lastTransitionTime": Timestamp::now()});
            let status = json!({"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [condition]}});
            // A pod that was deleted meanwhile has no status to be written.
            if self.pods.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await.is_ok() {
                container.ready = ready;
            }
        }
        self.note(|seen| {
            for fault in faults {
                if !seen.faults.contains(&fault) {
                    seen.faults.push(fault);
                }
            }
        });
    }

    fn note(&self, write: impl FnOnce(&mut Seen)) {
        write(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Restricted containers are the only ones that this kubelet knows.
fn user(pod: &Value, container: &Value) -> u32 {
    assert!(
        pod["securityContext"]["runAsNonRoot"] == true
            && container["securityContext"]["readOnlyRootFilesystem"] == true
    );
    pod["securityContext"]["runAsUser"].as_u64().and_then(|user| u32::try_from(user).ok()).expect("a user")
}

async fn asked((at, path): &(SocketAddr, String)) -> bool {
    let answer = http::get(*at, &at.to_string(), path, PROBE_LIMIT).await;
    answer.is_ok_and(|answer| answer.status == 200)
}

/// Where a probe goes; its port is named.
fn probe(container: &Value, name: &str, address: Ipv4Addr) -> (SocketAddr, String) {
    let get = &container[name]["httpGet"];
    let ports = container["ports"].as_array().cloned().unwrap_or_default();
    let port = ports.iter().find(|port| port["name"] == get["port"]).expect("the probe's port");
    let port = port["containerPort"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
    (SocketAddr::from((address, port)), get["path"].as_str().expect("a path").to_owned())
}
