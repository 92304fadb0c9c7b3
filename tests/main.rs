//! Whole-system tests.

mod demo;
mod edge;
mod envoy;
mod harness;
mod kube;
mod testbed;
