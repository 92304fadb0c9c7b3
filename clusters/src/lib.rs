//! Kubernetes clusters, one at a time: what they hold becomes [`federation::change::Batch`]es, what the federation decides becomes
//! objects and conditions in them. **It knows no xDS, no flags and no pages.**
//!
//! API servers and folders → [`sources`] → [`convert`] → batches; decisions and reports → [`conditions`], [`writers`] → API
//! servers and folders.
//!
//! | to change | look in |
//! | --- | --- |
//! | a custom resource | [`api`], one kind a file |
//! | how an object of Kubernetes is read | [`convert`], one kind a file |
//! | what is wrong with objects, and how much of it is listed | [`problem`] |
//! | how an API server is reached, what it may answer, why it cannot be used | [`client`] |
//! | what is watched, when it is listed again, folders of YAML | [`sources`] |
//! | conditions, their reasons and texts | [`conditions`] |
//! | mirrors, statuses and Events in clusters | [`writers`] |
//! | what sources publish for writers and pages | [`tables`] |
//! | leader election | [`lease`] |
//! | what gets installed | [`manifests`] |
//! | a federation that is judged without running it | [`offline`] |
//! | how texts from outside are shown | [`foreign`] |
//!
//! Modules are layers: each imports from those below its own only, and files do not import each other in a circle; `.ci/walls`
//! proves both. An item that two files need has a file of its own.

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
