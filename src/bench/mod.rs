//! `isthmus bench`: a control plane of one's own size under load, on this machine. A made-up world, a server in a process
//! of its own so that its CPU and memory are its own, clients that speak xDS as Envoy does, and what all that cost.
//!
//! `world` says what there is; `server` is the child process and `link` the way to it; `client` is one client and `crowd`
//! all of them; a `scenario` does something to them and returns figures; `report` prints.

mod args;
mod board;
mod crowd;
mod error;
mod link;
mod names;
mod others;
mod percentiles;
mod process;
mod protocol;
mod random;
mod report;
mod world;

mod client;
mod scenario;
mod server;

use std::process::ExitCode;

pub use args::BenchArgs;
pub use error::BenchError;

use crate::outcome::{BadUsage, ProblemFound};
use crate::terminal;
use crate::terminal::Format;
use args::{Plan, ServeAs};
use others::Others;
use report::Document;
use scenario::Stage;

/// Runs what was asked for and prints the figures. An error of usage is one that other flags would mend.
pub async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let format = args.format();
    let serve = args.serve;
    let plan = Plan::new(args).map_err(|error| BadUsage(error.to_string()))?;
    match serve {
        Some(ServeAs::Plane) => server::plane::run(&plan.world).await?,
        Some(ServeAs::Floor) => server::floor::run().await?,
        None => return load(&plan, format).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn load(plan: &Plan, format: Format) -> anyhow::Result<ExitCode> {
    let mut document = Document::new(plan);
    let others = Others::watch();
    let ended = run_all(plan, &mut document, &others).await;
    if document.scenarios.is_empty() {
        // Nothing to show but why.
        return ended.map(|()| ExitCode::SUCCESS).map_err(anyhow::Error::new);
    }
    if !terminal::print_document(format, &document)? {
        report::print(&document);
    }
    ended?;
    if let Some(failed) = document.scenarios.iter().find(|outcome| !outcome.problems.is_empty()) {
        let first = failed.problems.first().map(String::as_str).unwrap_or_default();
        let text = format!("{}: {} problems, the first: {first}", failed.scenario, failed.problems.len());
        return Err(ProblemFound(text).into());
    }
    Ok(ExitCode::SUCCESS)
}

/// What was finished stays in the document, whatever happens to the rest.
async fn run_all(plan: &Plan, document: &mut Document, others: &Others) -> Result<(), BenchError> {
    report::progress("a server starts, and is told the world");
    let mut stage = Stage::set(plan).await?;
    for scenario in &plan.scenarios {
        report::progress(&format!("{}: {}", scenario.name(), scenario.what(plan)));
        let outcome = stage.play(*scenario, &document.scenarios).await?;
        document.scenarios.push(outcome);
        document.cores_of_others = others.cores(stage.cpu()?);
    }
    stage.strike().await;
    Ok(())
}
