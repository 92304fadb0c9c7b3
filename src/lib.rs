//! The edge of Isthmus: the only place that knows Kubernetes, files, flags and pages.

pub mod clusters;
pub mod feed;
pub mod problem;
