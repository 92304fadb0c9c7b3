//! The result for programs. Field names are stable; times are milliseconds since the event's change, unless they say
//! otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::director::{Answered, Done};
use super::super::measure::LIMIT;
use super::super::record::Failure;
use super::super::timetable::Event;
use super::super::world::Change;
use super::Totals;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Every event of the timetable was shown and held.
    held: bool,
    /// Why the show was cut short, if it was.
    error: Option<String>,
    /// Whole run, with starting and stopping, in milliseconds.
    took_ms: f64,
    limit_ms: f64,
    requests: usize,
    failed: usize,
    failed_for_other_reasons: usize,
    events: Vec<One>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct One {
    name: &'static str,
    title: &'static str,
    /// Since the start of the show.
    at_ms: f64,
    window_ms: f64,
    /// What time zero of this event is.
    zero: &'static str,
    /// When all of the change was in the folder.
    #[serde(rename = "toldMs")]
    written_ms: f64,
    /// Regions whose clients had to move.
    concerned: Vec<&'static str>,
    first_ms: Option<f64>,
    last_ms: Option<f64>,
    /// How long the demo itself was held up at worst, by a machine that is too busy; the times contain it.
    lag_ms: f64,
    requests: usize,
    failed: Failed,
    served: BTreeMap<String, Vec<Share>>,
    verdicts: Vec<Verdict>,
    held: bool,
    reasons: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    in_flight: usize,
    before_move: usize,
    other: usize,
    kinds: BTreeMap<Failure, usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Share {
    cluster: String,
    zone: String,
    region: String,
    /// Of the region's answers once it had settled, in percent.
    percent: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    /// The region whose control plane answered.
    region: &'static str,
    after_ms: f64,
    cluster: String,
    ready: bool,
    reason: Option<String>,
    message: Option<String>,
}

/// The whole document. `length` is the number of events on the timetable.
pub fn document(done: &[Done], length: usize, took: Duration, error: Option<String>) -> Document {
    let totals = Totals::of(done);
    Document {
        held: error.is_none() && totals.held == length,
        error,
        took_ms: ms(took),
        limit_ms: ms(LIMIT),
        requests: totals.requests,
        failed: totals.excused + totals.other,
        failed_for_other_reasons: totals.other,
        events: done.iter().map(one).collect(),
    }
}

fn one(done: &Done) -> One {
    let Done { event, at, written, window, measured, lag, answered } = done;
    let served = measured.served.iter().map(|(region, shares)| {
        let share = |(spot, part): &(super::super::world::Spot, f64)| Share {
            cluster: spot.cluster.clone(),
            zone: spot.zone.clone(),
            region: spot.region.clone(),
            percent: tenths(part * 100.0),
        };
        (region.clone(), shares.iter().map(share).collect())
    });
    One {
        name: event.name,
        title: event.title,
        at_ms: ms(*at),
        window_ms: ms(*window),
        zero: zero(event),
        written_ms: ms(*written),
        concerned: event.goals.iter().filter(|goal| goal.concerned()).map(|goal| goal.region).collect(),
        first_ms: measured.first.map(ms),
        last_ms: measured.last.map(ms),
        lag_ms: ms(*lag),
        requests: measured.requests,
        failed: Failed {
            in_flight: measured.failed.in_flight,
            before_move: measured.failed.before_move,
            other: measured.failed.other,
            kinds: measured.kinds.clone(),
        },
        served: served.collect(),
        verdicts: answered.iter().map(verdict).collect(),
        held: measured.reasons.is_empty(),
        reasons: measured.reasons.clone(),
    }
}

fn verdict(answered: &Answered) -> Verdict {
    let Answered { region, after, says } = answered;
    Verdict {
        region,
        after_ms: ms(*after),
        cluster: says.id.clone(),
        ready: says.ready,
        reason: says.reason.clone(),
        message: says.message.clone(),
    }
}

fn zero(event: &Event) -> &'static str {
    match event.change {
        Change::Nothing => "nothingChanged",
        Change::Lose(_) => "podsKilled",
        Change::Restore | Change::Join(_) => "worldWritten",
    }
}

/// Milliseconds with one decimal.
fn ms(time: Duration) -> f64 {
    tenths(time.as_secs_f64() * 1_000.0)
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
