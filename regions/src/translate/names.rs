//! The names of resources. People and scripts rely on these forms; Istio's operators know them.

use std::net::{IpAddr, SocketAddr};

use federation::model::ServiceKey;

/// Connects to the original destination.
pub const PASSTHROUGH: &str = "PassthroughCluster";
/// Has no hosts.
pub const BLACK_HOLE: &str = "BlackHoleCluster";
const VIP_CLUSTER: &str = "vip|";
/// Where an intercepted connection was going, for Envoy to fill in.
pub const ORIGINAL_DESTINATION: &str = "%DOWNSTREAM_LOCAL_ADDRESS%";
/// The listener that intercepted connections reach first.
pub const VIRTUAL_OUTBOUND: &str = "virtualOutbound";
/// The same for IPv6.
pub const VIRTUAL_OUTBOUND_V6: &str = "virtualOutbound6";
/// The plain HTTP listener.
pub const EGRESS: &str = "egress";

/// `outbound|<port>||<name>.<ns>.svc.cluster.local`: a cluster, its load assignment, its route table.
pub fn outbound(port: u16, service: &ServiceKey) -> String {
    format!("outbound|{port}||{}", service.dns_name())
}

/// `<name>.<ns>.svc.cluster.local:<port>`: the listener of a gRPC client that dials `xds:///` and this.
pub fn dialled(port: u16, service: &ServiceKey) -> String {
    format!("{}:{port}", service.dns_name())
}

/// What the name of a gRPC server's listener begins with; its listening address follows. In the bootstrap:
/// `"server_listener_resource_name_template": "grpc/server?xds.resource.listening_address=%s"`.
pub const SERVER_LISTENER: &str = "grpc/server?xds.resource.listening_address=";

/// The address a gRPC server listens on, from the name of the listener it asks for.
pub fn listening_address(listener: &str) -> Option<SocketAddr> {
    listener.strip_prefix(SERVER_LISTENER)?.parse().ok()
}

/// `vip|<ip>:<port>`: a cluster that is asked for by where a connection was going.
pub fn vip_cluster(at: SocketAddr) -> String {
    format!("{VIP_CLUSTER}{at}")
}

/// The same, for Envoy to fill in.
pub fn vip_cluster_format() -> String {
    format!("{VIP_CLUSTER}{ORIGINAL_DESTINATION}")
}

/// Where a connection was going that needs this cluster.
pub fn parse_vip_cluster(name: &str) -> Option<SocketAddr> {
    name.strip_prefix(VIP_CLUSTER)?.parse().ok()
}

/// The scope of a service on the plain HTTP port; with a port, that of the form `<name>.<ns>:<port>`.
pub fn egress_scope(port: Option<u16>, service: &ServiceKey) -> String {
    match port {
        Some(port) => format!("egress|{port}||{}", service.dns_name()),
        None => format!("egress|||{}", service.dns_name()),
    }
}

/// `<vip>_<port>`: one destination.
pub fn vip_listener(vip: SocketAddr) -> String {
    match vip.ip() {
        IpAddr::V4(ip) => format!("{ip}_{}", vip.port()),
        IpAddr::V6(ip) => format!("[{ip}]_{}", vip.port()),
    }
}
