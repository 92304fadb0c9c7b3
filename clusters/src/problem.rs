//! What is wrong with an input: which object, which field, what was found, what would be right, what is lost by it.
//! A problem never carries a secret: code that reads Secrets must not put their content in `found`. Its texts come from
//! outside, so each is cut when the problem is made.

mod book;
mod findings;
mod object;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

pub use book::{OriginProblems, ProblemBook, ProblemOrigin, Problems};
pub use findings::Findings;
pub use object::{MAX_NAME_LEN, ObjectName};

use object::scrub;

use crate::foreign::{Bounded, Secrets, Visible, cut};

/// Longest quotation of a found value, in bytes.
pub const MAX_FOUND_LEN: usize = 120;
/// Longest path of a field, in bytes: a few steps, and one label key.
pub const MAX_FIELD_LEN: usize = 512;
/// Longest text of what would be right, or of what is lost, in bytes.
pub const MAX_EXPECTED_LEN: usize = 512;
/// Problems kept for one object. The first ones explain it; the rest repeat.
pub const MAX_PROBLEMS_PER_OBJECT: usize = 8;
/// Objects with problems listed for one origin. What is beyond is counted.
pub const MAX_OBJECTS_PER_ORIGIN: usize = 256;
/// Problems listed for one origin, in bytes. What is beyond is counted.
pub const MAX_BYTES_PER_ORIGIN: usize = 512 << 10;
/// Problems listed for all origins together, in bytes. What is beyond is counted.
pub const MAX_BYTES: usize = 16 << 20;
/// Objects with problems that are counted for one origin.
pub const MAX_COUNTED: usize = 250_000;

/// One thing wrong with one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    pub object: ObjectName,
    /// Path of the field, as in `spec.ports[0].port`; empty if the object as a whole is meant.
    pub field: String,
    pub found: String,
    pub expected: String,
    /// What of the object is not used because of this; empty if another text names it.
    pub lost: String,
    /// Where it was read, for objects that came from files.
    pub place: Option<Place>,
    /// Problems of the same object that are not listed; set on its last one.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub file: PathBuf,
    /// Counted from 1.
    pub line: u32,
}

impl Problem {
    pub fn new(
        object: &ObjectName,
        field: impl Into<String>,
        found: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            object: object.clone(),
            field: bounded(field.into(), MAX_FIELD_LEN),
            found: Bounded::text(found, MAX_FOUND_LEN),
            expected: bounded(expected.into(), MAX_EXPECTED_LEN),
            lost: String::new(),
            place: None,
            more: 0,
        }
    }

    pub fn losing(self, lost: impl Into<String>) -> Self {
        Self { lost: bounded(lost.into(), MAX_EXPECTED_LEN), ..self }
    }

    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Bytes that it takes, more or less.
    pub fn weight(&self) -> usize {
        let ObjectName { kind, namespace, name } = &self.object;
        let texts = [kind, name, &self.field, &self.found, &self.expected, &self.lost];
        let place = self.place.as_ref().map_or(0, |place| place.file.as_os_str().len());
        let texts = texts.into_iter().chain(namespace).map(String::len).sum::<usize>();
        texts + place + size_of::<Self>()
    }

    /// Without the credentials of the member that sent the object.
    pub(crate) fn scrubbed(mut self, secrets: &Secrets) -> Self {
        self.object = self.object.scrubbed(secrets);
        for text in [&mut self.field, &mut self.found, &mut self.expected, &mut self.lost] {
            scrub(text, secrets);
        }
        self
    }
}

fn bounded(text: String, max: usize) -> String {
    if text.len() <= max { text } else { cut(&text, max).into_owned() }
}

/// One line, in which nothing is hidden.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{}:{}: ", Visible(place.file.display()), place.line)?;
        }
        write!(f, "{}", Visible(&self.object))?;
        if !self.field.is_empty() {
            write!(f, ": {}", Visible(&self.field))?;
        }
        write!(f, ": {}", self.what())
    }
}

impl Problem {
    /// The problem without its object, place and field.
    pub fn what(&self) -> impl fmt::Display {
        fmt::from_fn(|f| {
            write!(f, "found {}; expected {}", Visible(&self.found), Visible(&self.expected))?;
            if self.more > 0 {
                write!(f, " (and {} more problems of this object)", self.more)?;
            }
            if self.lost.is_empty() { Ok(()) } else { write!(f, "; {}", Visible(&self.lost)) }
        })
    }
}
