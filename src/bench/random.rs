//! Pseudo-random numbers that are the same in every run: splitmix64, a few operations a number.

#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`; 0 if `bound` is 0. The modulus makes small numbers slightly more likely, which does not matter here.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % bound).unwrap_or_default()
    }

    /// So many different numbers less than `bound`, sorted.
    pub fn distinct(&mut self, count: usize, bound: usize) -> Vec<usize> {
        let mut drawn = std::collections::BTreeSet::new();
        // Floyd's algorithm: exactly `count` draws.
        for top in bound.saturating_sub(count)..bound {
            let candidate = self.below(top + 1);
            if !drawn.insert(candidate) {
                drawn.insert(top);
            }
        }
        drawn.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_distinct_repeatable_and_all_over_the_place() {
        let drawn = Random::new(7).distinct(50, 1_000);
        assert_eq!(drawn, Random::new(7).distinct(50, 1_000));
        assert_ne!(drawn, Random::new(8).distinct(50, 1_000));
        assert_eq!(drawn.len(), 50);
        assert!(drawn.iter().any(|n| *n < 200) && drawn.iter().any(|n| (800..1_000).contains(n)));
        assert_eq!(Random::new(1).distinct(10, 10), (0..10).collect::<Vec<_>>());
    }
}
