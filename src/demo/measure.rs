//! From records to a verdict: how soon the clients of an event were served from where they should be, what failed, and
//! whether all other clients noticed nothing. Pure: it takes what was written down and judges it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::{Failure, Outcome, Record};
use super::timetable::Goal;
use super::world::Spot;

/// A failover that takes longer has not held.
pub const LIMIT: Duration = Duration::from_secs(2);
/// Fewer requests than this after an event say nothing about who serves how much.
const MIN_SAMPLE: usize = 50;
/// Kinds of unexpected things that one verdict names.
const MAX_REASONS: usize = 4;

/// One event's time, and what is expected of it.
#[derive(Clone, Debug)]
pub struct Window<'a> {
    /// The end of the window before: requests that ended since then are counted here, so that each is counted once.
    pub opened: Duration,
    /// The moment of the change.
    pub zero: Duration,
    pub end: Duration,
    /// True if backends were killed: only then may requests fail, and only those of clients that were served by them.
    pub kills: bool,
    /// The region of each client, by client index.
    pub seats: &'a [&'static str],
    pub goals: &'a [Goal],
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Until the first client was answered from a place that had not served its region before. `None`: no client moves.
    pub first: Option<Duration>,
    /// Until each client concerned had been answered from a new place, and from then on was answered from no wrong place
    /// and by no failure. `None`: no client moves, or one did not get there.
    pub last: Option<Duration>,
    pub requests: usize,
    pub failed: Failed,
    /// Failed requests by the client's view of the failure.
    pub kinds: BTreeMap<Failure, usize>,
    /// Who served each region's clients once it had settled, largest share first; shares add up to 1.
    pub served: BTreeMap<String, Vec<(Spot, f64)>>,
    /// Why it did not hold. Empty: it held.
    pub reasons: Vec<String>,
}

/// Failed requests, by what excuses them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// Under way when backends were killed.
    pub in_flight: usize,
    /// Sent after backends were killed and before their client had moved.
    pub before_move: usize,
    /// Everything else: no failover may cause one.
    pub other: usize,
}

impl Failed {
    pub fn all(&self) -> usize {
        self.in_flight + self.before_move + self.other
    }
}

/// Judges one event by the records of its window. Records from other times are ignored.
pub fn measure(records: &[Record], window: &Window<'_>) -> Measured {
    let mut measured = Measured::default();
    let mut moves = Vec::new();
    let mut others = Others::new();
    for goal in window.goals {
        let mut settled = window.zero;
        for (client, _) in window.seats.iter().enumerate().filter(|(_, region)| **region == goal.region) {
            let within = |r: &&Record| r.client == client && r.ended > window.opened && r.ended <= window.end;
            let own: Vec<&Record> = records.iter().filter(within).collect();
            let story = Story::of(&own, window.zero, goal);
            settled = settled.max(story.moved(goal).unwrap_or(window.zero));
            count(&own, &story, goal, window, &mut measured, &mut others);
            if goal.concerned() {
                moves.push(story);
            }
        }
        let (shares, sample) = shares(records, window, goal.region, settled);
        measured.reasons.extend(wrong_shares(goal, &shares, sample));
        measured.served.insert(goal.region.to_owned(), shares);
    }
    judge_moves(&moves, window.zero, &mut measured);
    let others = others.into_iter().map(|((region, what), times)| format!("{region}: {what} ({times} ×)"));
    measured.reasons.extend(others.take(MAX_REASONS));
    measured
}

/// Things that should not have happened: in which region, what, how often.
type Others = BTreeMap<(&'static str, String), usize>;

/// What one client went through after the change.
struct Story {
    /// End of its first answer from a fresh place.
    fresh: Option<Duration>,
    /// From here on, only answers from places that are right.
    right: Option<Duration>,
}

impl Story {
    fn of(own: &[&Record], zero: Duration, goal: &Goal) -> Self {
        let mut story = Self { fresh: None, right: None };
        for record in own.iter().filter(|record| record.started > zero) {
            match &record.outcome {
                Outcome::Served(spot) if goal.is_right(spot) => {
                    story.right = story.right.or(Some(record.ended));
                    if goal.fresh.contains(&**spot) {
                        story.fresh = story.fresh.or(Some(record.ended));
                    }
                }
                Outcome::Served(_) | Outcome::Failed(_) => story.right = None,
            }
        }
        story
    }

    /// When it was where it should be, for good.
    fn moved(&self, goal: &Goal) -> Option<Duration> {
        if goal.concerned() { Some(self.fresh?.max(self.right?)) } else { self.right }
    }
}

fn count(
    own: &[&Record],
    story: &Story,
    goal: &Goal,
    window: &Window<'_>,
    measured: &mut Measured,
    others: &mut Others,
) {
    let moved = story.moved(goal);
    measured.requests += own.len();
    for record in own {
        match &record.outcome {
            Outcome::Failed(failure) => {
                *measured.kinds.entry(*failure).or_default() += 1;
                let before = record.ended > window.zero && moved.is_none_or(|moved| record.ended <= moved);
                if !(window.kills && goal.concerned() && before && failure.of_backend()) {
                    measured.failed.other += 1;
                    *others.entry((goal.region, failure.to_string())).or_default() += 1;
                } else if record.started <= window.zero {
                    measured.failed.in_flight += 1;
                } else {
                    measured.failed.before_move += 1;
                }
            }
            // An answer that was on its way when things changed is not counted.
            Outcome::Served(spot) if !goal.concerned() && record.started > window.zero && !goal.is_right(spot) => {
                *others.entry((goal.region, format!("answered by {spot}"))).or_default() += 1;
            }
            Outcome::Served(_) => {}
        }
    }
}

fn judge_moves(moves: &[Story], zero: Duration, measured: &mut Measured) {
    let since = |at: Duration| at.saturating_sub(zero);
    measured.first = moves.iter().filter_map(|story| story.fresh).min().map(since);
    let moved: Option<Vec<Duration>> = moves.iter().map(|story| Some(story.fresh?.max(story.right?))).collect();
    let Some(moved) = moved else {
        let late = moves.iter().filter(|story| story.fresh.is_none() || story.right.is_none()).count();
        measured.reasons.insert(0, format!("{late} of {} clients did not move for good", moves.len()));
        return;
    };
    measured.last = moved.into_iter().max().map(since);
    if let Some(last) = measured.last.filter(|last| *last > LIMIT) {
        measured.reasons.insert(0, format!("took {} ms; expected {} at most", last.as_millis(), LIMIT.as_millis()));
    }
}

/// Who answered one region's clients from `since` to the end of the window, and how many answers that were.
fn shares(records: &[Record], window: &Window<'_>, region: &str, since: Duration) -> (Vec<(Spot, f64)>, usize) {
    let of_region = |record: &&Record| window.seats.get(record.client).is_some_and(|seat| *seat == region);
    distribution(records.iter().filter(of_region).filter(|r| r.started > since && r.ended <= window.end))
}

/// Answers by place, largest share first, and how many there were.
pub fn distribution<'a>(records: impl Iterator<Item = &'a Record>) -> (Vec<(Spot, f64)>, usize) {
    let mut counts: BTreeMap<&Spot, u32> = BTreeMap::new();
    for record in records {
        if let Outcome::Served(spot) = &record.outcome {
            *counts.entry(&**spot).or_default() += 1;
        }
    }
    let all: u32 = counts.values().sum();
    let mut shares: Vec<(Spot, f64)> =
        counts.into_iter().map(|(spot, count)| (spot.clone(), f64::from(count) / f64::from(all))).collect();
    shares.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    (shares, usize::try_from(all).unwrap_or(usize::MAX))
}

fn wrong_shares(goal: &Goal, shares: &[(Spot, f64)], sample: usize) -> Option<String> {
    if sample < MIN_SAMPLE {
        return Some(format!("{}: {sample} answers after it settled; expected {MIN_SAMPLE} at least", goal.region));
    }
    goal.shares.iter().find_map(|share| {
        let found = shares.iter().find(|(spot, _)| *spot == share.spot).map_or(0.0, |(_, part)| part * 100.0);
        let (low, high) = (f64::from(*share.percent.start()), f64::from(*share.percent.end()));
        if (low..=high).contains(&found) {
            return None;
        }
        let expected = if low < high { format!("{low:.0} to {high:.0}%") } else { format!("{low:.0}%") };
        Some(format!("{}: {found:.0}% served by {}; expected {expected}", goal.region, share.spot))
    })
}
