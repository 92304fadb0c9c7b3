//! `isthmus bench`: a control plane under load on this machine, in the size that the user chooses. A synthetic federation, a
//! server in a process of its own so that its CPU and memory can be measured, clients that use xDS as Envoy does, and figures.
//!
//! `synthetic` makes the federation; `server` is the child process and `link` the connection to it; `client` is one client and
//! `crowd` all of them; a `scenario` does something to them and returns figures; `report` prints.

mod args;
mod board;
mod bounds;
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
mod synthetic;

mod client;
mod scenario;
mod server;

use std::process::ExitCode;

pub use args::BenchArgs;
pub use error::BenchError;

use crate::outcome::{BadUsage, ProblemFound};
use crate::terminal::{self, Format};
use args::{Plan, ServeAs};
use others::Others;
use report::Document;
use scenario::Testbed;

/// Runs the scenarios and prints the figures. Fails with [`BadUsage`] if the flags cannot be used together.
pub async fn run(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let format = args.format();
    let serve = args.serve;
    let plan = Plan::new(args).map_err(|error| BadUsage(error.to_string()))?;
    match serve {
        Some(ServeAs::Plane) => server::plane::run(&plan).await?,
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
        // There is nothing to print but the error.
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

/// Scenarios that were finished stay in the document if a later one fails.
async fn run_all(plan: &Plan, document: &mut Document, others: &Others) -> Result<(), BenchError> {
    report::progress("a server starts, and receives the federation");
    let mut testbed = Testbed::set(plan).await?;
    for scenario in &plan.scenarios {
        report::progress(&format!("{}: {}", scenario.name(), scenario.what(plan)));
        let outcome = scenario::play(&mut testbed, *scenario, &document.scenarios).await?;
        document.scenarios.push(outcome);
        document.cores_of_others = others.cores(testbed.cpu()?);
    }
    testbed.end().await;
    Ok(())
}
