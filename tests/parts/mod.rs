//! Sources and writers against real API servers, one part at a time: no engine, so that what each reports and writes is seen
//! as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

mod folders;
mod hostile;
mod members;
mod mirrors;
mod statuses;

use std::time::Duration;

/// Generous, because machines that run tests are busy.
const LIMIT: Duration = Duration::from_secs(30);
