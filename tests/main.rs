//! Whole-system tests.

mod edge;
mod testbed;
