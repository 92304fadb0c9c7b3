//! One region's xDS control plane.
//!
//! [`federation::Effects`] → [`catalog::Catalog`] → [`snapshot::Snapshot`] → [`session::Session`] → gRPC streams.
//! It knows Envoy and gRPC; **it does not know Kubernetes.** Each stage stops where its result equals what it was:
//! a resource whose bytes did not change is sent to no client.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod alias;
pub mod catalog;
pub mod class;
pub mod interest;
pub mod json;
mod refusal_kind;
pub mod resource;
pub mod server;
pub mod session;
pub mod snapshot;
pub mod stats;
#[cfg(test)]
mod testing;
pub mod translate;
mod wire;
