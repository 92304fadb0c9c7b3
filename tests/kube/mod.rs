//! The hub on real API servers: who joins, what is mirrored, what happens when an API server is lost.
//!
//! Everything runs with the rights that `isthmus manifests` gives and no others. "Nothing happened" is proven by
//! resourceVersions over a window, never by a glance at the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod adoption;
mod agreement;
mod api_server_lost;
mod bad_objects;
mod bare_watch;
mod causes;
mod cidr_clash;
mod day;
mod endpoints;
mod hostile_kubeconfigs;
mod mirror_gaps;
mod mirroring;
mod onboarding;
mod operators;
mod own_affair;
mod readers;
mod restarts;
mod tls_secret;
mod two_hubs;
