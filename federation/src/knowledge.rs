//! How far a process got with getting to know everything, and what it may do before it knows all.
//!
//! ```text
//! waiting for the hub ─► waiting for members ─► incomplete: served, not ready ─► incomplete: served, ready ─► complete
//!   for as long as it takes    Deadlines::serve             Deadlines::ready
//! ```
//!
//! # Time
//! A deadline is kept as a duration since the hub's lists were complete, and this duration is the sum of the intervals between
//! rounds. An interval counts as at most [`MAX_STEP`] and never as negative, and the engine asks to be called again after
//! `MAX_STEP` at the latest. So a wall clock that steps back postpones a deadline by at most `MAX_STEP` for each step,
//! one that jumps forward brings it nearer by at most `MAX_STEP` for each jump, and a process that was suspended still gives
//! its sources time to connect.

use std::time::Duration;

use crate::change::HubKind;
use crate::model::Time;

/// The most that one interval between two rounds counts for.
const MAX_STEP: Duration = Duration::from_secs(10);

/// How far a process got. No phase comes twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The hub's lists are not complete: nothing is known, and nothing is served.
    #[default]
    WaitingForHub,
    /// The hub's lists are complete; the process waits for members on record, and serves nothing yet.
    WaitingForMembers,
    /// The deadline for members passed: what is known is served, and what clients have of the other members is left alone.
    Incomplete,
    /// Every member that has to be known was known at least once since the start.
    Complete,
}

/// How long members are waited for, counted from when the hub's lists are complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Before what is known is served.
    pub serve: Duration,
    /// Before the process counts as ready without them.
    pub ready: Duration,
}

impl Deadlines {
    /// No waiting: for engines that are only used for their decisions.
    pub const NONE: Self = Self { serve: Duration::ZERO, ready: Duration::ZERO };
}

/// What is known, and what is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knowledge {
    pub phase: Phase,
    /// Lists of the hub that were not completed yet.
    pub hub_missing: Vec<HubKind>,
    /// When the next deadline passes: see [`Phase`].
    pub until: Option<Time>,
    /// The phase is [`Phase::Incomplete`], and no deadline is left to wait for.
    pub waited: bool,
}

impl Knowledge {
    /// Whether clients are answered.
    pub fn serves(&self) -> bool {
        matches!(self.phase, Phase::Incomplete | Phase::Complete)
    }

    pub fn is_ready(&self) -> bool {
        match self.phase {
            Phase::WaitingForHub | Phase::WaitingForMembers => false,
            Phase::Incomplete => self.waited,
            Phase::Complete => true,
        }
    }
}

/// The phase, and the time that was spent in waiting.
#[derive(Debug)]
pub(crate) struct Progress {
    deadlines: Deadlines,
    phase: Phase,
    /// Since the hub's lists are complete.
    wait: Option<Wait>,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    /// The time of the latest round.
    last: Time,
    waited: Duration,
}

impl Progress {
    pub(crate) fn new(deadlines: Deadlines) -> Self {
        Self { deadlines, phase: Phase::default(), wait: None }
    }

    /// One round in which the hub's lists are complete. `complete`: no member is unknown. True if the phase changed, or the
    /// process became ready.
    pub(crate) fn update(&mut self, complete: bool, now: Time) -> bool {
        let before = (self.phase, self.is_over());
        let wait = self.wait.get_or_insert(Wait { last: now, waited: Duration::ZERO });
        wait.waited = wait.waited.saturating_add(now.since(wait.last).min(MAX_STEP));
        wait.last = now;
        let serve = self.remaining(self.deadlines.serve).is_none();
        self.phase = match self.phase {
            Phase::Complete => Phase::Complete,
            _ if complete => Phase::Complete,
            _ if serve => Phase::Incomplete,
            _ => Phase::WaitingForMembers,
        };
        before != (self.phase, self.is_over())
    }

    pub(crate) fn knowledge(&self, hub_missing: Vec<HubKind>) -> Knowledge {
        let until = self.next().map(|(last, remaining)| last.after(remaining));
        Knowledge { phase: self.phase, hub_missing, until, waited: self.is_over() }
    }

    /// When the phase may change although no batch arrives.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        self.next().map(|(last, remaining)| last.after(remaining.min(MAX_STEP)))
    }

    /// The latest round, and how long after it the next deadline passes.
    fn next(&self) -> Option<(Time, Duration)> {
        let deadline = match self.phase {
            Phase::WaitingForHub | Phase::Complete => return None,
            Phase::WaitingForMembers => self.deadlines.serve,
            Phase::Incomplete => self.deadlines.ready,
        };
        Some((self.wait?.last, self.remaining(deadline)?))
    }

    fn is_over(&self) -> bool {
        self.phase == Phase::Incomplete && self.remaining(self.deadlines.ready).is_none()
    }

    /// `None`: it passed.
    fn remaining(&self, deadline: Duration) -> Option<Duration> {
        deadline.checked_sub(self.wait?.waited).filter(|remaining| !remaining.is_zero())
    }
}
