//! The processes of one control plane, their files and flags.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::ClusterSpec;
use super::access::kubeconfig;
use crate::testbed::binaries::{Tool, obtain_all};
use crate::testbed::process::Process;
use crate::testbed::{certs, hash, ports};

const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// Starts of a controller manager that gave up.
const CONTROLLER_RESTARTS: u32 = 5;
/// The controllers whose work tests look at. Those that need a kubelet, a cloud
/// or a scheduler would only log.
const CONTROLLERS: &[&str] = &[
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "endpointslice-controller",
    "endpointslice-mirroring-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "service-cidr-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "statefulset-controller",
];

const FAILURE_LINES: usize = 8;

pub(super) struct Binaries {
    etcd: PathBuf,
    apiserver: PathBuf,
    controllers: Option<PathBuf>,
}

impl Binaries {
    pub(super) async fn obtain(controllers: bool) -> Self {
        let [etcd, apiserver] = obtain_all([Tool::Etcd, Tool::KubeApiserver]).await;
        let controllers = if controllers {
            let [path] = obtain_all([Tool::KubeControllerManager]).await;
            Some(path)
        } else {
            None
        };
        Self { etcd, apiserver, controllers }
    }
}

pub(super) struct ControlPlane {
    pub apiserver: Process,
    pub controllers: Option<Controllers>,
    etcd: Process,
    apiserver_binary: PathBuf,
    apiserver_args: Vec<String>,
    pub ca: String,
    pub admin_token: String,
    pub server_url: String,
    pub kubeconfig: String,
    pub kubeconfig_path: PathBuf,
}

impl ControlPlane {
    /// Starts everything at once; nothing is ready yet when this returns.
    pub(super) fn launch(spec: &ClusterSpec, folder: &Path, binaries: Binaries) -> Self {
        let [port, etcd_port, peer_port] = std::array::from_fn(|_| ports::free());
        let service_cidrs: Vec<IpNet> =
            spec.service_cidrs.iter().map(|cidr| cidr.parse().expect("a service CIDR")).collect();
        // The first address of a range becomes the `kubernetes` service's.
        let addresses = service_cidrs.iter().filter_map(|cidr| cidr.hosts().next());
        let addresses: Vec<IpAddr> =
            addresses.chain([Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]).collect();
        let certs = certs::make(&spec.name, &addresses).expect("make the cluster's certificates");
        let write = |name: &str, content: &str| -> String {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap_or_else(|error| panic!("write {}: {error}", path.display()));
            path.to_string_lossy().into_owned()
        };
        let ca_file = write("ca.crt", &certs.ca);
        let [admin_token, controller_token] = ["admin", "controllers"].map(|user| token(user, &certs.account_key));
        let tokens = format!(
            "{admin_token},admin,admin,system:masters\n{controller_token},controllers,controllers,system:masters\n"
        );
        let server_url = format!("https://127.0.0.1:{port}");
        let kubeconfig = |user, token| kubeconfig(&spec.name, &server_url, &certs.ca, user, token);
        let admin_kubeconfig = kubeconfig("admin", &admin_token);

        let etcd_args = etcd_args(&folder.join("etcd").to_string_lossy(), etcd_port, peer_port);
        let mut apiserver_args = vec![
            format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
            "--bind-address=127.0.0.1".into(),
            format!("--secure-port={port}"),
            format!("--advertise-address={}", advertised(&service_cidrs)),
            // A loopback address cannot be an endpoint of default/kubernetes.
            "--endpoint-reconciler-type=none".into(),
            format!("--service-cluster-ip-range={}", spec.service_cidrs.join(",")),
            format!("--cert-dir={}", folder.display()),
            format!("--tls-cert-file={}", write("serving.crt", &certs.serving_cert)),
            format!("--tls-private-key-file={}", write("serving.key", &certs.serving_key)),
            format!("--client-ca-file={ca_file}"),
            format!("--token-auth-file={}", write("tokens.csv", &tokens)),
            "--authorization-mode=RBAC".into(),
            format!("--service-account-issuer=https://{}.testbed.invalid", spec.name),
            format!("--service-account-key-file={}", write("account.pub", &certs.account_public_key)),
            format!("--service-account-signing-key-file={}", write("account.key", &certs.account_key)),
        ];
        apiserver_args.extend(spec.apiserver_flags.iter().cloned());
        let controllers = binaries.controllers.map(|binary| {
            let config = write("controllers.kubeconfig", &kubeconfig("controllers", &controller_token));
            let account_key = folder.join("account.key").display().to_string();
            Controllers::spawn(binary, controller_args(&config, &ca_file, &account_key), folder)
        });
        Self {
            etcd: Process::spawn("etcd", &binaries.etcd, etcd_args, folder),
            apiserver: Process::spawn("kube-apiserver", &binaries.apiserver, &apiserver_args, folder),
            controllers,
            apiserver_binary: binaries.apiserver,
            apiserver_args,
            kubeconfig_path: write("kubeconfig", &admin_kubeconfig).into(),
            kubeconfig: admin_kubeconfig,
            ca: certs.ca,
            admin_token,
            server_url,
        }
    }

    pub(super) fn relaunch_apiserver(&mut self, folder: &Path) {
        self.apiserver.kill();
        self.apiserver = Process::spawn("kube-apiserver", &self.apiserver_binary, &self.apiserver_args, folder);
    }

    pub(super) fn must_run(&mut self) {
        self.etcd.must_run();
        self.apiserver.must_run();
        if let Some(controllers) = &mut self.controllers {
            controllers.run_on();
        }
    }

    /// For a test that is failing.
    pub(super) fn print_logs(&self) {
        let logged = [Some(&self.apiserver), self.controllers.as_ref().map(|controllers| &controllers.process)];
        for process in logged.into_iter().flatten() {
            eprintln!("{}", process.log_tail(FAILURE_LINES));
        }
    }

    /// The API server first: one whose etcd is gone hangs for minutes in its
    /// graceful stop, and the controllers would wait for it.
    pub(super) fn kill(&mut self) {
        self.apiserver.kill();
        if let Some(controllers) = &mut self.controllers {
            controllers.process.kill();
        }
        self.etcd.kill();
    }
}

/// The controller manager. It gives up by itself when the API server is not healthy within ten seconds, which on a busy
/// machine only means that the machine is busy.
pub(super) struct Controllers {
    process: Process,
    binary: PathBuf,
    args: Vec<String>,
    folder: PathBuf,
    starts_left: u32,
}

impl Controllers {
    fn spawn(binary: PathBuf, args: Vec<String>, folder: &Path) -> Self {
        let process = Process::spawn(CONTROLLER_MANAGER, &binary, &args, folder);
        Self { process, binary, args, folder: folder.to_owned(), starts_left: CONTROLLER_RESTARTS }
    }

    /// Starts it again if it has given up; panics with its last words when it does so forever.
    fn run_on(&mut self) {
        if self.starts_left == 0 {
            self.process.must_run();
        } else if self.process.ended().is_some() {
            self.starts_left -= 1;
            self.process = Process::spawn(CONTROLLER_MANAGER, &self.binary, &self.args, &self.folder);
        }
    }
}

/// Unguessable as long as the key it is made from is.
fn token(user: &str, secret: &str) -> String {
    hash::sha256_hex(format!("{user} {secret}").as_bytes())
}

/// Never connected to, but its family must be that of the first service range.
fn advertised(service_cidrs: &[IpNet]) -> IpAddr {
    match service_cidrs.first() {
        Some(IpNet::V6(_)) => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    }
}

fn etcd_args(data: &str, client_port: u16, peer_port: u16) -> Vec<String> {
    let [client, peer] = [client_port, peer_port].map(|port| format!("http://127.0.0.1:{port}"));
    vec![
        format!("--data-dir={data}"),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // The data need not outlive the machine, only the API server.
        "--unsafe-no-fsync".into(),
        "--log-level=warn".into(),
    ]
}

fn controller_args(kubeconfig: &str, ca_file: &str, account_key: &str) -> Vec<String> {
    vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--root-ca-file={ca_file}"),
        format!("--service-account-private-key-file={account_key}"),
        format!("--controllers={}", CONTROLLERS.join(",")),
        "--secure-port=0".into(),
        "--leader-elect=false".into(),
        "--min-resync-period=12h".into(),
        // The default of 20 requests per second delays tests that make many objects.
        "--kube-api-qps=500".into(),
        "--kube-api-burst=1000".into(),
    ]
}
