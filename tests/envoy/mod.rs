//! Real Envoys at the product's control planes: what they are told, and where their traffic goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what is missing is a failed test")]

mod affinity;
mod arithmetic;
mod client;
mod expiry;
mod failover_by_traffic;
mod interception;
mod leds;
mod listeners;
mod merged_xds;
mod no_member;
mod on_demand;
mod plain;
mod proxies;
mod rejection;
mod rolling_restart;
mod slices;
mod tls;
mod unknown_member;
mod vhds;
mod xdstp;
