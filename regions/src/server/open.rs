//! Counts an open stream, for as long as it is open.

use std::sync::Arc;

use crate::session::Variant;
use crate::stats::{Gauge, Stats, StreamStats};

pub(super) struct Open {
    stats: Arc<Stats>,
    variant: Variant,
}

impl Open {
    pub(super) fn new(stats: Arc<Stats>, variant: Variant) -> Self {
        stats.streams.accepted.inc();
        gauge(&stats.streams, variant).add(1);
        Self { stats, variant }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        gauge(&self.stats.streams, self.variant).add(-1);
    }
}

fn gauge(stats: &StreamStats, variant: Variant) -> &Gauge {
    match variant {
        Variant::Sotw => &stats.open_sotw,
        Variant::Delta => &stats.open_delta,
    }
}
