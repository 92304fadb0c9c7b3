//! `isthmus demo`: the real parts a demonstration runs, and where they are kept
//! on this machine.

pub mod cache;
pub mod envoy_binary;
