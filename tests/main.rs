//! Whole-system tests.

mod demo;
mod harness;
mod kube;
mod testbed;
