//! The command line as people and scripts use it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what is missing is a failed test")]

mod bench;
mod check;
mod commands;
mod draining;
mod image;
mod innocents;
mod manifests;
mod pages;
mod planes;
mod proxy;
mod readiness;
mod refused;
mod spans;
mod taking_part;
mod texts;
mod world;
