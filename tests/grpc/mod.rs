//! gRPC without a proxy: real grpcio (C-core) and grpc-go, as clients and as servers, at the product's control plane.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what is missing is a failed test")]

mod calls;
mod partly;
mod peer;
mod python;
mod servers;
mod shares;
mod test_region;
mod transport;
