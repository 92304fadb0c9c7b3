//! The command line: one file a command. Arguments are parsed here and nowhere else.

mod check;
mod controller;
mod debug;
mod http;
mod log;
mod manifests;
mod members;
mod passed_over;
mod plane;
mod proxies;
mod proxy;
mod region;
pub mod source;
mod status;
mod tls;
mod verdict;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::outcome;
use crate::process::telemetry;
use log::LogArgs;

/// Multi-cluster mesh federation: many Kubernetes clusters, one set of services, nearest endpoint first.
///
/// Exit codes: 0 OK, 1 a problem was found, 2 bad usage or input.
#[derive(Debug, Parser)]
#[command(name = "isthmus", version, propagate_version = true, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: three regions, four clusters, real Envoys, live traffic, failures on a timetable.
    Demo(crate::demo::DemoArgs),
    /// Run the hub: onboarding, CIDR admission, mirroring, status. Leader-elected.
    Controller(controller::Args),
    /// Run one region's control plane: xDS for its proxies. Stateless, any number of replicas.
    Region(region::Args),
    /// Would this federation be admitted? Reports every clash and every broken object at once.
    Check(check::Args),
    /// Members, regions and services at a glance.
    Status(status::Args),
    /// Connected proxies: synced, stale, rejected and why; what one was sent.
    Proxy(proxy::Args),
    /// Load a control plane with a made-up world and clients; print latency, memory and CPU. Size yours with it.
    Bench(crate::bench::BenchArgs),
    /// Print what gets installed: custom resource definitions, RBAC, Deployments.
    Manifests(manifests::Args),
    /// Record what sources report, and replay it.
    #[command(hide = true)]
    Debug(debug::Args),
}

/// The command line as clap knows it, for the documentation's tests.
#[cfg(test)]
pub(crate) fn command() -> clap::Command {
    let mut command = <Args as clap::CommandFactory>::command();
    command.build();
    command
}

/// Parses the command line and runs it.
pub fn run() -> ExitCode {
    let Args { command, log } = Args::parse();
    if let Err(error) = telemetry::init(
        log.filter.as_deref(),
        log.format.into(),
        matches!(command, Command::Demo(_) | Command::Bench(_)),
    ) {
        return outcome::report(&error);
    }
    // The first use of TLS needs a provider; installed here, it is there for each command.
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    debug_assert!(installed.is_ok(), "the provider is installed once, here");
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return outcome::report(&anyhow::Error::new(error).context("cannot start the async runtime")),
    };
    let result = runtime.block_on(async {
        match command {
            Command::Demo(args) => Ok(crate::demo::run(args).await),
            Command::Controller(args) => controller::run(args).await,
            Command::Region(args) => region::run(args).await,
            Command::Check(args) => check::run(args).await,
            Command::Status(args) => status::run(args).await,
            Command::Proxy(args) => proxy::run(args).await,
            Command::Bench(args) => crate::bench::run(args).await,
            Command::Manifests(args) => manifests::run(&args),
            Command::Debug(args) => debug::run(args).await,
        }
    });
    // Tasks that still wait on a dead cluster must not delay the exit.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => outcome::report(&error),
    }
}
