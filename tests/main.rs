//! Whole-system tests.

mod demo;
mod edge;
mod harness;
mod kube;
mod testbed;
