//! From what the engine decided to the bytes that a proxy reads. Pure functions; nothing here knows which clients are
//! connected.
//!
//! What depends on endpoints alone is a [`endpoint`] resource and nothing else: a pod that comes or goes must never
//! touch a cluster, a listener or a route, because those drain connections when they change.

mod affinity;
pub mod chain;
pub mod cluster;
mod connection;
pub mod endpoint;
pub mod grpc;
mod http_manager;
pub mod leds;
pub mod listener;
mod matcher;
pub mod names;
pub mod outbound;
mod proto;
mod protocol;
mod retry;
pub mod route;
mod tcp_proxy;
pub mod vhds;

/// The port that transparently intercepted connections are redirected to (Istio's number).
pub const INTERCEPT_PORT: u16 = 15_001;
/// The plain HTTP port for clients that are not intercepted.
pub const EGRESS_PORT: u16 = 15_080;

/// Carries the original destination from the listener to the cluster it decides, where clusters are fetched on demand. What
/// a client sends under this name is replaced, and the one route removes it: it neither steers nor reaches a backend.
pub const VIP_HEADER: &str = "x-isthmus-vip";
/// Keeps the client's own `x-forwarded-proto`, from before Envoy adds one until the request leaves.
const FORWARDED_PROTO_HEADER: &str = "x-isthmus-forwarded-proto";

#[cfg(test)]
mod tests;
