//! `isthmus debug`: records what sources report, and plays it into an engine again. Hidden in help: for those who look for a
//! fault, with a file from somewhere else.

mod player;
mod record;
mod recorder;
mod replay;

use std::process::ExitCode;

/// Record what sources report, and replay it.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write what the hub and all members, or a folder, report into a file, with times and in order.
    Record(record::Args),
    /// Play a recording into an engine, and print what comes of it.
    Replay(replay::Args),
}

pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Record(args) => record::run(args).await,
        Command::Replay(args) => replay::run(&args),
    }
}
