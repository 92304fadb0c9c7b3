//! Real cluster DNS over the API of one cluster.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver};
use tempfile::TempDir;
use thiserror::Error;

use super::binaries::{Tool, obtain_all};
use super::process::Process;
use super::wait::eventually;
use super::{Cluster, http, ports};

const START_LIMIT: Duration = Duration::from_secs(30);
const QUERY_LIMIT: Duration = Duration::from_secs(2);
const QUERY_ATTEMPTS: usize = 2;
const READY_LIMIT: Duration = Duration::from_secs(1);

/// Why a name has no addresses.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DnsError {
    /// NXDOMAIN, or a name that exists without addresses.
    #[error("no such name, or no address under it")]
    NotFound,
    /// No usable answer.
    #[error("{0}")]
    Failed(String),
}

/// A CoreDNS whose `kubernetes` plugin serves `cluster.local`.
pub struct CoreDns {
    process: Process,
    address: SocketAddr,
    resolver: TokioResolver,
    _folder: TempDir,
}

impl CoreDns {
    /// Ready when this returns: it has seen all services of the cluster.
    pub async fn start(cluster: &Cluster) -> Self {
        Self::with_options(cluster, "", SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()))).await
    }

    /// The same at this address, such as pods find it at.
    pub async fn start_at(cluster: &Cluster, address: SocketAddr) -> Self {
        Self::with_options(cluster, "", address).await
    }

    /// Serves `clusterset.local` from ServiceImports as well (KEP-1645). Their
    /// CRD must be there, or it is never ready.
    pub async fn start_multicluster(cluster: &Cluster) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        Self::with_options(cluster, "multicluster clusterset.local", address).await
    }

    async fn with_options(cluster: &Cluster, option: &str, address: SocketAddr) -> Self {
        let [binary] = obtain_all([Tool::CoreDns]).await;
        let folder = tempfile::Builder::new().prefix("isthmus-coredns-").tempdir().expect("make a folder for CoreDNS");
        let (port, ready_port) = (address.port(), ports::free());
        let zones = if option.is_empty() { "cluster.local" } else { "cluster.local clusterset.local" };
        let corefile = format!(
            "{zones} {{\n  bind {bind}\n  errors\n  ready 127.0.0.1:{ready_port}\n  \
             kubernetes {zones} {{\n    kubeconfig {kubeconfig} {context}\n    ttl 0\n    {option}\n  }}\n}}\n",
            bind = address.ip(),
            kubeconfig = cluster.kubeconfig_path().display(),
            context = cluster.name(),
        );
        let file = folder.path().join("Corefile");
        std::fs::write(&file, corefile).expect("write the Corefile");
        let args = ["-conf".to_owned(), file.display().to_string(), "-dns.port".to_owned(), port.to_string()];
        let mut process = Process::spawn("coredns", &binary, args, folder.path());

        let ready = SocketAddr::from((Ipv4Addr::LOCALHOST, ready_port));
        eventually("CoreDNS ready", START_LIMIT, async || {
            process.must_run();
            match http::get(ready, "localhost", "/ready", READY_LIMIT).await {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(answer.body),
                Err(error) => Err(error),
            }
        })
        .await;
        Self { process, address, resolver: resolver(address), _folder: folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The IPv4 and IPv6 addresses of `name`, sorted; never from a cache. The
    /// name is absolute, whether or not it ends in a dot.
    pub async fn lookup(&self, name: &str) -> Result<Vec<IpAddr>, DnsError> {
        let absolute = format!("{}.", name.trim_end_matches('.'));
        let answer = self.resolver.lookup_ip(absolute).await.map_err(|error| {
            if error.is_no_records_found() { DnsError::NotFound } else { DnsError::Failed(error.to_string()) }
        })?;
        let mut addresses: Vec<IpAddr> = answer.iter().collect();
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    /// Waits until `name` has exactly these addresses; CoreDNS learns of changes
    /// through a watch.
    pub async fn resolves_to(&self, name: &str, expected: &[IpAddr], limit: Duration) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        eventually(&format!("{name} resolves to {expected:?}"), limit, async || match self.lookup(name).await {
            Ok(found) if found == expected => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    /// Waits until `name` has no address.
    pub async fn resolves_to_nothing(&self, name: &str, limit: Duration) {
        eventually(&format!("{name} is gone"), limit, async || match self.lookup(name).await {
            Err(DnsError::NotFound) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    /// What it logged last.
    pub fn log_tail(&self, lines: usize) -> String {
        self.process.log_tail(lines)
    }
}

fn resolver(server: SocketAddr) -> TokioResolver {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.cache_size = 0;
    options.timeout = QUERY_LIMIT;
    options.attempts = QUERY_ATTEMPTS;
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    builder.build().expect("a resolver")
}
