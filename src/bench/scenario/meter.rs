//! What server and clients used and sent between two moments.

use std::time::Duration;

use super::super::error::BenchError;
use super::super::process::Process;
use super::super::protocol::Counters;

pub struct Meter {
    server: Duration,
    clients: Duration,
    counters: Counters,
    received: (u64, u64),
}

/// Differences.
pub struct Used {
    pub server_cpu: Duration,
    pub client_cpu: Duration,
    /// Payload that clients received, in bytes, and messages.
    pub bytes: u64,
    pub messages: u64,
    /// The same bytes as the server counted them.
    pub sent_bytes: u64,
    pub resources_sent: u64,
    pub encoded: u64,
    pub nacks: u64,
}

impl Meter {
    pub fn start(server: &Process, counters: Counters, received: (u64, u64)) -> Result<Self, BenchError> {
        Ok(Self { server: server.cpu()?, clients: Process::own().cpu()?, counters, received })
    }

    pub fn used(&self, server: &Process, now: Counters, received: (u64, u64)) -> Result<Used, BenchError> {
        let before = &self.counters;
        Ok(Used {
            server_cpu: server.cpu()?.saturating_sub(self.server),
            client_cpu: Process::own().cpu()?.saturating_sub(self.clients),
            bytes: received.0.saturating_sub(self.received.0),
            messages: received.1.saturating_sub(self.received.1),
            sent_bytes: now.sent_bytes.saturating_sub(before.sent_bytes),
            resources_sent: now.resources_sent.saturating_sub(before.resources_sent),
            encoded: now.encoded.saturating_sub(before.encoded),
            nacks: now.nacks.saturating_sub(before.nacks),
        })
    }
}

/// The time divided by a number; zero if the number is zero.
pub fn each(time: Duration, among: usize) -> Duration {
    u32::try_from(among).ok().filter(|among| *among > 0).map(|among| time / among).unwrap_or_default()
}

/// The amount divided by a number; zero if the number is zero.
pub fn each_of(amount: u64, among: usize) -> u64 {
    amount.checked_div(among as u64).unwrap_or_default()
}
