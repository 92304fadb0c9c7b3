//! Parts of the sentences.

use std::time::Duration;

use crate::foreign::cut;

/// Longest part of an error text of the hub's own server or plugin that is shown, in bytes.
const MAX_QUOTED: usize = 300;

/// A limit as people write it: `4 s`, `3.5 s`.
pub(super) fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

/// What a server or plugin of the operator's own wrote, on one line and not too long.
pub(super) fn quoted(text: &str) -> String {
    let line: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    cut(&line, MAX_QUOTED).into_owned()
}
