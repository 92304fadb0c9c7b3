//! Flags of whatever runs for long: where its pages are, and how long it waits for what it has to know.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::admin::{Addresses, Hosts};
use crate::outcome::BadUsage;

#[derive(Clone, Debug, clap::Args)]
pub struct PlaneArgs {
    /// Where to serve liveness, readiness, metrics and debug pages. They show all that is known, to anyone: other than on
    /// loopback this needs --allow-open-admin.
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 15014))]
    admin: SocketAddr,
    /// Serve the debug pages on an address that others can reach: for networks in which everyone may see them.
    #[arg(long)]
    allow_open_admin: bool,
    /// Where to serve liveness, readiness and metrics alone, for the kubelet and Prometheus: 0.0.0.0:15021, for example.
    #[arg(long, value_name = "ADDRESS")]
    probes: Option<SocketAddr>,
    /// A name by which the pages may be asked for, besides localhost and addresses; others are refused. May be repeated.
    #[arg(long, value_name = "NAME")]
    admin_host: Vec<String>,
    /// How long to wait at start for members on record that were not listed yet, before what is known is served. Counted
    /// from when the hub's own lists are complete; those are waited for as long as it takes.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = clap::value_parser!(u64).range(1..=3600))]
    sync_deadline: u64,
}

impl PlaneArgs {
    pub fn sync_deadline(&self) -> Duration {
        Duration::from_secs(self.sync_deadline)
    }

    pub fn pages(&self) -> Result<Addresses, BadUsage> {
        if !self.admin.ip().to_canonical().is_loopback() && !self.allow_open_admin {
            return Err(BadUsage(format!(
                "--admin: {} can be reached by others, and shows them all that is known; use --probes for the kubelet and \
                 Prometheus, or pass --allow-open-admin if that is meant",
                self.admin
            )));
        }
        let hosts = Hosts::new(self.admin_host.iter().cloned());
        Ok(Addresses { admin: self.admin, probes: self.probes, hosts })
    }
}
