//! Exit codes: 0 OK, 1 a problem was found, 2 bad usage or input.

use std::process::ExitCode;

pub const OK: ExitCode = ExitCode::SUCCESS;
pub const PROBLEM: u8 = 1;
pub const BAD_USAGE: u8 = 2;

/// The user asked for something that cannot be: a wrong flag, a folder that is not there. The text says what would be right.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadUsage(pub String);

/// The command ran, and what it looked at is not OK. The text was printed already, or is this.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ProblemFound(pub String);

/// Prints the error with its causes and picks the code.
pub fn report(error: &anyhow::Error) -> ExitCode {
    crate::terminal::complain(format_args!("error: {error:#}"));
    ExitCode::from(if error.downcast_ref::<BadUsage>().is_some() { BAD_USAGE } else { PROBLEM })
}
