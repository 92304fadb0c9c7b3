//! The bytes of a file as text.

use super::document::ParseError;

/// UTF-8, with or without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, ParseError> {
    let wide = matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let found = if wide { "UTF-16, as some shells write it" } else { "bytes that are not UTF-8" };
        ParseError { line: line_number(line), found: found.into(), expected: "UTF-8 text".into(), of_one: false }
    })?;
    Ok(text.strip_prefix(MARK).unwrap_or(text))
}

/// A byte order mark, where a file begins.
pub(super) const MARK: char = '\u{feff}';

pub(super) fn line_number(line: usize) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}
