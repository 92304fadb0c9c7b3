//! The test bed: real parts, started by the tests themselves.
//!
//! | part | what it is |
//! | --- | --- |
//! | [`Cluster`] | etcd, kube-apiserver and kube-controller-manager of one cluster |
//! | [`CoreDns`] | cluster DNS over that cluster's API |
//! | [`Envoy`] | an Envoy that takes everything from a control plane over ADS |
//! | [`Pod`] | a process with a pod's network |
//! | [`Backend`], [`Traffic`] | HTTP servers that can be killed, and a client that records every answer |
//!
//! A test whose endpoints come from a cluster *and* are called runs in
//! [`netns::isolated`]: the API server takes no loopback address as an endpoint.
//!
//! Everything stays on loopback, in one temporary folder per part, and ends with
//! its owner. Binaries are made on first use and kept (see [`binaries`]).
//! Failing is by panic: a part that does not work is a failed test, reported with
//! the last lines the process wrote.

#![allow(dead_code, unused_imports, reason = "a tool box: not every build of the tests uses every tool")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a broken test bed is a failed test")]

pub mod backends;
pub mod binaries;
mod certs;
pub mod cluster;
pub mod coredns;
pub mod envoy;
mod hash;
pub mod http;
pub mod netns;
pub mod pki;
pub mod pod;
pub mod ports;
pub mod process;
mod selftest;
pub mod traffic;
pub mod wait;

pub use backends::Backend;
pub use cluster::{AccountAccess, Cluster, ClusterSpec, client_of, config_of, rule};
pub use coredns::CoreDns;
pub use envoy::{ClusterStatus, Envoy, EnvoySpec, EnvoyTls, HostStatus};
pub use pod::{Pod, PodSpec};
pub use traffic::Traffic;
pub use wait::eventually;

/// Must come before the first TLS connection; harmless when repeated.
pub fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
