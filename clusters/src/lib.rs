//! Kubernetes clusters, one at a time: what they hold becomes [`federation::change::Batch`]es, what the federation decides becomes
//! objects and conditions in them.
//!
//! API servers and folders → [`sources`] → [`convert`] → batches; decisions and reports → [`conditions`], [`writers`] → API
//! servers and folders. **It knows no xDS, no flags and no pages.**

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod client;
pub mod clock;
pub mod conditions;
pub mod convert;
pub mod foreign;
pub mod lease;
pub mod manifests;
mod nearly;
pub mod offline;
pub mod problem;
pub mod shutdown;
pub mod sources;
pub mod tables;
pub mod writers;
