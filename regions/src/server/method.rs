//! Which method of which service was called.

use crate::resource::ResourceType;
use crate::session::Variant;

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    Discovery(Method),
    /// CSDS.
    Status,
    /// LRS.
    Loads,
}

/// A discovery stream: ADS, or the part of it that one of the older services serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    pub variant: Variant,
    /// The one type of a per-type service; requests need not name it there.
    pub only: Option<ResourceType>,
}

/// Paths as `/<service>/<method>`; `None`: nothing that is served here.
pub fn called(path: &str) -> Option<Called> {
    use ResourceType::{Assignment, Cluster, Listener, Route, Scope, VirtualHost};
    use Variant::{Delta, Sotw};
    let (service, method) = path.strip_prefix("/envoy.service.")?.split_once('/')?;
    let (variant, only) = match (service, method) {
        ("discovery.v3.AggregatedDiscoveryService", "StreamAggregatedResources") => (Sotw, None),
        ("discovery.v3.AggregatedDiscoveryService", "DeltaAggregatedResources") => (Delta, None),
        ("cluster.v3.ClusterDiscoveryService", "StreamClusters") => (Sotw, Some(Cluster)),
        ("cluster.v3.ClusterDiscoveryService", "DeltaClusters") => (Delta, Some(Cluster)),
        ("endpoint.v3.EndpointDiscoveryService", "StreamEndpoints") => (Sotw, Some(Assignment)),
        ("endpoint.v3.EndpointDiscoveryService", "DeltaEndpoints") => (Delta, Some(Assignment)),
        ("listener.v3.ListenerDiscoveryService", "StreamListeners") => (Sotw, Some(Listener)),
        ("listener.v3.ListenerDiscoveryService", "DeltaListeners") => (Delta, Some(Listener)),
        ("route.v3.RouteDiscoveryService", "StreamRoutes") => (Sotw, Some(Route)),
        ("route.v3.RouteDiscoveryService", "DeltaRoutes") => (Delta, Some(Route)),
        ("route.v3.ScopedRoutesDiscoveryService", "StreamScopedRoutes") => (Sotw, Some(Scope)),
        ("route.v3.ScopedRoutesDiscoveryService", "DeltaScopedRoutes") => (Delta, Some(Scope)),
        // There is no other way to speak it.
        ("route.v3.VirtualHostDiscoveryService", "DeltaVirtualHosts") => (Delta, Some(VirtualHost)),
        ("status.v3.ClientStatusDiscoveryService", _) => return Some(Called::Status),
        ("load_stats.v3.LoadReportingService", "StreamLoadStats") => return Some(Called::Loads),
        _ => return None,
    };
    Some(Called::Discovery(Method { variant, only }))
}
