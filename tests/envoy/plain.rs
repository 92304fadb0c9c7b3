//! Proxies that nothing is redirected to: their clients come to the plain port.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::harness::Isthmus;
use crate::testbed::{Envoy, EnvoySpec};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
const EGRESS_PORT: u16 = 15_080;

/// A proxy in `eu-a` that serves already, and where it listens. `clusters` is its `CLUSTERS`; `also` is further metadata.
pub async fn start(plane: &Isthmus, clusters: &str, listen: Ipv4Addr, also: (&str, &str)) -> (Envoy, SocketAddr) {
    let spec = EnvoySpec::new(clusters, "eu", "eu-a", plane.xds())
        .metadata("CLUSTER_ID", "eu-1")
        .metadata("INTERCEPTION_MODE", "NONE")
        .metadata("LISTEN", listen.to_string())
        .metadata("CLUSTERS", clusters)
        .metadata(also.0, also.1);
    let envoy = Envoy::start(spec).await;
    envoy.wait_live(LIVE_LIMIT).await;
    (envoy, SocketAddr::new(listen.into(), EGRESS_PORT))
}
