//! Logs: `tracing`, for people or as JSON. `info` is a change of state, `warn` is for the user to fix, `error` for us.

use std::io::IsTerminal;

use anyhow::Context;
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// What to log, such as "info" or "isthmus=debug,kube=warn".
    #[arg(long, env = "RUST_LOG", global = true, value_name = "FILTER", help_heading = "Logging")]
    pub log: Option<String>,
    /// How to log.
    #[arg(long, value_enum, default_value_t, global = true, value_name = "FORMAT", help_heading = "Logging")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Human,
    Json,
}

/// Starts logging to standard error. `quiet`: only what is wrong, unless a filter was given.
pub fn init(args: &LogArgs, quiet: bool) -> anyhow::Result<()> {
    let default = if quiet { "warn" } else { "info" };
    let filter = args.log.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        crate::cli::BadUsage(format!("--log: {error}; expected a level such as \"info\", or target=level pairs"))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Human => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
    .map_err(anyhow::Error::from_boxed)
    .context("cannot start logging")
}
