//! The result: a table for people, one JSON document for programs.

mod json;
#[cfg(test)]
mod tests;

use std::time::Duration;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Table};

pub use json::document;

use super::director::Done;
use super::lag::NOTABLE;
use super::measure::Measured;
use super::screen::time;
use super::world::Change;

const NONE: &str = "–";

/// How it went as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub events: usize,
    pub held: usize,
    pub requests: usize,
    pub excused: usize,
    pub other: usize,
}

impl Totals {
    pub fn of(done: &[Done]) -> Self {
        let mut totals = Self { events: done.len(), ..Self::default() };
        for Done { measured, .. } in done {
            totals.held += usize::from(measured.reasons.is_empty());
            totals.requests += measured.requests;
            totals.excused += measured.failed.in_flight + measured.failed.before_move;
            totals.other += measured.failed.other;
        }
        totals
    }
}

/// One row per event, without colours.
pub fn table(done: &[Done]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["event", "first", "last", "failed", "verdict"]);
    for done in done {
        let (first, last) = times(done);
        let verdict = if done.measured.reasons.is_empty() { "held" } else { "NOT HELD" };
        table.add_row([
            done.event.label.to_owned(),
            cell(first),
            cell(last),
            failed(&done.measured),
            verdict.to_owned(),
        ]);
    }
    table.set_constraints(vec![ColumnConstraint::ContentWidth; 5]);
    for column in 1..3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!(" {}\n", line.trim_end())).collect()
}

/// The times of an event: of its clients, or, where none moves, of the control planes that had to say something.
fn times(done: &Done) -> (Option<Duration>, Option<Duration>) {
    if done.measured.first.is_some() || done.measured.last.is_some() {
        return (done.measured.first, done.measured.last);
    }
    (done.answered.first().map(|answered| answered.after), done.answered.last().map(|answered| answered.after))
}

fn cell(value: Option<Duration>) -> String {
    value.map_or_else(|| NONE.to_owned(), time)
}

fn failed(measured: &Measured) -> String {
    let failed = &measured.failed;
    let parts = [(failed.in_flight, "in flight"), (failed.before_move, "before the move"), (failed.other, "other")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let detail = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    format!("{} of {}{detail}", failed.all(), measured.requests)
}

/// What was not as it should be, one line for each reason.
pub fn reasons(done: &[Done]) -> Vec<String> {
    let of_one = |done: &Done| {
        let label = done.event.label;
        done.measured.reasons.iter().map(|reason| format!("{label}: {reason}")).collect::<Vec<_>>()
    };
    let mut reasons: Vec<String> = done.iter().flat_map(of_one).collect();
    let lag = done.iter().map(|done| done.lag).max().unwrap_or_default();
    if !reasons.is_empty() && lag >= NOTABLE {
        reasons
            .push(format!("this machine held up the demo itself for {}: try again when it has less to do", time(lag)));
    }
    reasons
}

/// The last words: what was shown.
pub fn summary(done: &[Done], length: usize) -> String {
    let Totals { events, held, requests, excused, other } = Totals::of(done);
    let failures = match (excused, other) {
        (0, 0) => "none failed".to_owned(),
        (excused, 0) => format!("{excused} failed, only at pods that had just been killed"),
        (excused, other) => {
            format!("{} failed, {other} of them elsewhere than at pods that had just been killed", excused + other)
        }
    };
    let traffic = format!("of {requests} requests {failures}");
    if events < length {
        let missing = length - events;
        return format!(
            "{held} of the {events} events shown went as they should ({missing} were not shown); {traffic}."
        );
    }
    match slowest_loss(done).filter(|_| held == events) {
        Some(last) => format!(
            "A pod, a zone and a region were lost: each time the nearest pods left served every client within {}, and no \
             other region noticed. A cluster that would have clashed was kept out, and moved no client. All in all, {traffic}.",
            time(last)
        ),
        None => format!("{held} of {events} events went as they should; {traffic}."),
    }
}

/// The longest that clients needed after losing something.
fn slowest_loss(done: &[Done]) -> Option<Duration> {
    let losses = done.iter().filter(|done| matches!(done.event.change, Change::Lose(_)));
    losses.filter_map(|done| done.measured.last).max()
}
