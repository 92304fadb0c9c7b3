//! One object of a file as it was written, and why a text is none.

use serde_json::{Map, Value};

/// One object as it was written.
#[derive(Debug)]
pub(super) struct Document {
    /// In the file.
    pub(super) at: Position,
    pub(super) body: Body,
    /// It is an item of a list, not a document of its own.
    pub(super) of_list: bool,
    /// Which of the [`Parsed`](super::parse::Parsed)'s parts it is in.
    pub(super) part: usize,
}

#[derive(Debug)]
pub(super) enum Body {
    Object(Map<String, Value>),
    /// What is there instead of a mapping, as in "a list".
    NotAMapping(&'static str),
    /// A list of changes to other files.
    Patch,
}

/// Where an object starts; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: u32,
    pub(super) column: u32,
}

/// Text that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: found {found}; expected {expected}")]
pub(super) struct ParseError {
    pub(super) line: u32,
    pub(super) found: String,
    pub(super) expected: String,
    /// It is about one document, not about the file.
    pub(super) of_one: bool,
}
