//! The wall clock. The engine reads none: time is one of its inputs.

use std::time::{SystemTime, UNIX_EPOCH};

use federation::model::Time;

/// The wall clock, for timestamps that people read.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
