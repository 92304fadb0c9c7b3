//! A real Envoy that takes listeners, clusters, endpoints and routes from a
//! control plane over one ADS stream.

mod admin;
mod bootstrap;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use programs::envoy;
use serde_json::{Map, Value};
use tempfile::TempDir;
use tokio::sync::OnceCell;

pub use self::admin::{ClusterStatus, HostStatus};
use super::process::Process;
use super::wait::eventually;
use super::{http, ports};

const START_LIMIT: Duration = Duration::from_secs(30);
const ADMIN_LIMIT: Duration = Duration::from_secs(5);

/// Who an Envoy says it is and where it gets its configuration.
#[derive(Debug, Clone)]
pub struct EnvoySpec {
    pub node_id: String,
    /// `node.cluster`.
    pub cluster: String,
    pub region: String,
    pub zone: String,
    /// `node.metadata`, for example `CLUSTER_ID`, `NAMESPACE` and `LISTEN`.
    pub metadata: Map<String, Value>,
    /// Replicas of one control plane; Envoy talks to one of them at a time.
    pub xds: Vec<SocketAddr>,
    /// TLS to the control plane; without it, plaintext.
    pub tls: Option<EnvoyTls>,
    /// Sent as `authorization: Bearer …` with every stream.
    pub token: Option<String>,
    /// Incremental xDS; else state of the world.
    pub delta: bool,
    /// How long Envoy waits for its first clusters, and then again for its first
    /// listeners, before it serves without them. Its default is 15 s.
    pub first_config_limit: Duration,
    /// Report the load it sees (LRS).
    pub load_reports: bool,
    /// YAML list of listeners that do not come from the control plane.
    pub static_listeners: Option<String>,
    /// YAML list of clusters that do not come from the control plane.
    pub static_clusters: Option<String>,
    /// How long connections of a listener live that was removed or replaced. Envoy's default is 10 minutes.
    pub drain: Option<Duration>,
}

impl EnvoySpec {
    /// A delta client in `region`/`zone` without metadata.
    pub fn new(node_id: &str, region: &str, zone: &str, xds: SocketAddr) -> Self {
        Self {
            node_id: node_id.to_owned(),
            cluster: "testbed".to_owned(),
            region: region.to_owned(),
            zone: zone.to_owned(),
            metadata: Map::new(),
            xds: vec![xds],
            tls: None,
            token: None,
            delta: true,
            first_config_limit: Duration::from_secs(15),
            load_reports: false,
            static_listeners: None,
            static_clusters: None,
            drain: None,
        }
    }

    pub fn metadata(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.to_owned(), value.into());
        self
    }

    pub fn draining_for(mut self, limit: Duration) -> Self {
        self.drain = Some(limit);
        self
    }

    pub fn tls(mut self, server_name: &str, trusts: &str, identity: Option<(&str, &str)>) -> Self {
        let identity = identity.map(|(cert, key)| (cert.to_owned(), key.to_owned()));
        self.tls = Some(EnvoyTls { server_name: server_name.to_owned(), trusts: trusts.to_owned(), identity });
        self
    }

    pub fn state_of_the_world(mut self) -> Self {
        self.delta = false;
        self
    }
}

/// How an Envoy uses TLS to its control plane.
#[derive(Debug, Clone)]
pub struct EnvoyTls {
    /// The name that the control plane's certificate must hold.
    pub server_name: String,
    /// PEM of the CAs that may have signed it.
    pub trusts: String,
    /// PEM of Envoy's own certificate and key.
    pub identity: Option<(String, String)>,
}

/// A running Envoy; killed when dropped.
pub struct Envoy {
    process: Process,
    binary: PathBuf,
    args: Vec<String>,
    admin: SocketAddr,
    folder: TempDir,
}

impl Envoy {
    /// Its admin page answers when this returns. It may still wait for its first
    /// configuration: see [`Envoy::wait_live`].
    pub async fn start(spec: EnvoySpec) -> Self {
        let folder = tempfile::Builder::new().prefix("isthmus-envoy-").tempdir().expect("make a folder for Envoy");
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let file = folder.path().join("bootstrap.json");
        let bootstrap = bootstrap::bootstrap(&spec, admin, folder.path());
        std::fs::write(&file, bootstrap.to_string()).expect("write Envoy's bootstrap");
        let binary = binary().await;
        let config = file.display().to_string();
        // One worker, and no shared memory with other Envoys of this machine.
        let args = ["-c", &config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "info"];
        let mut args = args.map(str::to_owned).to_vec();
        if let Some(limit) = spec.drain {
            args.extend(["--drain-time-s".to_owned(), limit.as_secs().to_string()]);
        }
        let process = Process::spawn("envoy", &binary, &args, folder.path());
        let mut envoy = Self { process, binary, args, admin, folder };
        envoy.wait_admin().await;
        envoy
    }

    /// SIGKILL: every connection through it is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills it if it runs and starts it again with the same bootstrap.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = Process::spawn("envoy", &self.binary, &self.args, self.folder.path());
        self.wait_admin().await;
    }

    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// `GET` of an admin page, for example `/server_info`.
    pub async fn admin(&self, path: &str) -> String {
        self.try_admin(path).await.unwrap_or_else(|error| panic!("Envoy admin {path}: {error}\n{}", self.log_tail(10)))
    }

    /// `POST` to an admin page, for example `/healthcheck/fail`.
    pub async fn admin_post(&self, path: &str) -> String {
        let answer = http::request("POST", self.admin, "localhost", path, ADMIN_LIMIT).await;
        answer.unwrap_or_else(|error| panic!("Envoy admin {path}: {error}")).body
    }

    /// Waits until it has its first configuration and serves.
    pub async fn wait_live(&self, limit: Duration) {
        eventually("Envoy live", limit, async || match self.try_admin("/ready").await {
            Ok(state) if state.trim() == "LIVE" => Ok(()),
            Ok(state) | Err(state) => Err(state),
        })
        .await;
    }

    /// Polls `check` until it is `Ok`; panics with its last error after `limit`.
    pub async fn wait_until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut check: impl AsyncFnMut(&Self) -> Result<T, String>,
    ) -> T {
        eventually(what, limit, async || check(self).await).await
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.process.resident_kib()
    }

    /// CPU time it has used.
    pub fn cpu(&self) -> Duration {
        self.process.cpu()
    }

    /// What it logged last.
    pub fn log_tail(&self, lines: usize) -> String {
        self.process.log_tail(lines)
    }

    async fn wait_admin(&mut self) {
        let admin = self.admin;
        eventually("Envoy's admin page", START_LIMIT, async || {
            self.process.must_run();
            http::get(admin, "localhost", "/server_info", ADMIN_LIMIT).await
        })
        .await;
    }

    /// 200 only; `/ready` answers 503 with its state while it is not live.
    async fn try_admin(&self, path: &str) -> Result<String, String> {
        let answer = http::get(self.admin, "localhost", path, ADMIN_LIMIT).await?;
        if answer.status == 200 { Ok(answer.body) } else { Err(format!("{}: {}", answer.status, answer.body.trim())) }
    }
}

/// Looked for once per process, not once per Envoy.
async fn binary() -> PathBuf {
    static BINARY: OnceCell<PathBuf> = OnceCell::const_new();
    let find = async || {
        let found = envoy::obtain(None, &|line| eprintln!("testbed: {line}")).await;
        found.unwrap_or_else(|error| panic!("\n\n{error}\n"))
    };
    BINARY.get_or_init(find).await.clone()
}
