//! How many streams may start at a time. When a replica dies, all its proxies connect to another one at once, each with a
//! first request of a hundred kilobytes that asks for everything: they are read and answered a few at a time, and the
//! others wait unread.

use std::sync::Arc;
use std::time::Duration;

use super::budget::{Budget, Charge};
use super::slots::{Entering, Slot, Slots};
use super::transport::Peer;
use crate::stats::{Counter, Stats};

/// Streams that start at a time.
pub const CONCURRENT: usize = 64;
/// A stream that has not taken its first answers by then does not make others wait any longer, if any wait.
pub const HOLD: Duration = Duration::from_millis(250);
/// The same where no other stream waits: its slot is free then.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// A client that opens a stream and sends nothing for so long is refused.
pub const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long the rest of its first request may take, waiting for a slot included.
pub const FIRST_REQUEST_WHOLE: Duration = Duration::from_secs(60);

/// Long requests that are read at a time, over all streams: a proxy that connects again names all it has in each type's first
/// request, in hundreds of kilobytes, and if a thousand proxies were read side by side, all of that would be in memory at once.
pub const LONG_REQUESTS: usize = 32;
/// A long request that has not arrived by then does not make others wait any longer.
pub const LONG_HOLD: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
pub struct StartLimits {
    streams: Slots,
    long: Slots,
    partial: Budget,
}

impl Default for StartLimits {
    fn default() -> Self {
        Self::of(CONCURRENT, Arc::default())
    }
}

impl StartLimits {
    /// The usual slots, counted in these numbers.
    pub fn counted(stats: &Stats) -> Self {
        Self::of(CONCURRENT, stats.connections.places_passed_on.clone())
    }

    /// With so many slots for streams. `passed_on` counts slots that were passed on while their holders still worked.
    pub fn of(slots: usize, passed_on: Arc<Counter>) -> Self {
        Self {
            streams: Slots::new(slots, HOLD, passed_on.clone()),
            long: Slots::new(LONG_REQUESTS, LONG_HOLD, passed_on),
            partial: Budget::default(),
        }
    }

    /// Waits for a slot to start a stream. Dropping it frees it for the next.
    pub(super) async fn enter(&self, peer: &Peer) -> Slot {
        self.streams.enter(peer.claim()).await
    }

    /// The same for reading a long request.
    pub(super) fn enter_long(&self, peer: &Peer) -> Entering {
        let (slots, claim) = (self.long.clone(), peer.claim());
        Box::pin(async move { slots.enter(claim).await })
    }

    /// Counts the bytes of a request that has not arrived completely.
    pub(super) fn charge(&self, peer: &Peer) -> Charge {
        self.partial.charge(peer.clone())
    }
}
