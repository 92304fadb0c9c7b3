//! The arithmetic of failover, counted: how much of the traffic goes to the next tier when so many hosts of the nearest
//! are lost, drain or are degraded. Each line of the table is worked out by the formula *and* sent through a real
//! Envoy. What a region serves is driven by its EndpointSlices; what it never serves (degraded hosts, another
//! overprovisioning factor, panic) by a file that the same Envoy reads, so that the formula is known to be Envoy's.

mod drill;
mod formula;
mod load;
mod stage;

use self::drill::Drill;
use self::formula::{Tier, by_locality, by_priority};
use self::stage::Stage;

/// The share of each tier, in percent.
type Shares = [f64; 2];

/// Between what is expected and what is counted. With 10,000 requests one standard deviation is half a point at most.
const TOLERANCE: f64 = 2.0;
/// The formula rounds as Envoy does, the table to the nearest.
const ROUNDING: f64 = 0.5;
const NO_TIER: Shares = [0.0, 0.0];

const fn tier(healthy: u32, degraded: u32, unhealthy: u32, draining: u32) -> Tier {
    Tier { healthy, degraded, unhealthy, draining }
}

const FOUR: Tier = tier(4, 0, 0, 0);

/// Driven by EndpointSlices, in this order: hosts go from UNHEALTHY to DRAINING and back, which Envoy would not notice
/// by itself.
const SERVED: [(&str, [Tier; 2], Shares); 10] = [
    ("all healthy", [FOUR, FOUR], [100.0, 0.0]),
    ("3 of 4, more than 71.4 %", [tier(3, 0, 1, 0), FOUR], [100.0, 0.0]),
    ("2 of 4", [tier(2, 0, 2, 0), FOUR], [70.0, 30.0]),
    ("1 of 4", [tier(1, 0, 3, 0), FOUR], [35.0, 65.0]),
    ("1 healthy, 3 drain", [tier(1, 0, 0, 3), FOUR], [100.0, 0.0]),
    ("1 of 4 again", [tier(1, 0, 3, 0), FOUR], [35.0, 65.0]),
    ("all drain", [tier(0, 0, 0, 4), FOUR], [0.0, 100.0]),
    ("no host near", [tier(0, 0, 4, 0), FOUR], [0.0, 100.0]),
    ("1 of 4 here and there", [tier(1, 0, 3, 0), tier(1, 0, 3, 0)], [50.0, 50.0]),
    ("no host anywhere", [tier(0, 0, 4, 0), tier(0, 0, 4, 0)], NO_TIER),
];

/// Driven by a file. Name, tiers, overprovisioning factor, panic threshold, expected.
const DRILLED: [(&str, [Tier; 2], u32, u32, Shares); 7] = [
    ("2 of 4, as served", [tier(2, 0, 2, 0), FOUR], 140, 0, [70.0, 30.0]),
    ("all degraded", [tier(0, 4, 0, 0), FOUR], 140, 0, [0.0, 100.0]),
    ("2 healthy, 2 degraded", [tier(2, 2, 0, 0), FOUR], 140, 0, [70.0, 30.0]),
    ("3 of 4 without overprovisioning", [tier(3, 0, 1, 0), FOUR], 100, 0, [75.0, 25.0]),
    ("degraded hosts fill up what is lost", [tier(1, 1, 2, 0), tier(0, 0, 4, 0)], 140, 0, [100.0, 0.0]),
    ("panic: by count, 4 and 2", [tier(0, 0, 4, 0), tier(0, 0, 2, 0)], 140, 50, [67.0, 33.0]),
    ("no panic while others can serve", [tier(1, 0, 3, 0), FOUR], 140, 50, [35.0, 65.0]),
];

/// Two localities of one tier with declared weights 3 and 1, driven by EndpointSlices.
const WEIGHTED: [(&str, [Tier; 2], Shares); 3] = [
    ("3:1", [FOUR, FOUR], [75.0, 25.0]),
    ("3:1, the first at 2 of 4", [tier(2, 0, 2, 0), FOUR], [67.7, 32.3]),
    ("3:1, the first half drained", [tier(2, 0, 0, 2), FOUR], [75.0, 25.0]),
];
const WEIGHTS: [u32; 2] = [3, 1];
const SERVED_FACTOR: u32 = 140;

#[test]
fn the_formula_gives_the_table() {
    for (what, tiers, expected) in SERVED {
        near(&format!("formula: {what}"), by_priority(&tiers, SERVED_FACTOR, 0), expected, ROUNDING);
    }
    for (what, tiers, factor, panic, expected) in DRILLED {
        near(&format!("formula: {what}"), by_priority(&tiers, factor, panic), expected, ROUNDING);
    }
    for (what, tiers, expected) in WEIGHTED {
        near(&format!("formula: {what}"), by_locality(&tiers, WEIGHTS, SERVED_FACTOR), expected, ROUNDING);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_follows_the_table() {
    let stage = Stage::start().await;
    for (what, tiers, expected) in SERVED {
        stage.serve(tiers).await;
        stage.count(what, stage::WEB, tiers, expected).await;
    }
    for (what, tiers, expected) in WEIGHTED {
        stage.serve_weighted(tiers).await;
        stage.count(what, stage::SPLIT, tiers, expected).await;
    }
    for (what, tiers, factor, panic, expected) in DRILLED {
        let drill = Drill::of(panic);
        stage.drill(drill, tiers, factor).await;
        stage.count(what, drill.host(), tiers, expected).await;
    }
    stage.nothing_was_rejected().await;
}

fn near(what: &str, found: Shares, expected: Shares, tolerance: f64) {
    let fits = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() <= tolerance);
    assert!(fits, "{what}: found {found:.1?}, expected {expected:.1?} within {tolerance}");
}
