//! Flags of every command: what is logged, and how.

use clap::ValueEnum;

use crate::process::telemetry::LogFormat;

#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// What to log, such as "info" or "isthmus=debug,kube=warn".
    #[arg(id = "log", long = "log", env = "RUST_LOG", global = true, value_name = "FILTER", help_heading = "Logging")]
    pub filter: Option<String>,
    /// How to log.
    #[arg(
        id = "log_format",
        long = "log-format",
        value_enum,
        default_value_t,
        global = true,
        value_name = "FORMAT",
        help_heading = "Logging"
    )]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
}

impl From<Format> for LogFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Human => Self::Human,
            Format::Json => Self::Json,
        }
    }
}
