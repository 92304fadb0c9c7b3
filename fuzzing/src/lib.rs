//! Fuzzing on stable Rust. A target is a function that must not panic, whatever its input is; inputs come from a proptest
//! strategy, most of them valid seeds with a few [`edits`]. Every target is in a test module called `fuzz` of the crate whose
//! code it tries; docs/fuzzing.md lists them.
//!
//! In the tests each target runs for [`MOMENT`]. `ISTHMUS_FUZZ_SECONDS` makes it longer.

mod edits;
#[cfg(test)]
mod tests;
mod tree;

use std::cell::Cell;
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestError, TestRunner};

pub use edits::{any_bytes, edited, spliced};
pub use tree::edited_tree;

/// How long a target runs by default: long enough for thousands of inputs, short enough for every test run.
pub const MOMENT: Duration = Duration::from_secs(1);
/// Seconds for which each target runs.
pub const SECONDS: &str = "ISTHMUS_FUZZ_SECONDS";
/// Inputs between two looks at the clock.
const ROUND: u32 = 32;

/// Runs the target on one input after another until the time is over, and prints on how many.
///
/// # Panics
/// If the target panics: with the smallest input that was found to make it panic.
#[allow(clippy::panic, reason = "only tests call this, and this is how they fail")]
pub fn run<S: Strategy>(name: &str, inputs: S, target: impl Fn(S::Value)) {
    let (begun, inputs_run) = (Instant::now(), Cell::new(0_u64));
    let length = length(std::env::var(SECONDS).ok().as_deref());
    loop {
        let config = Config { cases: ROUND, failure_persistence: None, ..Config::default() };
        let result = TestRunner::new(config).run(&inputs, |input| {
            inputs_run.set(inputs_run.get() + 1);
            target(input);
            Ok(())
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(why, input)) => panic!("fuzz {name}: {why}; the smallest input found: {input:?}"),
            Err(TestError::Abort(why)) => panic!("fuzz {name}: {why}"),
        }
        if begun.elapsed() >= length {
            break;
        }
    }
    eprintln!("fuzz {name}: {} inputs in {:.1} s", inputs_run.get(), begun.elapsed().as_secs_f64());
}

#[allow(clippy::panic, reason = "only tests call this, and this is how they fail")]
fn length(seconds: Option<&str>) -> Duration {
    let Some(seconds) = seconds else { return MOMENT };
    match seconds.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => panic!("{SECONDS} is {seconds:?}; expected a number of seconds"),
    }
}
