//! What people see while it happens: plain lines that read well in a pipe, and on a terminal a few rows below them that
//! show the traffic of the last half second.

mod paint;

use std::path::Path;
use std::time::Duration;

use anstyle::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use paint::{BAD, DIM, GOOD, HEAD, paint};
pub use paint::{Home, bar, shares, time};

use super::measure::Measured;
use super::timetable::Event;

/// How often the waiting mark moves.
const SPIN: Duration = Duration::from_millis(100);
/// Columns before a line that belongs to an event.
const INDENT: &str = "         ";
const QUOTE: &str = "  │ ";
/// Columns a line may have, and a quoted one, which has something before it.
const WIDTH: usize = 100;
const QUOTE_WIDTH: usize = WIDTH - 9 - 4;

/// Lines to standard output, live rows to standard error. Quiet: live rows only.
pub struct Screen {
    quiet: bool,
    rows: MultiProgress,
    live: Option<ProgressBar>,
}

/// How the whole show went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Held,
    NotHeld,
    /// Not all of it was shown, so the whole is not summed up.
    CutShort,
}

impl Screen {
    pub fn new(quiet: bool) -> Self {
        // Hidden by itself where standard error is not a terminal.
        Self { quiet, rows: MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(20)), live: None }
    }

    /// One line, above the live rows.
    pub fn say(&self, line: &str) {
        if !self.quiet {
            self.rows.suspend(|| anstream::println!("{line}"));
        }
    }

    /// A waiting mark with a message; gone when the returned bar is finished.
    pub fn wait(&self, message: &str) -> ProgressBar {
        let bar = self.rows.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {elapsed:>3} {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_message(message.to_owned());
        bar.enable_steady_tick(SPIN);
        bar
    }

    /// Shows these lines below everything else, in place of the ones before.
    pub fn live(&mut self, text: &str) {
        let bar = self.live.get_or_insert_with(|| {
            let bar = self.rows.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            bar
        });
        bar.set_message(paint::for_stderr(text));
        bar.tick();
    }

    /// Takes the live lines away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.live.take() {
            bar.finish_and_clear();
        }
    }

    pub fn heading(&self, at: Duration, event: &Event) {
        self.say("");
        self.say(&format!("{:>5.1} s  {}", at.as_secs_f64(), paint(HEAD, event.title)));
        if !event.detail.is_empty() {
            self.say(&format!("{INDENT}{}", paint(DIM, event.detail)));
        }
    }

    /// A fact about the event.
    pub fn note(&self, text: &str) {
        self.say(&format!("{INDENT}{text}"));
    }

    /// Who serves whom now, and what the change cost.
    pub fn outcome(&self, homes: &[Home], measured: &Measured) {
        for home in homes {
            let served = measured.served.get(home.region).map(Vec::as_slice).unwrap_or_default();
            self.note(&format!("{}  {}  {}", paint(HEAD, home.region), bar(home, served), shares(served)));
        }
        if let Some((style, text)) = moved(measured) {
            self.note(&paint(style, &text));
        }
        if measured.failed.all() > 0 {
            let all = measured.failed.all();
            let text = format!("{} of {} requests failed: {}", all, measured.requests, failed(measured));
            self.note(&paint(if measured.failed.other > 0 { BAD } else { DIM }, &text));
        }
        for reason in &measured.reasons {
            self.note(&format!("{} {reason}", paint(BAD, "✗")));
        }
    }

    /// The machine had no time for the demo.
    pub fn busy(&self, lag: Duration) {
        let text =
            format!("this machine is busy: the demo itself was held up for {}, and the times contain it", time(lag));
        self.note(&paint(BAD, &text));
    }

    /// What is about to be seen.
    pub fn opening(&self, text: &str) {
        self.say(&format!("{}  {text}", paint(HEAD, "Isthmus demo")));
        self.say(&format!("{INDENT}{}", paint::legend()));
    }

    /// A text of another program, in lines that fit.
    pub fn quote(&self, text: &str) {
        for line in paint::wrap(text, QUOTE_WIDTH) {
            self.note(&format!("{QUOTE}{}", paint(DIM, &line)));
        }
    }

    /// The result, and below it why something in it is not as it should be.
    pub fn table(&self, table: &str, reasons: &[String]) {
        self.say("");
        for (line, row) in table.lines().zip(0..) {
            self.say(&if row == 0 { paint(DIM, line) } else { paint::verdict(line) });
        }
        for reason in reasons {
            self.say(&format!("  {} {reason}", paint(BAD, "✗")));
        }
    }

    /// What to try now.
    pub fn next(&self, kept: Option<&Path>) {
        let Some(path) = kept else {
            self.say("Next: isthmus demo --keep DIR, and see the world it played with, as files.");
            return;
        };
        let path = path.display();
        self.say(&format!("Kept: {path} (the world, the Envoy bootstraps, the logs). Next:"));
        self.say(&format!("  isthmus check --world {path}/world"));
        self.say(&format!("  isthmus status --world {path}/world"));
    }

    pub fn closing(&self, verdict: Verdict, text: &str) {
        self.say("");
        self.say(&match verdict {
            Verdict::Held => paint(GOOD, "Held."),
            Verdict::NotHeld => paint(BAD, "Not held."),
            Verdict::CutShort => paint(BAD, "Cut short."),
        });
        for line in paint::wrap(text, WIDTH) {
            self.say(&line);
        }
    }
}

/// How soon those who had to move were served where they should be; `None` if none had to.
fn moved(measured: &Measured) -> Option<(Style, String)> {
    match (measured.first, measured.last) {
        (Some(first), Some(last)) => {
            Some((GOOD, format!("first client served there after {}, the last after {}", time(first), time(last))))
        }
        (Some(first), None) => {
            Some((BAD, format!("first client served there after {}, but not all of them", time(first))))
        }
        _ => None,
    }
}

/// Failed requests in words, by what excuses them.
pub fn failed(measured: &Measured) -> String {
    let failed = &measured.failed;
    let parts = [
        (failed.in_flight, "in flight to a killed pod"),
        (failed.before_move, "sent to a killed pod before the move"),
        (failed.other, "for other reasons"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    parts.join(", ")
}
