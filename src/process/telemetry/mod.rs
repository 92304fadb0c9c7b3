//! Logs: `tracing`, for people or as JSON. `info` is a change of state, `warn` is for the user to fix, `error` for us.
//! No client, member or file can forge a line, steer a terminal, or cause so many lines that the others are not found: see
//! [`mod@format`] and [`flood`].

mod flood;
mod format;

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use flood::Floods;
pub use flood::{BURST, EVERY, MAX_KEYS, TOTAL_BURST, TOTAL_EVERY, suppressed};
pub use format::MAX_VALUE_LEN;
use format::{Human, Json, Plain};

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Human,
    Json,
}

/// Starts logging to standard error. `filter`: which lines, such as `info` or `isthmus=debug`. `quiet`: only what is wrong,
/// unless a filter was given.
pub fn init(filter: Option<&str>, format: LogFormat, quiet: bool) -> anyhow::Result<()> {
    let default = if quiet { "warn" } else { "info" };
    let filter = filter.unwrap_or(default);
    let filter = EnvFilter::try_new(with_quiet_libraries(filter)).map_err(|error| {
        crate::outcome::BadUsage(format!("--log: {error}; expected a level such as \"info\", or target=level pairs"))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Human => builder
            .with_ansi(std::io::stderr().is_terminal())
            .fmt_fields(Plain)
            .event_format(Human::new(Floods::default()))
            .try_init(),
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .map_event_format(|format| Json::new(format, Floods::default()))
            .try_init(),
    }
    .map_err(anyhow::Error::from_boxed)
    .context("cannot start logging")
}

/// The Kubernetes libraries repeat in their logs what API servers answer (a refused watch, or what is no JSON, even as a
/// warning), and a hostile server answers with the token that it was sent. What goes wrong is logged by our own code; who asks for
/// one of these logs by name gets it.
fn with_quiet_libraries(filter: &str) -> String {
    let quiet = [("kube_client", "error"), ("kube_runtime", "error")];
    let unasked = quiet.into_iter().filter(|(library, _)| !filter.contains(library));
    // First, so that what was asked for wins.
    unasked.map(|(library, level)| format!("{library}={level},")).chain([filter.to_owned()]).collect()
}

#[cfg(test)]
pub(crate) mod capture;
#[cfg(test)]
mod tests;
