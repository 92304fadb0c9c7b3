//! Where the documents of a text begin, found without understanding them: one that cannot be parsed must not take the
//! others with it.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::text::{MARK, line_number};

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    range: Range<usize>,
    /// Lines before it.
    pub(super) lines: u32,
    /// It begins as a file does, not after a separator: a parser must not be given what is before it as well.
    pub(super) alone: bool,
}

impl Part {
    pub(super) fn whole(text: &str) -> Self {
        Self { range: 0..text.len(), lines: 0, alone: true }
    }

    pub(super) fn text<'a>(&self, text: &'a str) -> &'a str {
        let part = text.get(self.range.clone()).unwrap_or_default();
        part.strip_prefix(MARK).unwrap_or(part)
    }

    /// From this one to the end of another.
    pub(super) fn until(&self, last: &Self) -> Self {
        Self { range: self.range.start..last.range.end, ..self.clone() }
    }
}

/// The documents: a line that begins with `---` begins one, also inside of whatever was left open before it; so does a byte
/// order mark at the beginning of a line; and each of several JSON values that follow each other is one.
pub(super) fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut begin = Part { range: 0..0, lines: 0, alone: true };
    let mut offset = 0;
    for (line, content) in text.split_inclusive('\n').enumerate() {
        let marked = content.starts_with(MARK);
        let separator = content.trim_start_matches(MARK).strip_prefix("---");
        let separates = separator.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if offset > 0 && (marked || separates) {
            values(text, Part { range: begin.range.start..offset, ..begin }, &mut parts);
            begin = Part { range: offset..offset, lines: line_number(line), alone: marked };
        }
        offset += content.len();
    }
    values(text, Part { range: begin.range.start..text.len(), ..begin }, &mut parts);
    parts
}

/// A document, or the JSON values in it.
fn values(text: &str, part: Part, parts: &mut Vec<Part>) {
    let content = part.text(text);
    // Behind a separator, where there is one.
    let body = content.strip_prefix("---").unwrap_or(content).trim_start();
    let mut start = part.range.end - body.len();
    if !body.starts_with('{') {
        parts.push(part);
        return;
    }
    let end = part.range.end;
    let mut lines = part.lines + newlines(text, part.range.start..start);
    while let Some(rest) = text.get(start..end).filter(|rest| !rest.trim().is_empty()) {
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
        let next = match stream.next() {
            Some(Ok(_)) => Some(stream.byte_offset()),
            // One that is broken ends where a line begins like the next one; one without an end does not.
            Some(Err(error)) if !error.is_eof() => rest.find("\n{").map(|at| at + 1),
            _ => None,
        };
        let next = next.map_or(end, |length| start + length);
        parts.push(Part { range: start..next, lines, alone: true });
        lines += newlines(text, start..next);
        start = next;
    }
}

fn newlines(text: &str, range: Range<usize>) -> u32 {
    let part = text.get(range).unwrap_or_default();
    line_number(part.bytes().filter(|byte| *byte == b'\n').count())
}
