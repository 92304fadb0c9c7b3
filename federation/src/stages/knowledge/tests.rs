//! The phases and their deadlines, as the caller of an engine sees them.

use std::time::Duration;

use crate::knowledge::{Deadlines, Phase};
use crate::model::Time;
use crate::testing::{TestFederation, make};
use crate::{Authority, Config, Effects, Engine};

const SERVE: Duration = Duration::from_secs(30);
const READY: Duration = Duration::from_secs(300);
/// As documented: what one step of a clock may cost.
const MAX_STEP: Duration = Duration::from_secs(10);

/// One member on record, which is not connected.
fn federation() -> TestFederation {
    let mut federation = TestFederation::new().region("eu", &[]).member("a", "eu", "10.0.0.0/16", "10.96.0.0/16");
    federation.members[0].recorded = Some(make::admission(5, "uid-a", "10.0.0.0/16", "10.96.0.0/16"));
    federation
}

fn engine() -> Engine {
    Engine::new(Config {
        deadlines: Deadlines { serve: SERVE, ready: READY },
        ..TestFederation::config(Authority::Own)
    })
}

/// A caller with a wall clock that can be set, which sleeps by a clock that cannot.
struct Caller {
    engine: Engine,
    /// Time that really passed.
    passed: Duration,
    /// What the wall clock shows on top of it, in milliseconds.
    offset_ms: i64,
    phases: Vec<(Phase, bool, Duration)>,
}

impl Caller {
    fn new() -> Self {
        Self { engine: engine(), passed: Duration::ZERO, offset_ms: 1_000_000, phases: Vec::new() }
    }

    fn now(&self) -> Time {
        Time::from_unix_ms(self.offset_ms).after(self.passed)
    }

    /// One round; then it sleeps until it has to call again. `false`: it never has to.
    fn round(&mut self, batches: Vec<crate::change::Batch>) -> bool {
        let now = self.now();
        let Effects { knowledge, wake_at, .. } = self.engine.apply(batches, now);
        if let Some(knowledge) = knowledge {
            self.phases.push((knowledge.phase, knowledge.waited, self.passed));
        }
        self.passed += wake_at.map(|at| at.since(now)).unwrap_or_default();
        wake_at.is_some()
    }
}

#[test]
fn each_phase_comes_at_its_deadline_and_nothing_is_left_to_wait_for_after_the_last() {
    let mut caller = Caller::new();
    assert!(!caller.round(Vec::new()), "there is no deadline for the hub");
    assert_eq!(caller.engine.knowledge().phase, Phase::WaitingForHub);
    assert_eq!(caller.engine.knowledge().hub_missing, crate::HubKind::ALL);
    let start = caller.now();
    caller.round(federation().hub());
    let knowledge = caller.engine.knowledge();
    assert_eq!((knowledge.phase, knowledge.until), (Phase::WaitingForMembers, Some(start.after(SERVE))));
    assert!(!knowledge.serves() && !knowledge.is_ready() && knowledge.hub_missing.is_empty());
    while caller.round(Vec::new()) {
        let knowledge = caller.engine.knowledge();
        let deadline = if knowledge.serves() { READY } else { SERVE };
        assert_eq!(knowledge.until, Some(start.after(deadline)), "it stays while the clock is steady");
    }
    let expected = [
        (Phase::WaitingForMembers, false, Duration::ZERO),
        (Phase::Incomplete, false, SERVE),
        (Phase::Incomplete, true, READY),
    ];
    assert_eq!(caller.phases, expected);
    assert!(caller.engine.knowledge().is_ready() && caller.engine.knowledge().until.is_none());

    caller.round(federation().listing("a", 1));
    assert_eq!(caller.engine.knowledge().phase, Phase::Complete);
    // What was complete once stays so, whatever joins later.
    let mut two = federation().member("b", "eu", "10.1.0.0/16", "10.97.0.0/16");
    two.members[1].recorded = Some(make::admission(6, "uid-b", "10.1.0.0/16", "10.97.0.0/16"));
    assert!(!caller.round(two.hub()));
    assert_eq!(caller.engine.unknown().len(), 1);
    assert_eq!(caller.phases.last().map(|(phase, ..)| *phase), Some(Phase::Complete));
}

#[test]
fn a_process_that_knows_everything_at_once_waits_for_nothing() {
    let mut caller = Caller::new();
    assert!(!caller.round(federation().batches()));
    assert_eq!(caller.phases, [(Phase::Complete, false, Duration::ZERO)]);
}

/// When the first deadline passes if the clock is set by `step_ms` before the rounds of these numbers.
fn served_after(step_ms: i64, at_rounds: &[usize]) -> Duration {
    let mut caller = Caller::new();
    caller.round(federation().hub());
    for number in 1..1_000 {
        if at_rounds.contains(&number) {
            caller.offset_ms += step_ms;
        }
        caller.round(Vec::new());
        if let Some((Phase::Incomplete, _, passed)) = caller.phases.last() {
            return *passed;
        }
    }
    panic!("the deadline never passed");
}

#[test]
fn a_clock_that_steps_back_postpones_a_deadline_by_a_bounded_time() {
    for step_ms in [-1, -9_999, -3_600_000, -100 * 365 * 86_400_000] {
        let once = served_after(step_ms, &[1]);
        assert!(once >= SERVE && once <= SERVE + MAX_STEP, "{step_ms} ms: {once:?}");
        let thrice = served_after(step_ms, &[1, 2, 3]);
        assert!(thrice >= SERVE && thrice <= SERVE + 3 * MAX_STEP, "{step_ms} ms: {thrice:?}");
    }
}

#[test]
fn a_clock_that_jumps_forward_brings_a_deadline_nearer_by_a_bounded_time() {
    for step_ms in [1, 10_000, 3_600_000, 100 * 365 * 86_400_000] {
        let passed = served_after(step_ms, &[1]);
        assert!(passed <= SERVE && passed >= SERVE - MAX_STEP, "{step_ms} ms: {passed:?}");
    }
}

#[test]
fn rounds_with_batches_count_like_those_without() {
    let mut engine = engine();
    engine.apply(federation().hub(), Time::from_unix_ms(0));
    // A round in every millisecond, each with a batch.
    for ms in 1..=30_000 {
        assert_eq!(engine.knowledge().phase, Phase::WaitingForMembers, "after {ms} ms");
        let region = crate::change::HubChanges::Regions(crate::change::Delta::put(make::region("eu", &[])));
        engine.apply([crate::change::Batch::Hub(region)], Time::from_unix_ms(ms));
    }
    assert_eq!(engine.knowledge().phase, Phase::Incomplete);
}
