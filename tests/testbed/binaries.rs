//! Where the real Kubernetes, etcd and CoreDNS binaries come from, and a gRPC program in Go.
//!
//! In this order: a folder named by the environment, the cache, a download of
//! the official release (only on request), a build from the Go modules in `go/`.
//! The build needs Go and a module proxy and nothing else: no container, no
//! image, no root. It is done once per version; the cache key is a hash of
//! everything the build depends on.

mod build;
pub(in crate::testbed) mod download;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use programs::cache;

/// A folder that holds the binaries; what is not in it is looked for elsewhere.
/// `KUBEBUILDER_ASSETS`, which the test environment of Go operators uses, is
/// understood as well.
pub const FOLDER_VARS: [&str; 2] = ["ISTHMUS_TESTBED_BIN", "KUBEBUILDER_ASSETS"];

/// A real program that tests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    Etcd,
    KubeApiserver,
    KubeControllerManager,
    Kubectl,
    CoreDns,
    /// Calls and serves over grpc-go, see `go/grpcpeer`.
    GrpcPeer,
    Helm,
}

impl Tool {
    pub const ALL: [Self; 7] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::Kubectl,
        Self::CoreDns,
        Self::GrpcPeer,
        Self::Helm,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::CoreDns => "coredns",
            Self::GrpcPeer => "grpcpeer",
            Self::Helm => "helm",
        }
    }
}

/// The path of a tool that can be run. The first call may take minutes and says
/// so; later ones cost nothing. Panics, with what would help, if there is no way
/// to get the tool.
///
/// Blocks: from async code use [`obtain_all`].
pub fn obtain(tool: Tool) -> PathBuf {
    static FOUND: [OnceLock<PathBuf>; Tool::ALL.len()] = [const { OnceLock::new() }; Tool::ALL.len()];
    FOUND[tool as usize].get_or_init(|| find(tool)).clone()
}

/// [`obtain`] for several tools, away from the async threads.
pub async fn obtain_all<const N: usize>(tools: [Tool; N]) -> [PathBuf; N] {
    let found = tokio::task::spawn_blocking(move || tools.map(obtain)).await;
    found.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn find(tool: Tool) -> PathBuf {
    let named = FOLDER_VARS.iter().filter_map(std::env::var_os).map(|folder| Path::new(&folder).join(tool.name()));
    for path in named {
        if path.is_file() {
            return path;
        }
    }
    let root = cache::root().expect("a cache folder: set ISTHMUS_CACHE or HOME").join("testbed");
    let folder = root.join(build::recipe(tool).cache_key());
    let binary = folder.join(tool.name());
    if binary.is_file() {
        return binary;
    }
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("make {}: {error}", folder.display()));
    // One lock for all tools: two Go builds at once would only slow each other down.
    let lock = File::create(root.join("lock")).expect("make the lock of the test bed's cache");
    if lock.try_lock().is_err() {
        eprintln!("testbed: waiting for another process that is making the test bed's binaries");
        lock.lock().expect("lock the test bed's cache");
    }
    if binary.is_file() {
        return binary;
    }
    let part = folder.join(format!("{}.part", tool.name()));
    if !download::wanted(tool, &part) {
        build::build(tool, &part);
    }
    // Only whole binaries ever have the final name.
    std::fs::rename(&part, &binary).unwrap_or_else(|error| panic!("move to {}: {error}", binary.display()));
    binary
}
