//! Bounds on what one process and one connection may use.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Bounds of the transport. Every one of them ends something that would otherwise not end.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Beyond it, the address with the most connections loses one, first those on which no client was identified; if no address
    /// has more than that of the new connection, the new connection is closed at once.
    pub max_connections: usize,
    /// A proxy needs one stream, or one per type.
    pub max_streams_per_connection: u32,
    /// TLS handshakes that are worked on at a time; others wait. When all proxies come back at once, those that were let
    /// in first should be served, rather than all be late.
    pub max_handshakes: usize,
    /// After this, a handshake that has not ended no longer makes others wait.
    pub handshake_hold: Duration,
    /// How long a client may take for its TLS handshake, and then again for the first bytes of HTTP/2.
    pub handshake_timeout: Duration,
    /// A client that disappeared without closing its connection is detected after this and `keepalive_timeout`; so is one that
    /// does not read.
    pub keepalive_interval: Duration,
    pub keepalive_timeout: Duration,
    /// A connection is ended gracefully at this age, plus or minus `age_jitter` of it: so new replicas get their share, and a
    /// client authenticates again.
    pub max_connection_age: Duration,
    /// From 0 to 1.
    pub age_jitter: f64,
    /// How long a connection that was asked to end may take. The end of the process takes no longer either.
    pub drain: Duration,
    /// What a client may send before it is read, in bytes, on one stream and on all. Envoy names everything it knows when it
    /// reconnects, and when all clients do at once, this much of each is held in memory.
    pub initial_stream_window: u32,
    pub initial_connection_window: u32,
    /// What may be queued for sending, in bytes a stream.
    pub max_send_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            max_streams_per_connection: 128,
            max_handshakes: 256,
            handshake_hold: Duration::from_millis(250),
            handshake_timeout: Duration::from_secs(10),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
            max_connection_age: Duration::from_secs(30 * 60),
            age_jitter: 0.2,
            drain: Duration::from_secs(5),
            initial_stream_window: 32 << 10,
            initial_connection_window: 64 << 10,
            max_send_buffer: 64 << 10,
        }
    }
}

impl Limits {
    /// The age at which one connection ends. Proxies that connected together must not reconnect together.
    pub(super) fn age(&self) -> Duration {
        // The keys of std's hash maps are random, which is good enough for jitter.
        let random = RandomState::new().build_hasher().finish();
        let unit = random as f64 / u64::MAX as f64;
        let jitter = self.age_jitter.clamp(0.0, 1.0);
        self.max_connection_age.mul_f64(1.0 + jitter * (2.0 * unit - 1.0))
    }

    /// A peer without progress for this long is considered gone.
    pub(super) fn silence(&self) -> Duration {
        self.keepalive_interval + self.keepalive_timeout
    }
}
