//! Real Kubernetes control planes on loopback.
//!
//! etcd, kube-apiserver and kube-controller-manager, each a plain process: no
//! kubelet, no scheduler, no container. Whatever the API promises holds here:
//! validation, RBAC, admission, server-side apply, watches, ServiceCIDRs,
//! EndpointSlices made from pods. What needs a kubelet does not happen: pods do
//! not run, so tests write their status (see [`Cluster::apply_status`]).

mod access;
mod apply;
mod kubectl;
mod spawn;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{Api, Client, Config};
use tempfile::TempDir;

pub use self::access::{AccountAccess, client_of, config_of, rule};
use self::spawn::ControlPlane;
use super::wait::eventually;

/// Generous, because machines that run tests are busy: a start takes seconds.
const START_LIMIT: Duration = Duration::from_secs(90);

/// What a cluster should be like. [`ClusterSpec::named`] gives the usual one.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    /// Names the kubeconfig's context and the folder of its data.
    pub name: String,
    /// One CIDR, or two of different families; the first is the default family.
    pub service_cidrs: Vec<String>,
    /// Without the controller manager nothing makes EndpointSlices from pods,
    /// default ServiceAccounts or the content of a deleted namespace disappear,
    /// but a start is faster and idles cheaper.
    pub controllers: bool,
    /// Added after our own flags, so they win.
    pub apiserver_flags: Vec<String>,
}

impl ClusterSpec {
    /// Service range 10.96.0.0/16, with controllers.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            service_cidrs: vec!["10.96.0.0/16".to_owned()],
            controllers: true,
            apiserver_flags: Vec::new(),
        }
    }

    pub fn service_cidrs(mut self, cidrs: &[&str]) -> Self {
        self.service_cidrs = cidrs.iter().copied().map(str::to_owned).collect();
        self
    }

    pub fn without_controllers(mut self) -> Self {
        self.controllers = false;
        self
    }
}

/// A running control plane; gone with its data when dropped.
pub struct Cluster {
    name: String,
    plane: ControlPlane,
    config: Config,
    ready_in: Duration,
    // Last, so that the processes have ended before their folder goes.
    folder: TempDir,
}

impl Cluster {
    /// Ready when this returns: `/readyz` answers ok, the system namespaces are
    /// there and, with controllers, the first controller has done its work.
    pub async fn start(spec: ClusterSpec) -> Self {
        super::install_crypto();
        let folder = tempfile::Builder::new().prefix(&format!("isthmus-{}-", spec.name)).tempdir();
        let folder = folder.expect("make a folder for the cluster's data");
        let binaries = spawn::Binaries::obtain(spec.controllers).await;
        let begun = Instant::now();
        let plane = ControlPlane::launch(&spec, folder.path(), binaries);
        let config = access::config_of(&plane.kubeconfig).await;
        let mut cluster = Self { name: spec.name, plane, config, ready_in: Duration::ZERO, folder };
        cluster.wait_ready().await;
        cluster.ready_in = begun.elapsed();
        cluster
    }

    /// Several at once, in the order of the specs.
    pub async fn start_all<const N: usize>(specs: [ClusterSpec; N]) -> [Self; N] {
        let all = futures::future::join_all(specs.map(Self::start)).await;
        all.try_into().unwrap_or_else(|_| unreachable!("as many clusters as specs"))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// From the start of the processes to ready.
    pub fn ready_in(&self) -> Duration {
        self.ready_in
    }

    /// A new client of the administrator. It belongs to the current runtime.
    pub fn client(&self) -> Client {
        Client::try_from(self.config.clone()).expect("a client from the cluster's own kubeconfig")
    }

    /// The administrator's kubeconfig: CA and token inline, no file named.
    pub fn kubeconfig(&self) -> String {
        self.plane.kubeconfig.clone()
    }

    /// The same in a file.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.plane.kubeconfig_path.clone()
    }

    /// `https://127.0.0.1:<port>`; the port stays the same over restarts.
    pub fn server_url(&self) -> String {
        self.plane.server_url.clone()
    }

    pub fn ca_pem(&self) -> String {
        self.plane.ca.clone()
    }

    pub fn admin_token(&self) -> String {
        self.plane.admin_token.clone()
    }

    /// UID of `kube-system`, which identifies a cluster for life (KEP-2149).
    pub async fn uid(&self) -> String {
        let namespace = Api::<Namespace>::all(self.client()).get("kube-system").await.expect("kube-system");
        namespace.metadata.uid.expect("a UID from the API server")
    }

    /// SIGKILL: connections are reset, new ones refused. The data stays in etcd.
    pub fn kill_apiserver(&mut self) {
        self.plane.apiserver.kill();
    }

    /// Ends the API server if it runs and starts it again on the same port and
    /// data; ready when this returns.
    pub async fn restart_apiserver(&mut self) {
        self.plane.relaunch_apiserver(self.folder.path());
        self.wait_ready().await;
    }

    /// SIGSTOP: connections stay open and new ones are accepted by the kernel,
    /// but there is no answer, as behind a dead link.
    pub fn freeze_apiserver(&self) {
        self.plane.apiserver.freeze();
    }

    pub fn thaw_apiserver(&self) {
        self.plane.apiserver.thaw();
    }

    async fn wait_ready(&mut self) {
        let (client, what) = (self.client(), format!("cluster {} ready", self.name));
        let controllers = self.plane.controllers.is_some();
        eventually(&what, START_LIMIT, async || {
            self.plane.must_run();
            ready(&client, controllers).await
        })
        .await;
    }
}

/// `/readyz` alone comes before the first objects that all tests rely on.
async fn ready(client: &Client, controllers: bool) -> Result<(), kube::Error> {
    let request = axum::http::Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
    client.request_text(request).await?;
    let namespaces = Api::<Namespace>::all(client.clone());
    namespaces.get("kube-system").await?;
    namespaces.get("default").await?;
    if controllers {
        Api::<ServiceAccount>::namespaced(client.clone(), "default").get("default").await?;
    }
    Ok(())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.plane.print_logs();
        }
        self.plane.kill();
    }
}
