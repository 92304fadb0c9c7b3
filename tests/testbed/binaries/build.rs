//! Builds the tools from the Go modules beside this file.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::Tool;
use crate::testbed::hash;

/// Change this when the way of building changes, so that the cache notices.
const RECIPE_VERSION: &str = "1";
/// Kubernetes' version, from the `go.mod` that pins it.
pub(super) fn kubernetes_version() -> &'static str {
    let line =
        include_str!("../go/kubernetes/go.mod").lines().find(|line| line.trim().starts_with("k8s.io/kubernetes "));
    line.and_then(|line| line.split_whitespace().nth(1)).expect("go.mod pins k8s.io/kubernetes")
}

pub(super) struct Recipe {
    module: &'static str,
    package: &'static str,
    /// What the result depends on.
    inputs: [&'static str; 3],
    /// Minutes on two cores, measured from an empty build cache.
    minutes: u32,
}

pub(super) fn recipe(tool: Tool) -> Recipe {
    let (package, minutes) = match tool {
        Tool::Etcd => ("go.etcd.io/etcd/server/v3", 1),
        Tool::KubeApiserver => ("k8s.io/kubernetes/cmd/kube-apiserver", 4),
        Tool::KubeControllerManager => ("k8s.io/kubernetes/cmd/kube-controller-manager", 2),
        Tool::Kubectl => ("k8s.io/kubernetes/cmd/kubectl", 1),
        Tool::CoreDns | Tool::GrpcPeer => (".", 1),
        Tool::Helm => ("helm.sh/helm/v4/cmd/helm", 2),
    };
    let (module, inputs) = match tool {
        Tool::CoreDns => (
            "coredns",
            [
                include_str!("../go/coredns/go.mod"),
                include_str!("../go/coredns/go.sum"),
                include_str!("../go/coredns/main.go"),
            ],
        ),
        Tool::GrpcPeer => (
            "grpcpeer",
            [
                include_str!("../go/grpcpeer/go.mod"),
                include_str!("../go/grpcpeer/go.sum"),
                include_str!("../go/grpcpeer/main.go"),
            ],
        ),
        Tool::Helm => ("helm", [include_str!("../go/helm/go.mod"), include_str!("../go/helm/go.sum"), ""]),
        _ => ("kubernetes", [include_str!("../go/kubernetes/go.mod"), include_str!("../go/kubernetes/go.sum"), ""]),
    };
    Recipe { module, package, inputs, minutes }
}

impl Recipe {
    /// For example `kubernetes-1f3a…`: the same for all tools of one module.
    pub(super) fn cache_key(&self) -> String {
        let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
        let parts = [RECIPE_VERSION, &platform].into_iter().chain(self.inputs);
        let digest = hash::sha256_hex(parts.collect::<Vec<_>>().join("\0").as_bytes());
        format!("{}-{}", self.module, &digest[..16])
    }
}

/// Builds `tool` into `output`, showing what Go says. Panics if that fails.
pub(super) fn build(tool: Tool, output: &Path) {
    let go = go_command();
    let recipe = recipe(tool);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/testbed/go").join(recipe.module);
    eprintln!(
        "testbed: building {} from Go modules, once: about {} min on two cores (set {} to a folder that has it to skip this)",
        tool.name(),
        recipe.minutes,
        super::FOLDER_VARS[0],
    );
    let started = Instant::now();
    let mut child = Command::new(&go)
        .current_dir(&folder)
        .env("CGO_ENABLED", "0")
        .env("GOPROXY", proxy(&go))
        .env("GOFLAGS", "-mod=readonly -buildvcs=false -trimpath")
        // The toolchain that is there is new enough or the error says so; none is fetched.
        .env("GOTOOLCHAIN", "local")
        .args(["build", "-ldflags", &link_flags(tool), "-o"])
        .arg(output)
        .arg(recipe.package)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("run {}: {error}", go.display()));
    let mut last = String::new();
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines().map_while(Result::ok))
    {
        // Hundreds of modules are fetched the first time: not worth a line each.
        if !line.starts_with("go: downloading ") {
            eprintln!("testbed: go: {line}");
            last = line;
        }
    }
    let status = child.wait().expect("wait for go build");
    assert!(status.success(), "go build of {} in {} ended with {status}: {last}", tool.name(), folder.display());
    eprintln!("testbed: built {} in {} s", tool.name(), started.elapsed().as_secs());
}

fn go_command() -> PathBuf {
    let on_path = Command::new("go").arg("version").output().is_ok_and(|output| output.status.success());
    let usual = Path::new("/usr/local/go/bin/go");
    if on_path {
        return "go".into();
    }
    assert!(
        usual.is_file(),
        "\n\nThese tests run a real Kubernetes API server and a gRPC program in Go, which are built from Go modules, and there is no Go \
         (1.26 or newer) on PATH.\n  Install it:   apt-get install golang-go   (if that is older: https://go.dev/dl)\n  Or name a folder with \
         etcd, kube-apiserver, kube-controller-manager, kubectl, coredns and grpcpeer:   export {}=/path\n",
        super::FOLDER_VARS[0],
    );
    usual.to_owned()
}

/// The first proxy of the user's list. A list that goes on with `direct` makes Go
/// try the source hosts too, and hang for minutes where they are out of reach.
fn proxy(go: &Path) -> String {
    let output = Command::new(go).args(["env", "GOPROXY"]).output();
    let list = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    list.split([',', '|']).next().unwrap_or_default().to_owned()
}

/// Kubernetes learns its version at link time; without it, clients cannot parse
/// what the API server says of itself.
fn link_flags(tool: Tool) -> String {
    let mut flags = String::from("-s -w");
    if !matches!(tool, Tool::CoreDns | Tool::Etcd | Tool::GrpcPeer | Tool::Helm) {
        let version = kubernetes_version();
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
            let set = [("gitVersion", version), ("gitMajor", major), ("gitMinor", minor), ("gitTreeState", "clean")];
            for (name, value) in set {
                flags.push_str(&format!(" -X {package}.{name}={value}"));
            }
        }
    }
    flags
}
