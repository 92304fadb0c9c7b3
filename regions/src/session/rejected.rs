//! What a client rejected, and when it is offered again.
//!
//! A rejection may be temporary: a port was taken, or a resource that it refers to did not exist. The cause can go away while
//! the bytes stay the same, so they are offered again: soon after something related changed (a resource of the same type, or
//! an ACK of another type), else after a slow timer. Each failure doubles the wait, so a resource that is simply wrong costs
//! one message in ten minutes, or in half a minute while its surroundings change.
//!
//! A rejection names a response, not a resource. When several resources of it are offered again and rejected again, they are
//! offered in halves, until the ones that are really wrong are on their own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Resources that one type of a stream remembers as rejected. Beyond that, those that no longer exist are forgotten.
const MAX_REJECTED: usize = 10_000;
/// The wait of the timer after the first rejection, and the longest wait: 1, 2, 4, 8, 10, 10 … minutes.
const FIRST_WAIT: Duration = Duration::from_mins(1);
const LAST_WAIT: Duration = Duration::from_mins(10);
/// The same after a related change: 1, 2, 4, 8, 16, 30, 30 … seconds.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// Responses that one round of offers may take. What is not separated by then stays together until the next round.
const ROUND: usize = 32;

/// Rejections of one type of a stream. Times count from the stream's beginning.
#[derive(Debug, Default)]
pub(super) struct Rejected {
    versions: BTreeMap<Arc<str>, u64>,
    /// State of the world: the version of the full state that was rejected.
    full_state: Option<u64>,
    /// Rounds that failed in a row, the first rejection included.
    failures: u32,
    last_try: Duration,
    /// Something related changed since the last try.
    related_change: bool,
    round: Option<Round>,
    /// Spreads the timers of many streams.
    seed: u64,
}

/// Rejected resources on their way to being offered again.
#[derive(Debug, Default)]
struct Round {
    groups: VecDeque<Vec<Arc<str>>>,
    /// What was sent last and waits for its answer.
    sent: Vec<Arc<str>>,
    responses: usize,
    failed: bool,
}

/// What a retry is to hold.
pub(super) enum Offer {
    /// These resources.
    Names(Vec<Arc<str>>),
    /// State of the world: the complete list.
    FullState,
}

impl Rejected {
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    pub fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.full_state.is_none()
    }

    pub fn versions(&self) -> &BTreeMap<Arc<str>, u64> {
        &self.versions
    }

    pub fn holds(&self, name: &str, version: u64) -> bool {
        self.versions.get(name) == Some(&version)
    }

    pub fn holds_full_state(&self, version: u64) -> bool {
        self.full_state == Some(version)
    }

    /// The client rejected a response that held these. `full_state`: the version of the state that it was all of.
    pub fn add(&mut self, held: &[(Arc<str>, u64)], full_state: Option<u64>, now: Duration) {
        self.last_try = now;
        let is_new = held.iter().any(|(name, version)| !self.holds(name, *version));
        self.versions.extend(held.iter().cloned());
        let repeated = full_state.is_some() && self.full_state == full_state;
        self.full_state = full_state.or(self.full_state);
        let Some(round) = self.round.as_mut().filter(|round| !round.sent.is_empty()) else {
            // Other content may have another cause, which may go away soon.
            self.failures = if is_new && !repeated { 1 } else { self.failures.saturating_add(1) };
            return;
        };
        round.failed = true;
        let mut names = std::mem::take(&mut round.sent);
        if names.len() > 1 && round.responses + round.groups.len() + 1 < ROUND {
            let rest = names.split_off(names.len() / 2);
            round.groups.push_front(rest);
            round.groups.push_front(names);
        }
        self.end_round();
    }

    /// The client accepted a response that held these. What it rejected under the same name is forgotten, whatever its version.
    pub fn settle(&mut self, held: &[(Arc<str>, u64)], full_state: bool) {
        for (name, _) in held {
            self.versions.remove(name);
        }
        if full_state {
            self.full_state = None;
        }
        if let Some(round) = &mut self.round {
            round.sent.clear();
        }
        self.end_round();
    }

    /// Forgets names, for instance those of resources that no longer exist: the client does not have them any more.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, u64) -> bool) {
        self.versions.retain(|name, version| keep(name, *version));
    }

    pub fn is_too_long(&self) -> bool {
        self.versions.len() > MAX_REJECTED
    }

    /// Something changed that may have been the cause.
    pub fn note_related_change(&mut self) {
        self.related_change |= !self.is_empty();
    }

    /// When the next offer is to be made.
    pub fn due(&self) -> Option<Duration> {
        if self.is_empty() {
            return None;
        }
        if self.round.is_some() {
            return Some(self.last_try);
        }
        let doubled = |first: Duration, last: Duration| {
            let factor = 1u32.checked_shl(self.failures.saturating_sub(1)).unwrap_or(u32::MAX);
            first.saturating_mul(factor).min(last)
        };
        let wait = match self.related_change {
            true => doubled(FIRST_PAUSE, LAST_PAUSE),
            false => self.jittered(doubled(FIRST_WAIT, LAST_WAIT)),
        };
        Some(self.last_try.saturating_add(wait))
    }

    /// What to offer now, if it is time. `is_current`: whether the resource still has this version; others are sent as
    /// changes. The caller must send it.
    pub fn offer(&mut self, now: Duration, is_current: impl Fn(&str, u64) -> bool) -> Option<Offer> {
        if self.due().is_none_or(|due| due > now) {
            return None;
        }
        self.related_change = false;
        if self.full_state.is_some() {
            self.last_try = now;
            return Some(Offer::FullState);
        }
        let versions = &self.versions;
        let round = self.round.get_or_insert_with(|| Round {
            groups: VecDeque::from([versions.keys().cloned().collect()]),
            ..Round::default()
        });
        self.last_try = now;
        while let Some(mut names) = round.groups.pop_front() {
            names.retain(|name| versions.get(name).is_some_and(|version| is_current(name, *version)));
            if !names.is_empty() {
                round.sent.clone_from(&names);
                round.responses += 1;
                return Some(Offer::Names(names));
            }
        }
        self.end_round();
        None
    }

    fn end_round(&mut self) {
        let Some(round) = self.round.take_if(|round| round.groups.is_empty() && round.sent.is_empty()) else { return };
        if round.failed {
            self.failures = self.failures.saturating_add(1);
        }
    }

    /// Up to a fifth more or less.
    fn jittered(&self, wait: Duration) -> Duration {
        let key = [self.seed.to_le_bytes(), u64::from(self.failures).to_le_bytes()].concat();
        let percent = 80 + xxhash_rust::xxh3::xxh3_64(&key) % 41;
        wait.mul_f64(f64::from(u32::try_from(percent).unwrap_or(100)) / 100.0)
    }
}

#[cfg(test)]
mod tests;
