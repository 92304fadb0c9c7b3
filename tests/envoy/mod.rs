//! Real Envoys at the product's control planes: what they are sent, and where their traffic goes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what is missing is a failed test")]

mod affinity;
mod arithmetic;
mod client;
mod expiry;
mod failover_by_traffic;
mod families;
mod interception;
mod leds;
mod listeners;
mod merged_xds;
mod no_member;
mod on_demand;
mod own_affair;
mod plain;
mod proxies;
mod rejection;
mod rolling_restart;
mod slices;
mod terminating;
mod tls;
mod transparency;
mod unknown_member;
mod vhds;
mod xdstp;
