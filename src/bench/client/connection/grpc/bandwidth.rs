//! grpc-go's estimate of the product of bandwidth and delay (`internal/transport/bdp_estimator.go`): the bytes that are
//! received while a PING is under way. The figures are grpc-go's.

use std::time::Instant;

use super::windows::INITIAL;

/// No window grows beyond this, in bytes; nothing is estimated any more when it is reached.
const MAX: u32 = 16 << 20;
/// The share of the estimate that a sample must have to raise it, and by how much the sample is multiplied then.
const NEARLY_ALL: f64 = 0.66;
const GROWTH: f64 = 2.0;
/// So many round trips are averaged; then the newest counts this much.
const BOOTSTRAP: u32 = 10;
const NEWEST: f64 = 0.9;
/// A sample holds at most so many times what the connection carries in a round trip.
const SURPLUS: f64 = 1.5;

#[derive(Debug)]
pub struct Bandwidth {
    /// In bytes.
    estimate: u32,
    /// Since when a PING is under way, and the bytes received since then.
    sample: Option<(Instant, u32)>,
    samples: u32,
    /// In seconds.
    round_trip: f64,
    /// The most seen so far, in bytes a second.
    max: f64,
}

impl Default for Bandwidth {
    fn default() -> Self {
        Self { estimate: INITIAL, sample: None, samples: 0, round_trip: 0.0, max: 0.0 }
    }
}

impl Bandwidth {
    /// Whether a PING is to be written now, because none is under way.
    pub fn received(&mut self, bytes: u32, now: Instant) -> bool {
        if self.estimate >= MAX {
            return false;
        }
        if let Some((_, sample)) = &mut self.sample {
            *sample = sample.saturating_add(bytes);
            return false;
        }
        self.sample = Some((now, bytes));
        self.samples += 1;
        true
    }

    /// The PING was acknowledged. Returns the estimate if it grew.
    pub fn acknowledged(&mut self, now: Instant) -> Option<u32> {
        let (sent, bytes) = self.sample.take()?;
        let took = now.saturating_duration_since(sent).as_secs_f64();
        let share = if self.samples < BOOTSTRAP { 1.0 / f64::from(self.samples.max(1)) } else { NEWEST };
        self.round_trip += (took - self.round_trip) * share;
        let current = f64::from(bytes) / (self.round_trip * SURPLUS);
        if current < self.max {
            return None;
        }
        self.max = current;
        if f64::from(bytes) < NEARLY_ALL * f64::from(self.estimate) {
            return None;
        }
        self.estimate = ((GROWTH * f64::from(bytes)) as u32).min(MAX);
        Some(self.estimate)
    }
}

#[cfg(test)]
mod tests;
