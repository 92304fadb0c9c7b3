//! The proxies: one real Envoy per region, with nothing in its bootstrap but who it is and where its control plane is.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use programs::process::Process;
use serde_json::{Value, json};

use super::error::DemoError;
use super::http;

/// Where the control plane has proxies listen for plain HTTP; the Host header picks the service.
pub const EGRESS_PORT: u16 = 15080;
/// No server listens there.
const CLAIM_PORT: u16 = 15079;
/// Third number of the first proxy's address, 127.0.x.1; others are tried if it is taken.
const FIRST_ADDRESS: u8 = 41;
const LAST_ADDRESS: u8 = 250;
const ASK_LIMIT: Duration = Duration::from_millis(500);
/// Connections a proxy takes from clients. Without a limit Envoy warns at every start.
const MAX_CONNECTIONS: u32 = 1_000;

/// Who a proxy is.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    pub region: &'static str,
    pub zone: &'static str,
    pub cluster: &'static str,
    pub namespace: &'static str,
}

/// One region's Envoy.
#[derive(Debug)]
pub struct Proxy {
    pub identity: Identity,
    /// Where clients send their requests.
    pub egress: SocketAddr,
    pub process: Process,
    _claim: Claim,
}

impl Proxy {
    pub fn start(
        program: &Path,
        identity: Identity,
        claim: Claim,
        xds: SocketAddr,
        root: &Path,
    ) -> Result<Self, DemoError> {
        let path = root.join(format!("envoy-{}.json", identity.region));
        let text = format!("{:#}\n", bootstrap(&identity, claim.ip, xds));
        std::fs::write(&path, text).map_err(|source| DemoError::Io { action: "write", path: path.clone(), source })?;
        let config = path.to_string_lossy();
        // One worker: all of a region's clients share one view, and three proxies leave room on a small machine.
        let args = ["-c", &config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"];
        let name = format!("the Envoy of {}", identity.region);
        let log = root.join("logs").join(format!("envoy-{}.log", identity.region));
        let process = Process::start(&name, program, &args, log)?;
        Ok(Self { identity, egress: SocketAddr::from((claim.ip, EGRESS_PORT)), process, _claim: claim })
    }

    /// One request for a service through this proxy: which Pod answered, else why none did.
    pub async fn probe(&self, host: &str) -> Result<super::world::Spot, String> {
        let reply = http::get(self.egress, host, "/", ASK_LIMIT).await.map_err(|error| error.to_string())?;
        if reply.status != 200 {
            let body = String::from_utf8_lossy(&reply.body);
            return Err(format!("{host} answered {} {}", reply.status, body.trim()));
        }
        super::client::spot_of(&reply.body).ok_or_else(|| format!("{host} answered, but not with a pod's name"))
    }
}

/// A loopback address that is one proxy's own while this is held.
#[derive(Debug)]
pub struct Claim {
    pub ip: Ipv4Addr,
    /// Envoys share a port without a word (`SO_REUSEPORT`), and each would get some of the other's requests. So demos that
    /// run side by side tell each other by a port that cannot be shared.
    _held: TcpListener,
}

/// Loopback addresses on which the egress port is free, one for each proxy.
pub fn claim_addresses(count: usize) -> Result<Vec<Claim>, DemoError> {
    let mut claims = Vec::new();
    let mut last = None;
    for third in FIRST_ADDRESS..=LAST_ADDRESS {
        if claims.len() == count {
            break;
        }
        match claim(Ipv4Addr::new(127, 0, third, 1)) {
            Ok(claim) => claims.push(claim),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) if claims.len() < count => Err(error),
        _ => Ok(claims),
    }
}

fn claim(ip: Ipv4Addr) -> Result<Claim, DemoError> {
    let listen = |port| {
        let address = SocketAddr::from((ip, port));
        let what = || "an Envoy".to_owned();
        TcpListener::bind(address).map_err(|source| DemoError::Address { what: what(), address, source })
    };
    let held = listen(CLAIM_PORT)?;
    listen(EGRESS_PORT)?;
    Ok(Claim { ip, _held: held })
}

/// Delta ADS to one control plane, over one HTTP/2 connection that notices a dead peer.
fn bootstrap(identity: &Identity, listen: Ipv4Addr, xds: SocketAddr) -> Value {
    let Identity { region, zone, cluster, namespace } = identity;
    let at = |address: SocketAddr| json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    let ads = json!({"ads": {}, "resource_api_version": "V3"});
    json!({
        "node": {
            "id": format!("demo-{region}"),
            "cluster": "isthmus-demo",
            "locality": {"region": region, "zone": zone},
            "metadata": {
                "CLUSTER_ID": cluster,
                "NAMESPACE": namespace,
                "LISTEN": listen.to_string(),
                "INTERCEPTION_MODE": "NONE",
            },
        },
        // Envoy chooses the port.
        "admin": {"address": at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))},
        "overload_manager": {"resource_monitors": [{
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.\
                          DownstreamConnectionsConfig",
                "max_active_downstream_connections": MAX_CONNECTIONS,
            },
        }]},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": true,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "isthmus"}}],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {"clusters": [{
            "name": "isthmus",
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": "isthmus",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": at(xds)}}]}],
            },
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": {"http2_protocol_options": {
                        "connection_keepalive": {"interval": "5s", "timeout": "2s"},
                    }},
                },
            },
        }]},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_says_who_it_is_and_knows_only_its_control_plane() {
        let identity = Identity { region: "eu", zone: "eu-a", cluster: "eu-1", namespace: "shop" };
        let xds = SocketAddr::from(([127, 0, 0, 1], 7));
        let made = bootstrap(&identity, Ipv4Addr::new(127, 0, 41, 1), xds);
        assert_eq!(made.pointer("/node/locality"), Some(&json!({"region": "eu", "zone": "eu-a"})));
        assert_eq!(
            made.pointer("/node/metadata"),
            Some(&json!({
                "CLUSTER_ID": "eu-1",
                "NAMESPACE": "shop",
                "LISTEN": "127.0.41.1",
                "INTERCEPTION_MODE": "NONE",
            }))
        );
        assert_eq!(made.pointer("/static_resources/clusters").and_then(Value::as_array).map(Vec::len), Some(1));
        assert_eq!(made.pointer("/static_resources/listeners"), None);
        assert_eq!(made.pointer("/dynamic_resources/ads_config/api_type"), Some(&json!("DELTA_GRPC")));
    }

    #[test]
    fn each_proxy_gets_an_address_of_its_own_and_keeps_it() -> Result<(), DemoError> {
        let (mine, others) = (claim_addresses(2)?, claim_addresses(3)?);
        let mut all: Vec<Ipv4Addr> = mine.iter().chain(&others).map(|claim| claim.ip).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
        Ok(())
    }
}
