//! Whole-system tests.

mod cli;
mod demo;
mod edge;
mod envoy;
mod files;
mod grpc;
mod harness;
mod kube;
mod testbed;
