//! Invariant 3: after any sequence of batches, relisted, duplicated, cut by the loss of a cluster, grouped into rounds in
//! any way, the engine's state equals a naive rebuild. And its effects alone are enough to follow it.
//!
//! A thorough run: `PROPTEST_CASES=10000 cargo test --profile nightly -p federation incremental`.

use proptest::prelude::*;

use super::random::{Round, Teller, rounds};
use crate::testing::{Oracle, Picture, Replica, World, make};
use crate::{Authority, Engine};

/// Enough to find most mistakes within seconds in a debug build.
const ORDINARY_CASES: u32 = 500;

fn config() -> ProptestConfig {
    let mut config = ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = ORDINARY_CASES;
    }
    config
}

fn retell(authority: Authority, rounds: &[Round]) -> Result<(), TestCaseError> {
    let mut engine = Engine::new(World::config(authority));
    let mut oracle = Oracle::new(World::config(authority));
    let (mut replica, mut teller) = (Replica::default(), Teller::default());
    for (number, round) in rounds.iter().enumerate() {
        let now = make::at(100 + i64::try_from(number).unwrap_or(0));
        let batches: Vec<_> = round.iter().flat_map(|step| teller.tell(step, &oracle)).collect();
        oracle.round(&batches, now);
        let effects = engine.apply(batches, now);

        let mut expected = oracle.expected();
        let told = |what: String| TestCaseError::fail(format!("after round {number} {round:?}\n{what}"));
        if let Some(difference) = expected.difference(&Picture::of(&engine)) {
            return Err(told(format!("the engine differs from the oracle:\n{difference}")));
        }
        replica.follow(&effects).map_err(|what| told(format!("effects are not minimal: {what}")))?;
        expected.synced = false; // not a part of the effects
        if let Some(difference) = expected.difference(&replica.picture) {
            return Err(told(format!("effects are not complete:\n{difference}")));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn incremental_equals_from_scratch(
        authority in prop_oneof![Just(Authority::Own), Just(Authority::Recorded)],
        rounds in rounds(),
    ) {
        retell(authority, &rounds)?;
    }
}
