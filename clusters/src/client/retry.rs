//! How long to wait before the next try.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

/// Delays that double from `first` to `most`, each spread by up to its own length again, so that a hundred members
/// that were lost together do not come back together.
pub struct Retry {
    builder: ExponentialBuilder,
    delays: ExponentialBackoff,
    most: Duration,
}

impl Retry {
    /// `most` is the longest wait, spread included.
    pub fn new(first: Duration, most: Duration) -> Self {
        let builder = ExponentialBuilder::default()
            .with_min_delay(first)
            .with_max_delay(most / 2)
            .with_factor(2.0)
            .with_jitter()
            .without_max_times();
        Self { builder, delays: builder.build(), most }
    }

    pub fn delay(&mut self) -> Duration {
        self.delays.next().unwrap_or(self.most).min(self.most)
    }

    /// It worked: the next failure starts from the shortest delay.
    pub fn reset(&mut self) {
        self.delays = self.builder.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_stay_bounded_and_start_over() {
        let first = Duration::from_millis(500);
        let most = Duration::from_secs(10);
        let mut retry = Retry::new(first, most);
        let delays: Vec<_> = (0..200).map(|_| retry.delay()).collect();
        assert!(delays.iter().all(|delay| *delay >= first && *delay <= most), "{delays:?}");
        assert!(delays.last().is_some_and(|last| *last >= most / 2), "it reached its plateau");
        retry.reset();
        assert!(retry.delay() <= 2 * first, "it starts over");
    }
}
