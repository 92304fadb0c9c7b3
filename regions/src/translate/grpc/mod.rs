//! Resources for gRPC clients and servers without a proxy. gRPC reads the same messages as Envoy, but less of each, and
//! refuses what Envoy tolerates: one bad field makes it reject the whole resource. So it gets resources of its own, as small as
//! they can be. Of Envoy's only [`super::route::table`] fits both: gRPC passes over what it does not know there.
//!
//! A client asks for the listener that its application dials, `xds:///<name>.<ns>.svc.cluster.local:<port>`, and from there for
//! the route table, the cluster and its load assignment, all under the cluster's name.

mod cluster;
mod endpoint;
mod listener;
mod server;

pub use cluster::cluster;
pub use endpoint::load_assignment;
pub use listener::{listener, placeholder};
pub use server::server_listener;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
