//! Counting streams of old Envoys.

use std::sync::Arc;

use crate::stats::Stats;

/// One open stream of an old Envoy in the gauge.
pub(super) struct Old(Arc<Stats>);

impl Old {
    pub(super) fn new(stats: Arc<Stats>) -> Self {
        stats.streams.outdated.add(1);
        Self(stats)
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        self.0.streams.outdated.add(-1);
    }
}
