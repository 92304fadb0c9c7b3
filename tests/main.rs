//! Whole-system tests.

mod edge;
mod harness;
mod kube;
mod testbed;
