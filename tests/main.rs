//! Whole-system tests.

mod cli;
mod demo;
mod envoy;
mod files;
mod grpc;
mod harness;
mod kube;
mod parts;
mod testbed;
