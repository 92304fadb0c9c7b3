//! What a region's control plane serves, as flags say.

use std::net::SocketAddr;

use federation::model::RegionId;
use regions::server::Limits;

use crate::process::tls;

/// What a region's control plane serves.
pub struct Serve {
    pub region: RegionId,
    /// In plaintext.
    pub xds: SocketAddr,
    /// Whether sidecars get clusters on demand, unless they say otherwise.
    pub on_demand: bool,
    /// Over TLS, and with what.
    pub tls: Option<(SocketAddr, tls::Origin)>,
    pub limits: Limits,
}
