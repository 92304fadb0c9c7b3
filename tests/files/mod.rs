//! Worlds in folders, as whole processes see them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what is missing is a failed test")]

mod ads;
mod bad_input;
mod cut_short;
mod folder_equals_cluster;
mod recorded;
