//! Names of gRPC methods.

use regions::session::Variant;

/// The path of the stream's method.
pub fn path(variant: Variant) -> &'static str {
    match variant {
        Variant::Delta => "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
        Variant::Sotw => "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
    }
}
