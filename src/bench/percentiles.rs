//! Percentiles of measurements.

use std::time::Duration;

/// Nearest-rank percentiles: each is one of the measured values.
#[derive(Clone, Debug, Default)]
pub struct Percentiles {
    sorted: Vec<Duration>,
}

impl FromIterator<Duration> for Percentiles {
    fn from_iter<I: IntoIterator<Item = Duration>>(values: I) -> Self {
        let mut sorted: Vec<Duration> = values.into_iter().collect();
        sorted.sort_unstable();
        Self { sorted }
    }
}

impl Percentiles {
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Zero if nothing was measured.
    pub fn at(&self, percent: usize) -> Duration {
        let rank = (self.sorted.len() * percent.min(100)).div_ceil(100);
        self.sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let hundred: Percentiles = (1..=100).rev().map(Duration::from_millis).collect();
        assert_eq!([50, 99, 100].map(|p| hundred.at(p).as_millis()), [50, 99, 100]);
        let one: Percentiles = [Duration::from_secs(1)].into_iter().collect();
        assert_eq!([0, 50, 99, 100].map(|p| one.at(p).as_secs()), [1; 4]);
        assert_eq!(Percentiles::default().at(50), Duration::ZERO);
    }
}
