//! What is wrong with a payload, and where.

use std::fmt;

use super::limits::{MAX_EXPANSION, MAX_ITEMS, MAX_OBJECTS, MAX_PAYLOAD_BYTES, MAX_TEXT_BYTES};

/// A payload that cannot be decoded. `Display` says the offset, the object, the field, what was found and what was
/// expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset of the field that is wrong, in the file or in the bytes that were given.
    pub at: u64,
    pub reason: Reason,
    /// From the inside out.
    path: Vec<String>,
    object: Option<String>,
}

/// A value that cannot be encoded because the decoder would refuse it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", shown(path))]
pub struct EncodeError {
    pub reason: Reason,
    path: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("ends after {found} of {expected} bytes")]
    Cut { found: u64, expected: u64 },
    #[error("begins with a number that is no protobuf key or length; expected a varint of at most ten bytes")]
    NotAVarint,
    #[error("has wire type {found}; expected {expected}")]
    WireType { found: &'static str, expected: &'static str },
    #[error("has {found} bytes; expected at most {MAX_TEXT_BYTES}")]
    TextTooLong { found: usize },
    #[error("is no UTF-8; expected text")]
    NotText,
    #[error("has more than {MAX_ITEMS} items; expected at most as many")]
    TooManyItems,
    #[error("has more than {MAX_OBJECTS} objects; expected at most as many")]
    TooManyObjects,
    #[error("has {found} bytes; expected at most {MAX_PAYLOAD_BYTES} in one frame")]
    TooLarge { found: usize },
    #[error(
        "takes more than {allowed} bytes of memory when decoded; expected at most {MAX_EXPANSION} for each byte of the payload"
    )]
    TooMuchMemory { allowed: usize },
    /// Found, and expected.
    #[error("is {found}; expected {expected}")]
    Value { found: String, expected: String },
    /// What a constructor of the model says.
    #[error("{0}")]
    Refused(String),
    #[error("holds nothing that this version knows; expected one of {0}")]
    NoneOf(&'static str),
}

impl DecodeError {
    pub fn new(at: u64, reason: Reason) -> Self {
        Self { at, reason, path: Vec::new(), object: None }
    }

    /// Says the field that the value is in.
    pub fn within(mut self, step: impl Into<String>) -> Self {
        self.path.push(step.into());
        self
    }

    /// Says the object that the field is in, if that is not known yet.
    pub fn of_object(mut self, name: impl FnOnce() -> Option<String>) -> Self {
        if self.object.is_none() {
            self.object = name();
        }
        self
    }

    /// The field, from the outside in: `member.services.full.objects[2].ports[0].name`.
    pub fn field(&self) -> String {
        joined(&self.path)
    }
}

impl EncodeError {
    pub fn new(reason: Reason) -> Self {
        Self { reason, path: Vec::new() }
    }

    /// Says the field that the value is in.
    pub fn within(mut self, step: impl Into<String>) -> Self {
        self.path.push(step.into());
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, reason, path, object } = self;
        write!(f, "at byte {at}: ")?;
        if let Some(object) = object {
            write!(f, "{object}: ")?;
        }
        write!(f, "{}{reason}", shown(path))
    }
}

impl std::error::Error for DecodeError {}

fn shown(path: &[String]) -> String {
    if path.is_empty() { String::new() } else { format!("{} ", joined(path)) }
}

fn joined(path: &[String]) -> String {
    let mut text = String::new();
    for step in path.iter().rev() {
        // An index follows its list directly.
        if !text.is_empty() && !step.starts_with('[') {
            text.push('.');
        }
        text.push_str(step);
    }
    text
}
