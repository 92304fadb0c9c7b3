//! The engine is a row of stages, and each stage owns its state: a struct with private fields that no other code writes.
//!
//! ```text
//! hub → store → membership → knowledge → services → vips → mirrors → reports
//! ```
//!
//! A stage has one `update`: it takes what the stages before it changed in this round, reads their state, and returns what
//! it changed itself. Where its result equals what it was before, the change stops. [`crate::Engine`] only calls the
//! stages in order.

pub(crate) mod hub;
pub(crate) mod knowledge;
pub(crate) mod membership;
pub(crate) mod mirrors;
pub(crate) mod reports;
pub(crate) mod services;
pub(crate) mod vips;
