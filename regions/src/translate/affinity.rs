//! Session affinity: one client address stays with one host (`sessionAffinity: ClientIP` of the Service API).
//!
//! Proxies hash the client's address onto the hosts of the nearest priority that can serve (Maglev: when a host goes, hardly any
//! but its own clients move). Unlike with kube-proxy, a host that comes takes over a share of the clients at once, and there is
//! no timeout: the hash of an address is the same tomorrow. gRPC has no Maglev, so its clients use a ring (gRFC A42).

use envoy_types::pb::envoy::config::route::v3::route_action::HashPolicy;
use envoy_types::pb::envoy::config::route::v3::route_action::hash_policy::{
    ConnectionProperties, FilterState, PolicySpecifier,
};
use envoy_types::pb::envoy::r#type::v3 as tcp;

/// For HTTP requests. Only clusters that balance by hash look at it.
pub(super) fn by_client_address() -> HashPolicy {
    let source = ConnectionProperties { source_ip: true };
    HashPolicy { policy_specifier: Some(PolicySpecifier::ConnectionProperties(source)), ..HashPolicy::default() }
}

/// For connections whose bytes are passed on. Only clusters that balance by hash look at it.
pub(super) fn by_client_address_of_connection() -> tcp::HashPolicy {
    let source = tcp::hash_policy::SourceIp {};
    tcp::HashPolicy { policy_specifier: Some(tcp::hash_policy::PolicySpecifier::SourceIp(source)) }
}

/// For gRPC clients, which are their own proxies: all calls of one channel (gRFC A42).
pub(super) fn by_channel() -> HashPolicy {
    let channel = FilterState { key: "io.grpc.channel_id".to_owned() };
    HashPolicy { policy_specifier: Some(PolicySpecifier::FilterState(channel)), ..HashPolicy::default() }
}
