//! Mirrors: Namespaces and selector-less Services in members, so that their own DNS knows the names of services that run
//! elsewhere. Here is what they look like, which of an object's fields are ours, which hub may write into a member, and how they
//! are written into a folder. The [`queue`](crate::writers::queue) writes them into members.

pub(super) mod fields;
pub mod folder;
mod hold;
pub(super) mod holders;
pub(super) mod objects;
pub(super) mod release;

pub use hold::LEASE;
