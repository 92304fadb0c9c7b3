//! Whole-system tests.

mod harness;
mod kube;
mod testbed;
