//! A gRPC program in its own process, controlled over HTTP: `peer.py` here, or `grpcpeer` among the test bed's.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::python;
use crate::harness::SOON;
use crate::testbed::binaries::{Tool, obtain_all};
use crate::testbed::process::Process;
use crate::testbed::{eventually, http, ports};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/grpc/peer.py");
const START_LIMIT: Duration = Duration::from_secs(30);
const CONTROL_LIMIT: Duration = Duration::from_secs(120);
/// A call without an answer for this long has failed. Well below the 15 s that clients wait for a resource.
const CALL_SECONDS: u32 = 10;
/// So many calls in a row with one answer are no accident.
const STEADY: usize = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Library {
    /// C-core, by Python.
    Grpcio,
    GrpcGo,
}

impl Library {
    pub(super) const ALL: [Self; 2] = [Self::Grpcio, Self::GrpcGo];
}

/// Who answered, and how often; or the code and text of an error.
pub(super) type Answers = BTreeMap<String, usize>;

pub(super) struct Peer {
    library: Library,
    process: Process,
    control: SocketAddr,
    _folder: TempDir,
}

impl Peer {
    /// In region `eu`, zone `eu-a`. What `xds` names is asked for everything that a target or server needs.
    pub(super) async fn start(library: Library, xds: SocketAddr) -> Self {
        Self::start_with(library, &xds.to_string(), json!({"type": "insecure"})).await
    }

    /// The same with credentials for the control plane.
    pub(super) async fn start_with(library: Library, xds: &str, credentials: Value) -> Self {
        Self::start_from(library, &bootstrap(library, xds, credentials)).await
    }

    /// The same where `xds` is responsible for an authority only, and the control plane for everything else is not there.
    pub(super) async fn start_by_authority(library: Library, xds: SocketAddr, authority: &str) -> Self {
        let insecure = || json!({"type": "insecure"});
        let absent = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free())).to_string();
        let mut document = bootstrap(library, &absent, insecure());
        let template = format!("xdstp://{authority}/envoy.config.listener.v3.Listener/%s");
        let responsible = json!({
            "xds_servers": bootstrap(library, &xds.to_string(), insecure())["xds_servers"],
            "client_listener_resource_name_template": template,
        });
        document["authorities"] = json!({authority: responsible});
        Self::start_from(library, &document).await
    }

    async fn start_from(library: Library, bootstrap: &Value) -> Self {
        let folder = tempfile::Builder::new().prefix("isthmus-grpc-").tempdir().expect("make a folder");
        let control = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        let bootstrap = format!("GRPC_XDS_BOOTSTRAP_CONFIG={bootstrap}");
        let mut args = vec![bootstrap];
        match library {
            Library::Grpcio => {
                args.push(format!("PYTHONPATH={}", python::grpcio().await.display()));
                args.extend(["python3".to_owned(), SCRIPT.to_owned()]);
            }
            Library::GrpcGo => {
                let [binary]: [PathBuf; 1] = obtain_all([Tool::GrpcPeer]).await;
                args.push(binary.display().to_string());
            }
        }
        args.push(control.to_string());
        let process = Process::spawn("peer", Path::new("env"), args, folder.path());
        let mut peer = Self { library, process, control, _folder: folder };
        let version = eventually("the peer answers", START_LIMIT, async || {
            peer.process.must_run();
            peer.try_control("/version").await
        })
        .await;
        eprintln!("testbed: {}", version.keys().next().map_or("?", String::as_str));
        peer
    }

    pub(super) fn library(&self) -> Library {
        self.library
    }

    /// Answers calls on `address` with `identity`.
    pub(super) async fn serve(&self, address: SocketAddr, identity: &str) {
        self.control(&format!("/serve?address={address}&identity={identity}")).await;
    }

    /// The same once the control plane says so.
    pub(super) async fn serve_over_xds(&self, address: SocketAddr, identity: &str) {
        self.control(&format!("/serve_xds?address={address}&identity={identity}")).await;
    }

    /// Calls one after another; the channel to a target is kept.
    pub(super) async fn call(&self, target: &str, count: usize) -> Answers {
        self.control(&format!("/call?target={target}&count={count}&seconds={CALL_SECONDS}")).await
    }

    /// Calls until only `expected` answer, all of them, and for a while. Returns what else answered on the way.
    pub(super) async fn settles(&self, target: &str, expected: &[&str]) -> Answers {
        let mut others = Answers::new();
        let what = format!("{:?} reaches {expected:?} by {target}", self.library);
        eventually(&what, SOON, async || {
            let answers = self.call(target, STEADY).await;
            if answers.keys().map(String::as_str).eq(expected.iter().copied()) {
                return Ok(());
            }
            let text = format!("{answers:?}");
            answers.into_iter().for_each(|(answer, count)| *others.entry(answer).or_default() += count);
            Err(text)
        })
        .await;
        others
    }

    /// One call, which is answered after its server's [`Peer::release`].
    pub(super) async fn hold(&self, target: &str) -> Answers {
        self.control(&format!("/hold?target={target}")).await
    }

    /// Waits until this server holds so many calls.
    pub(super) async fn holds(&self, count: usize) {
        eventually(&format!("{:?} holds {count} calls", self.library), SOON, async || {
            match self.control("/held").await {
                held if held.get("held") == Some(&count) => Ok(()),
                held => Err(format!("{held:?}")),
            }
        })
        .await;
    }

    pub(super) async fn release(&self) {
        self.control("/release").await;
    }

    /// The next call to the target opens a new channel.
    pub(super) async fn forget(&self, target: &str) {
        self.control(&format!("/forget?target={target}")).await;
    }

    pub(super) fn log_tail(&self) -> String {
        self.process.log_tail(20)
    }

    async fn control(&self, what: &str) -> Answers {
        let answers = self.try_control(what).await;
        answers.unwrap_or_else(|error| panic!("{:?} {what}: {error}\n{}", self.library, self.log_tail()))
    }

    async fn try_control(&self, what: &str) -> Result<Answers, String> {
        let answer = http::get(self.control, "localhost", what, CONTROL_LIMIT).await?;
        if answer.status != 200 {
            return Err(answer.body);
        }
        serde_json::from_str(&answer.body).map_err(|error| format!("{error}: {}", answer.body))
    }
}

/// As `docs/grpc.md` shows it.
fn bootstrap(library: Library, xds: &str, credentials: Value) -> Value {
    json!({
        "xds_servers": [{
            "server_uri": xds,
            "channel_creds": [credentials],
            "server_features": ["xds_v3"],
        }],
        "node": {"id": format!("{library:?}"), "locality": {"region": "eu", "zone": "eu-a"}},
        "server_listener_resource_name_template": "grpc/server?xds.resource.listening_address=%s",
    })
}
