//! The edge of Isthmus: the only place that knows Kubernetes, files, flags and pages.

pub mod admin;
pub mod api;
pub mod bench;
pub mod cause;
pub mod cli;
pub mod clusters;
pub mod convert;
pub mod demo;
mod descriptors;
#[cfg(test)]
mod docs;
pub mod feed;
pub mod files;
pub mod foreign;
pub mod http;
pub mod hub;
pub mod lease;
pub mod limits;
pub mod manifests;
pub mod mirror;
mod nearly;
pub mod offline;
pub mod plane;
pub mod problem;
pub mod proxy;
pub mod runtime;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod tls;
pub mod view;
