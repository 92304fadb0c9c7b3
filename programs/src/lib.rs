//! Real programs, for the demo and for the tests: how they are found or fetched ([`envoy`]), where they are kept ([`cache`]), and
//! how they are run so that none outlives the process that started it ([`process`], [`tied`]).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod cache;
pub mod envoy;
pub mod process;
pub mod tied;
