//! What Isthmus writes into clusters: mirrored objects into members, statuses and Events into the hub.

pub mod mirror;
pub mod queue;
pub mod status;
