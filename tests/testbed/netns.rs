//! A network of its own for one test, where pods can have pod addresses.
//!
//! The API server refuses loopback addresses in EndpointSlices, so a test whose
//! endpoints come from a real cluster and are really called needs others. In a
//! network namespace every private address can be made local without touching
//! the machine's routes, and nothing can leave.

use std::future::Future;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use programs::envoy;

use super::binaries::{self, Tool};
use super::process::Process;

/// Set in the process that runs inside.
const INSIDE_VAR: &str = "ISTHMUS_TESTBED_NETNS";
const LIMIT: Duration = Duration::from_secs(600);
const FAILURE_LINES: usize = 120;

/// Local inside: any address of these ranges can be bound and reached.
pub const LOCAL_RANGES: [&str; 2] = ["10.0.0.0/8", "fd00::/8"];

/// Runs the calling test in a new network namespace, by running this test binary
/// again for that one test. The whole body of a plain `#[test]`:
///
/// ```ignore
/// #[test]
/// fn pods_are_called() {
///     netns::isolated(async { /* bind 10.1.0.1, start clusters, … */ });
/// }
/// ```
///
/// Needs root or unprivileged user namespaces, and says so if it has neither.
pub fn isolated(body: impl Future<Output = ()>) {
    isolated_with(Tool::ALL, body);
}

/// The same for a test that needs nothing but Envoy.
pub fn isolated_without_clusters(body: impl Future<Output = ()>) {
    isolated_with([], body);
}

fn isolated_with<const N: usize>(tools: [Tool; N], body: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a tokio runtime");
    if inside() {
        return runtime.block_on(body);
    }
    // Inside there is no way to fetch anything, so it must be there before.
    runtime.block_on(async {
        binaries::obtain_all(tools).await;
        let envoy = envoy::obtain(None, &|line| eprintln!("testbed: {line}")).await;
        envoy.unwrap_or_else(|error| panic!("\n\n{error}\n"));
    });
    run_inside();
}

/// Whether this is the process inside.
pub fn inside() -> bool {
    std::env::var_os(INSIDE_VAR).is_some()
}

fn run_inside() {
    let thread = std::thread::current();
    // The test harness names the thread after the test.
    let test = thread.name().filter(|name| *name != "main").expect("call this from the test's own thread");
    let folder = tempfile::Builder::new().prefix("isthmus-netns-").tempdir().expect("make a folder for the inner test");
    let unshare = unshare();
    let own = std::env::current_exe().expect("the path of this test binary");
    // For IPv6 a local route is not enough to bind.
    let mut setup = String::from("ip link set lo up && echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind");
    for range in LOCAL_RANGES {
        setup.push_str(&format!(" && ip route add local {range} dev lo"));
    }
    let script = format!("{setup} && {INSIDE_VAR}=1 exec \"$@\"");
    // Tied to this process once more: entering a user namespace unties it.
    let tie = if programs::tied::can_tie() { "exec setpriv --pdeathsig KILL -- \"$@\"" } else { "exec \"$@\"" };
    let mut args: Vec<&str> = unshare.to_vec();
    args.extend(["--", "sh", "-c", tie, "tie", "sh", "-c", &script, "setup"]);
    let own = own.to_string_lossy();
    args.extend([&own, "--exact", test, "--nocapture", "--include-ignored"]);
    let mut inner = Process::spawn("inner-test", Path::new("unshare"), args, folder.path());

    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = inner.ended() {
            break status;
        }
        assert!(Instant::now() < end, "no end within {LIMIT:?}\n{}", inner.log_tail(FAILURE_LINES));
        std::thread::sleep(Duration::from_millis(50));
    };
    let log = inner.log_tail(usize::MAX);
    let ran = log.contains("test result: ok. 1 passed");
    assert!(status.success() && ran, "in the network namespace: {status}\n{}", inner.log_tail(FAILURE_LINES));
    for line in log.lines().filter_map(|line| line.find("testbed: ").and_then(|start| line.get(start..))) {
        eprintln!("{line}");
    }
}

/// The arguments with which `unshare` works here.
fn unshare() -> &'static [&'static str] {
    const AS_ROOT: &[&str] = &["--net"];
    const AS_USER: &[&str] = &["--user", "--map-root-user", "--net"];
    let works = |args: &[&str]| {
        let output = Command::new("unshare").args(args).args(["--", "ip", "link", "set", "lo", "up"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    [AS_ROOT, AS_USER].into_iter().find(|args| works(args)).unwrap_or_else(|| {
        panic!(
            "\n\nThis test needs a network namespace of its own (unshare and ip, from util-linux and iproute2). Run it as \
             root, or allow unprivileged user namespaces:\n  sysctl -w kernel.unprivileged_userns_clone=1   (Debian)\n  \
             sysctl -w kernel.apparmor_restrict_unprivileged_userns=0   (Ubuntu)\n"
        )
    })
}
