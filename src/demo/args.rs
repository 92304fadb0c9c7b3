//! The flags of `isthmus demo`.

use std::path::PathBuf;
use std::time::Duration;

/// A shorter timetable leaves too few requests per event to judge by.
pub const SHORTEST: Duration = Duration::from_secs(20);
pub const LONGEST: Duration = Duration::from_secs(600);

/// Flags of `isthmus demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Print one JSON document at the end, and nothing else on standard output
    #[arg(long)]
    pub json: bool,
    /// How long the timetable takes, from 20s to 10m; starting and stopping comes on top
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = parse_length)]
    pub length: Duration,
    /// The Envoy to run; left out: $ISTHMUS_ENVOY, one on PATH, the cached one, or fetched once
    #[arg(long, value_name = "PATH")]
    pub envoy: Option<PathBuf>,
    /// Keep the world, the Envoy bootstraps and all logs in this new folder
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Reads a duration as people write it: `30s`, `1m`, `1m 30s`.
fn parse_length(text: &str) -> Result<Duration, String> {
    let expected = "expected a duration from 20s to 10m, such as 30s";
    let signed: jiff::SignedDuration = text.parse().map_err(|_| expected.to_owned())?;
    let length = Duration::try_from(signed).map_err(|_| expected.to_owned())?;
    if (SHORTEST..=LONGEST).contains(&length) { Ok(length) } else { Err(expected.to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        demo: DemoArgs,
    }

    #[test]
    fn durations_are_written_as_people_write_them_and_bounded() {
        assert_eq!(parse_length("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_length("1m 30s"), Ok(Duration::from_secs(90)));
        for bad in ["", "30", "19s", "11m", "-30s", "soon"] {
            assert!(parse_length(bad).is_err_and(|text| text.contains("20s")), "{bad}");
        }
    }

    #[test]
    fn no_flag_is_required() {
        let demo = Cli::try_parse_from(["demo"]).map(|cli| cli.demo).map_err(|error| error.to_string());
        assert!(demo.is_ok_and(|demo| !demo.json && demo.length == Duration::from_secs(30) && demo.keep.is_none()));
    }
}
