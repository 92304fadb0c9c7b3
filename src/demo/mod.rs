//! `isthmus demo`: a federation on one machine, from nothing and without root. Three regions, four clusters, real HTTP
//! services on loopback addresses, one control plane process and one real Envoy per region, steady traffic through all
//! of them; then things fail on a timetable, and what the clients saw of it is measured and judged.
//!
//! `timetable` is the show as data and `world` what it happens to; `measure` judges; both are pure. `stage` runs the
//! parts (`backends`, `planes`, `envoy`), `client` the traffic, `director` goes through it, `screen` and `report` tell.

mod args;
mod backends;
mod client;
mod director;
mod envoy;
mod error;
mod http;
mod lag;
mod measure;
mod planes;
mod record;
mod report;
mod scratch;
mod screen;
mod stage;
mod timetable;
mod world;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use tokio::signal::unix::{SignalKind, signal};

pub use args::DemoArgs;
use client::{CLIENTS_PER_REGION, PERIOD};
use director::{Director, Done};
use error::DemoError;
use report::Totals;
use scratch::Scratch;
use screen::{Screen, Verdict};
use stage::{Parts, Stage};

/// Shows the whole demo and prints the result. 0: every event held. 1: one did not, or the show was cut short.
/// 2: it cannot be shown here as asked; the message says what to change or install.
pub async fn run(args: DemoArgs) -> ExitCode {
    let began = Instant::now();
    let mut screen = Screen::new(args.json);
    let mut done = Vec::new();
    let mut stage = None;
    let shown = tokio::select! {
        biased;
        () = interruption() => Err(DemoError::Interrupted),
        shown = show(&args, &mut screen, &mut stage, &mut done) => shown,
    };
    screen.clear();
    // Whatever happened: nothing that was started is left running.
    if let Some(stage) = stage.take() {
        stage.strike().await;
    }
    finish(&args, &screen, &done, began, shown)
}

async fn show(
    args: &DemoArgs,
    screen: &mut Screen,
    stage: &mut Option<Stage>,
    done: &mut Vec<Done>,
) -> Result<(), DemoError> {
    let waiting = screen.wait("looking for Envoy");
    let progress = |text: &str| waiting.set_message(text.to_owned());
    let slow = |text: &str| {
        // Without a terminal the waiting mark is not seen, and this may take a while.
        if !std::io::stderr().is_terminal() {
            anstream::eprintln!("{text}");
        }
        progress(text);
    };
    let envoy = programs::envoy::obtain(args.envoy.as_deref(), &slow).await?;
    let isthmus = std::env::current_exe().map_err(|source| DemoError::Io {
        action: "find the program file of",
        path: PathBuf::from("isthmus"),
        source,
    })?;
    let scratch = Scratch::new(args.keep.as_deref())?;
    let set = Stage::set(&Parts { isthmus, envoy }, scratch, &progress).await;
    waiting.finish_and_clear();
    let stage = stage.insert(set?);
    screen.opening(&opening(stage));
    Director { stage, screen, done }.run(args.length).await
}

fn opening(stage: &Stage) -> String {
    let regions = stage.planes().len();
    let clients = regions * CLIENTS_PER_REGION;
    let rate = clients as u128 * 1_000 / PERIOD.as_millis().max(1);
    format!(
        "{regions} regions, {} clusters, {regions} control planes, {} Envoys; {clients} clients send {rate} requests a second",
        stage.world().clusters.len(),
        stage.proxies().len(),
    )
}

/// Prints the result and says which exit code it means.
fn finish(args: &DemoArgs, screen: &Screen, done: &[Done], began: Instant, shown: Result<(), DemoError>) -> ExitCode {
    let length = timetable::events().len();
    let totals = Totals::of(done);
    let held = shown.is_ok() && totals.held == length;
    if let Err(error) = &shown {
        anstream::eprintln!("isthmus demo: {error}");
    }
    let code = shown.as_ref().err().map_or(u8::from(!held), DemoError::exit_code);
    if code == 2 {
        return ExitCode::from(code);
    }
    if args.json {
        let document = report::document(done, length, began.elapsed(), shown.err().map(|error| error.to_string()));
        match serde_json::to_string_pretty(&document) {
            Ok(text) => anstream::println!("{text}"),
            Err(error) => anstream::eprintln!("isthmus demo: cannot write the result: {error}"),
        }
    } else if !done.is_empty() {
        screen.table(&report::table(done), &report::reasons(done));
        let verdict = if held {
            Verdict::Held
        } else if shown.is_ok() {
            Verdict::NotHeld
        } else {
            Verdict::CutShort
        };
        screen.closing(verdict, &report::summary(done, length));
        screen.next(args.keep.as_deref());
    }
    ExitCode::from(code)
}

/// Returns when the demo should end: Ctrl-C, a closed terminal, or SIGTERM.
async fn interruption() {
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals else {
        return std::future::pending().await; // then the default applies: the signal ends the process
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
