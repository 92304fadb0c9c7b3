use std::time::Duration;

use federation::change::LinkFailure;
use tokio::time::Instant;

use super::probe::{Failure, Schedule};
use crate::client::connect::ConnectError;

fn failure(at_once: bool) -> Result<(), Failure> {
    Err(Failure { error: ConnectError::new(LinkFailure::Unreachable, "x"), at_once })
}

/// The longest silence before a loss is reported, with every probe running into its deadline.
#[tokio::test(start_paused = true)]
async fn a_silent_loss_is_reported_within_fifteen_seconds() {
    let deadline = crate::client::bounds::CALL_TIMEOUT;
    let start = Instant::now();
    let mut schedule = Schedule::new(start);
    let mut now = start;
    loop {
        now = schedule.due().max(now) + deadline;
        if schedule.answer(now, failure(false)).is_err() {
            break;
        }
    }
    let after = now.duration_since(start);
    assert!(after <= Duration::from_secs(15), "sent after {after:?}");
    assert!(after > deadline, "one unanswered probe is no loss");
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_and_a_refused_connection_are_two_witnesses() {
    let now = Instant::now();
    let mut schedule = Schedule::new(now);
    schedule.watch_broke(now);
    assert_eq!(schedule.due(), now, "asked at once");
    assert!(schedule.answer(now, failure(true)).is_err());

    let mut schedule = Schedule::new(now);
    schedule.watch_broke(now);
    assert!(schedule.answer(now, failure(false)).is_ok(), "an API server that answers badly is asked again");
    assert!(schedule.answer(now, failure(false)).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_forgives() {
    let now = Instant::now();
    let mut schedule = Schedule::new(now);
    assert!(schedule.answer(now, failure(true)).is_ok());
    assert!(schedule.answer(now, Ok(())).is_ok());
    assert!(schedule.answer(now, failure(true)).is_ok());
    // A watch that keeps breaking brings one early probe, not a storm of them.
    let mut schedule = Schedule::new(now);
    schedule.watch_broke(now);
    assert!(schedule.answer(now, failure(false)).is_ok());
    let due = schedule.due();
    schedule.watch_broke(now);
    assert_eq!(schedule.due(), due);
    assert!(due > now);
}
