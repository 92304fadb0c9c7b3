//! The `isthmus` binary: long-running as a process that ends with its owner, short commands as their output.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::testbed::process::Process;
use crate::testbed::{eventually, http, ports};

const READY_LIMIT: Duration = Duration::from_secs(60);
const PAGE_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(15);
const RUN_LIMIT: Duration = Duration::from_secs(60);
/// Ours in detail; of libraries info and above.
const LOG_FILTER: &str = "info,isthmus=debug,federation=debug,regions=debug";
const FAILURE_LINES: usize = 25;
/// The API servers of tests are on this machine.
pub(super) const MEMBERS_HERE: &str = "--allow-member-cidrs=127.0.0.0/8";

/// Where a region takes its objects from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A kubeconfig of the hub.
    Hub(&'a Path),
    /// A folder.
    Folder(&'a Path),
}

/// A running process of the product. Killed when dropped.
pub struct Isthmus {
    name: String,
    process: Process,
    args: Vec<String>,
    admin: SocketAddr,
    xds: Option<SocketAddr>,
    _folder: TempDir,
}

/// A line of `/debug/services`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ServicePage {
    pub namespace: String,
    pub name: String,
    pub clusters: Vec<String>,
    pub ports: Vec<String>,
    pub ready: u64,
    pub endpoints: u64,
}

impl Isthmus {
    /// `isthmus controller` on a hub. Not ready yet when this returns.
    pub fn controller(hub_kubeconfig: &Path) -> Self {
        Self::controller_logging(hub_kubeconfig, LOG_FILTER)
    }

    /// The same with its own log filter, such as `trace`.
    pub fn controller_logging(hub_kubeconfig: &Path, filter: &str) -> Self {
        let mut args = vec!["controller".to_owned(), MEMBERS_HERE.to_owned()];
        args.extend(Source::Hub(hub_kubeconfig).args());
        Self::spawn("controller", args, None, filter)
    }

    /// `isthmus region`. Not ready yet when this returns.
    pub fn region(region: &str, source: Source<'_>) -> Self {
        Self::region_logging(region, source, LOG_FILTER)
    }

    pub fn region_logging(region: &str, source: Source<'_>, filter: &str) -> Self {
        Self::region_as(region, source, filter, &[])
    }

    /// The same with further flags.
    pub fn region_with(region: &str, source: Source<'_>, flags: &[String]) -> Self {
        Self::region_as(region, source, LOG_FILTER, flags)
    }

    fn region_as(region: &str, source: Source<'_>, filter: &str, flags: &[String]) -> Self {
        let xds = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let mut args = vec!["region".to_owned(), format!("--region={region}"), format!("--xds={xds}")];
        args.push(MEMBERS_HERE.to_owned());
        args.extend(source.args());
        args.extend_from_slice(flags);
        Self::spawn(&format!("region-{region}"), args, Some(xds), filter)
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Kills it if it runs and starts it again, on the same ports.
    pub fn restart(&mut self) {
        self.process.kill();
        let args = self.args.clone();
        self.process = Process::spawn(&self.name, &binary(), args, self._folder.path());
    }

    /// SIGTERM, the end in good order, and a new start on the same ports.
    pub async fn roll(&mut self) {
        self.process.terminate();
        let what = format!("{} ends when asked to", self.name);
        eventually(&what, STOP_LIMIT, async || self.process.ended().ok_or("it still runs")).await;
        self.restart();
        self.wait_ready().await;
    }

    fn spawn(name: &str, mut args: Vec<String>, xds: Option<SocketAddr>, filter: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("isthmus-{name}-")).tempdir().expect("make a folder");
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        args.extend([format!("--admin={admin}"), "--log-format=json".to_owned(), format!("--log={filter}")]);
        let process = Process::spawn(name, &binary(), args.clone(), folder.path());
        Self { name: name.to_owned(), process, args, admin, xds, _folder: folder }
    }

    /// Ready as its own `/readyz` says.
    pub async fn wait_ready(&mut self) {
        let (what, admin) = (format!("{} ready", self.name), self.admin);
        eventually(&what, READY_LIMIT, async || {
            self.process.must_run();
            match http::get(admin, "localhost", "/readyz", PAGE_LIMIT).await? {
                // A standby is ready to take over, but does nothing yet.
                answer if answer.status == 200 && !answer.body.contains("standing by") => Ok(()),
                answer => Err(answer.body),
            }
        })
        .await;
    }

    /// Panics if it has ended, with its last words.
    pub fn must_run(&mut self) {
        self.process.must_run();
    }

    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where a region serves xDS.
    pub fn xds(&self) -> SocketAddr {
        self.xds.expect("only a region serves xDS")
    }

    /// A page of the admin port.
    pub async fn page(&self, path: &str) -> String {
        let answer = http::get(self.admin, "localhost", path, PAGE_LIMIT).await;
        let answer = answer.unwrap_or_else(|error| panic!("{} {path}: {error}", self.name));
        assert_eq!(answer.status, 200, "{} {path}: {}", self.name, answer.body);
        answer.body
    }

    /// A page of the admin port, if it answers.
    pub async fn try_page(&self, path: &str) -> Result<String, String> {
        Ok(http::get(self.admin, "localhost", path, PAGE_LIMIT).await?.body)
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> T {
        let page = self.page(path).await;
        serde_json::from_str(&page).unwrap_or_else(|error| panic!("{} {path}: {error}: {page}", self.name))
    }

    /// `/debug/members`, by id.
    pub async fn members(&self) -> BTreeMap<String, Value> {
        let list: Vec<Value> = self.json("/debug/members").await;
        list.into_iter().map(|member| (member["id"].as_str().expect("an id").to_owned(), member)).collect()
    }

    /// `/debug/services`, by `namespace/name`.
    pub async fn services(&self) -> BTreeMap<String, ServicePage> {
        let list: Vec<ServicePage> = self.json("/debug/services").await;
        list.into_iter().map(|service| (format!("{}/{}", service.namespace, service.name), service)).collect()
    }

    /// The engine's state equals one that is computed from scratch.
    pub async fn invariants_hold(&self) {
        let page: Value = self.json("/debug/invariants").await;
        assert!(page["checked"] == true && page["holds"] == true, "{}: {page}", self.name);
    }

    /// Waits until a merged service has these clusters, in whatever order, and so many endpoints.
    pub async fn has_service(&self, name: &str, clusters: &[&str], endpoints: u64) {
        let what = format!("{}: {name} from {clusters:?} with {endpoints} endpoints", self.name);
        eventually(&what, super::SOON, async || {
            let found = self.services().await.remove(name).ok_or("no such service")?;
            let mut sources: Vec<&str> = found.clusters.iter().map(String::as_str).collect();
            sources.sort_unstable();
            let fits = sources == clusters && found.endpoints == endpoints;
            if fits { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await;
    }

    /// `/metrics`: `name{labels}` to value.
    pub async fn metrics(&self) -> BTreeMap<String, f64> {
        let page = self.page("/metrics").await;
        let lines = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("not a sample: {line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("not a number: {line}")))
        };
        lines.map(sample).collect()
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Resident memory, in KiB.
    pub fn resident_kib(&self) -> u64 {
        self.process.resident_kib()
    }

    /// All it logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// SIGTERM; its exit code, if it ended by itself and in time.
    pub async fn stop(mut self) -> Option<i32> {
        self.process.terminate();
        let what = format!("{} ends when asked to", self.name);
        let status = eventually(&what, STOP_LIMIT, async || self.process.ended().ok_or("it still runs")).await;
        status.code()
    }
}

impl Drop for Isthmus {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.process.log_tail(FAILURE_LINES));
        }
        self.process.kill();
    }
}

impl Source<'_> {
    pub fn args(&self) -> Vec<String> {
        match self {
            Self::Hub(kubeconfig) => vec![format!("--hub-kubeconfig={}", kubeconfig.display())],
            Self::Folder(folder) => vec![format!("--world={}", folder.display())],
        }
    }
}

/// Runs a short command to its end.
pub async fn run(args: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(binary());
    // Nothing of the machine's own may leak into a test: no kubeconfig, no log filter.
    command.args(args).env_remove("KUBECONFIG").env_remove("RUST_LOG").stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(RUN_LIMIT, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("isthmus {}: no end within {RUN_LIMIT:?}", args.join(" ")));
    output.unwrap_or_else(|error| panic!("isthmus {}: {error}", args.join(" ")))
}

/// What `isthmus manifests <part>` prints.
pub async fn manifests(part: &str) -> String {
    let output = run(&["manifests", part]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A file in a folder that lives long enough.
pub(super) fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
    path
}

/// The build under test; `ISTHMUS_BINARY` names another one, such as a release build whose times are of interest.
pub(super) fn binary() -> PathBuf {
    std::env::var_os("ISTHMUS_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_isthmus")), PathBuf::from)
}
