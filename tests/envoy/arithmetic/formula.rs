//! How Envoy shares traffic out over priorities and localities, in whole percent as it does.

use super::Shares;

/// The hosts of one priority or locality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tier {
    pub healthy: u32,
    pub degraded: u32,
    pub unhealthy: u32,
    /// Neither here nor lost: they are left out of the count.
    pub draining: u32,
}

impl Tier {
    pub(super) fn hosts(self) -> u32 {
        self.healthy + self.degraded + self.unhealthy + self.draining
    }

    fn counted(self) -> u32 {
        self.hosts() - self.draining
    }

    /// What so many of its hosts can carry, in percent: up to all of it, as soon as `factor` times them would be enough.
    fn carries(self, hosts: u32, factor: u32) -> u32 {
        (factor * hosts).checked_div(self.counted()).unwrap_or(0).min(100)
    }

    fn panics(self, threshold: u32) -> bool {
        100 * (self.healthy + self.degraded) < threshold * self.counted()
    }
}

/// The share of each priority; nothing at all if no host can serve.
pub(super) fn by_priority(tiers: &[Tier; 2], factor: u32, panic_threshold: u32) -> Shares {
    let healthy = tiers.map(|tier| tier.carries(tier.healthy, factor));
    let degraded = tiers.map(|tier| tier.carries(tier.degraded, factor));
    let able: u32 = healthy.iter().chain(&degraded).sum::<u32>().min(100);
    if able < 100 && tiers.iter().all(|tier| tier.panics(panic_threshold)) {
        return filled(share_by_count(tiers));
    }
    if able == 0 {
        return [0.0; 2];
    }
    let mut left = 100;
    let mut take = |can_carry: u32| {
        let load = left.min(can_carry * 100 / able);
        left -= load;
        load
    };
    let of_healthy = healthy.map(&mut take);
    let of_degraded = degraded.map(&mut take);
    filled([of_healthy[0] + of_degraded[0], of_healthy[1] + of_degraded[1]])
}

/// When all tiers panic, health counts for nothing.
fn share_by_count(tiers: &[Tier; 2]) -> [u32; 2] {
    let all: u32 = tiers.iter().map(|tier| tier.hosts()).sum();
    tiers.map(|tier| (100 * tier.hosts()).checked_div(all).unwrap_or(0))
}

/// What whole percents leave over goes to the first that carries anything.
fn filled(mut loads: [u32; 2]) -> Shares {
    let rest = 100 - loads.iter().sum::<u32>();
    if let Some(first) = loads.iter_mut().find(|load| **load > 0) {
        *first += rest;
    }
    loads.map(f64::from)
}

/// The share of each locality inside one priority: its weight, less what its healthy hosts cannot carry.
pub(super) fn by_locality(localities: &[Tier; 2], weights: [u32; 2], factor: u32) -> Shares {
    let effective = |tier: Tier, weight: u32| {
        let able = f64::from(factor * tier.healthy) / f64::from(100 * tier.counted().max(1));
        f64::from(weight) * able.min(1.0)
    };
    let [first, second] = [effective(localities[0], weights[0]), effective(localities[1], weights[1])];
    [100.0 * first / (first + second), 100.0 * second / (first + second)]
}
