//! The door.

use std::process::ExitCode;

fn main() -> ExitCode {
    isthmus::cli::run()
}
