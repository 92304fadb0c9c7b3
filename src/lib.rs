//! The edge of Isthmus: the only place that knows Kubernetes, files, flags and pages.

pub mod api;
pub mod clusters;
pub mod convert;
pub mod demo;
pub mod feed;
pub mod lease;
pub mod mirror;
pub mod problem;
pub mod shutdown;
