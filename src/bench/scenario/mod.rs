//! Scenarios, one file each; `testbed` is what they share.

mod add;
mod change;
mod churn;
mod cold;
mod compare;
mod floor;
mod invariants;
mod meter;
mod resume;
mod soak;
mod start;
mod testbed;

use super::args::Scenario;
use super::error::BenchError;
use super::report::Outcome;

pub use testbed::Testbed;

/// Plays one scenario. `before`: outcomes so far.
pub async fn play(testbed: &mut Testbed<'_>, scenario: Scenario, before: &[Outcome]) -> Result<Outcome, BenchError> {
    match scenario {
        Scenario::Start => Ok(testbed.started.outcome(testbed.plan)),
        Scenario::Cold => cold::play(testbed).await,
        Scenario::Change => change::play(testbed).await,
        Scenario::Add => add::play(testbed).await,
        Scenario::Resume => resume::play(testbed).await,
        Scenario::Floor => floor::play(testbed, before).await,
        Scenario::Churn => churn::play(testbed).await,
        Scenario::Soak => soak::play(testbed).await,
    }
}
