//! A process with a pod's network: its own address, its own ports on all of its addresses, its own loopback, its cluster's
//! DNS. Only inside [`netns::isolated`](super::netns::isolated), whose namespace is then the network between pods, and in
//! which everything else that the test starts has its place.

use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::process::Process;
use super::wait::eventually;

/// Where the test's own namespace is from a pod; any address of it that is not a pod's would do.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const LIMIT: Duration = Duration::from_secs(20);
/// Arguments: the address, a file for /etc/resolv.conf or nothing, a user or nothing, the program and its own arguments.
const SETUP: &str = r#"
set -e
ip link set lo up
tries=0
until ip link show eth0 >/dev/null 2>&1; do tries=$((tries + 1)); [ $tries -lt 200 ]; sleep 0.05; done
ip address add "$1/32" dev eth0
ip link set eth0 up
ip route add GATEWAY dev eth0
ip route add default via GATEWAY src "$1"
if [ -n "$2" ]; then mount --bind "$2" /etc/resolv.conf; fi
user=$3
shift 3
if [ -z "$user" ]; then exec env "$@"; fi
mount -o remount,bind,ro /
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --bounding-set=-all -- env "$@"
"#;

/// What runs in a pod.
#[derive(Debug, Clone, Default)]
pub struct PodSpec {
    pub name: String,
    pub program: PathBuf,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// As a restricted container: this user, no privileges, and nothing to write to.
    pub user: Option<u32>,
    /// The cluster's DNS server. Without it no name is resolved as in a pod.
    pub dns: Option<(IpAddr, String)>,
}

/// A running pod. Killed when dropped.
pub struct Pod {
    process: Process,
    address: Ipv4Addr,
    _folder: TempDir,
}

impl Pod {
    /// Its network is there when this returns; what its program does takes its time. `dns` is a server and the namespace
    /// in which the pod's short names are.
    pub async fn start(spec: &PodSpec, address: Ipv4Addr) -> Self {
        let folder = tempfile::Builder::new().prefix("isthmus-pod-").tempdir().expect("make a folder for a pod");
        let resolver = spec.dns.as_ref().map(|(server, namespace)| {
            let text = format!(
                "nameserver {server}\nsearch {namespace}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n"
            );
            let file = folder.path().join("resolv.conf");
            std::fs::write(&file, text).expect("write a resolv.conf");
            file.display().to_string()
        });
        let setup = SETUP.replace("GATEWAY", &GATEWAY.to_string());
        let words = ["--net", "--mount", "--", "sh", "-c", &setup, "pod", &address.to_string()].map(str::to_owned);
        let mut args = words.to_vec();
        args.push(resolver.unwrap_or_default());
        let user = spec.user.filter(|user| is_possible(*user, &spec.program));
        args.push(user.map(|user| user.to_string()).unwrap_or_default());
        args.extend(spec.env.iter().map(|(name, value)| format!("{name}={value}")));
        args.push(spec.program.display().to_string());
        args.extend_from_slice(&spec.args);
        let process = Process::spawn(&spec.name, Path::new("unshare"), args, folder.path());
        let mut pod = Self { process, address, _folder: folder };
        pod.connect().await;
        pod
    }

    /// A pair of interfaces, one end in the pod, and the way to the pod's address.
    async fn connect(&mut self) {
        static COUNTER: AtomicU32 = AtomicU32::new(1);
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").expect("let packets go from pod to pod");
        let (own, theirs) = (PathBuf::from("/proc/self/ns/net"), PathBuf::from(self.network()));
        let namespace = |path: &Path| std::fs::read_link(path).map_err(|error| error.to_string());
        let ours = namespace(&own).expect("our own network namespace");
        eventually("the pod has a network namespace of its own", LIMIT, async || {
            self.process.must_run();
            if namespace(&theirs)? == ours { Err("it has ours".to_owned()) } else { Ok(()) }
        })
        .await;
        let end = format!("pod{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        let (pid, address) = (self.process.pid().to_string(), format!("{}/32", self.address));
        ip(&["link", "add", &end, "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        ip(&["link", "set", &end, "up"]);
        // In the table of local addresses, because there the whole range is declared local.
        let source = GATEWAY.to_string();
        ip(&["route", "replace", &address, "dev", &end, "src", &source, "table", "local"]);
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The path of its network namespace.
    pub fn network(&self) -> String {
        format!("/proc/{}/ns/net", self.process.pid())
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        self.process.terminate();
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.process.ended().is_some()
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    pub fn log_tail(&self, lines: usize) -> String {
        self.process.log_tail(lines)
    }
}

/// Not where the test's own namespace has no other users, or where others may not read the program.
fn is_possible(user: u32, program: &Path) -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let users = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum::<u64>();
    let open = |path: &Path| path.metadata().is_ok_and(|found| found.permissions().mode() & 0o001 != 0);
    let possible = users > u64::from(user) && program.ancestors().filter(|path| !path.as_os_str().is_empty()).all(open);
    if !possible {
        eprintln!("testbed: {} cannot be run as user {user} here, so it is run unrestricted", program.display());
    }
    possible
}

fn ip(args: &[&str]) {
    let output = Command::new("ip").args(args).output().expect("run ip");
    assert!(output.status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
}
