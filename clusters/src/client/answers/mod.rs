//! What API servers send, read within bounds: no answer costs memory out of proportion to its length, and what cannot
//! be read is named without repeating any of it (a server was sent our token and could send it back).

pub mod answer;
pub mod budget;
mod over;
pub mod page;

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

pub use answer::{get, get_text};
pub use over::Over;

/// Deepest chain of causes followed.
const MAX_CAUSES: usize = 16;

/// What is wrong with what an API server sent. Nothing of it is in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("it sent {what} of more than {limit} bytes")]
    TooLong { what: &'static str, limit: usize },
    #[error("it sent {what} with more than {limit} values in it")]
    TooMany { what: &'static str, limit: usize },
    #[error("{what} was not complete within {} s", limit.as_secs())]
    TooSlow { what: &'static str, limit: Duration },
    #[error("{what} is not UTF-8 text (byte {at})")]
    NotText { what: &'static str, at: usize },
    #[error("{what} is HTML and not JSON: something other than an API server answers, such as a proxy or a login page")]
    Html { what: &'static str },
    #[error("{what} is not JSON (line {line}, column {column})")]
    NotJson { what: &'static str, line: usize, column: usize },
    #[error("{what} ends in the middle, after {bytes} bytes")]
    CutShort { what: &'static str, bytes: usize },
    #[error(
        "{what} does not have the form that the Kubernetes API gives it (line {line}, column {column}); expected {expected}"
    )]
    Unfit { what: &'static str, expected: String, line: usize, column: usize },
    #[error("it sent another kind of object than it was asked for; expected {expected}")]
    OtherKind { expected: String },
    #[error("{what} would cost much more memory than its length; expected fewer empty values in it")]
    Dense { what: &'static str },
    #[error("it answered {0}, which is neither an answer nor an error; redirects are not followed")]
    Status(u16),
    #[error("the list has no end: {0}")]
    Endless(&'static str),
    #[error("what it sent has no resourceVersion")]
    NoVersion,
    #[error("{0}")]
    Over(Over),
}

impl Fault {
    /// The fault that caused an error, if it was one.
    pub fn of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        find(error)
    }

    /// As the error that callers of the library expect.
    pub fn into_kube(self) -> kube::Error {
        kube::Error::Service(Box::new(self))
    }

    /// Why a text was not read as `what`.
    pub fn of_json(error: &serde_json::Error, what: &'static str, expected: &str, text: &[u8]) -> Self {
        let (line, column) = (error.line(), error.column());
        match error.classify() {
            serde_json::error::Category::Eof => Self::CutShort { what, bytes: text.len() },
            serde_json::error::Category::Data => Self::Unfit { what, expected: expected.to_owned(), line, column },
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
                match std::str::from_utf8(text) {
                    Err(error) => Self::NotText { what, at: error.valid_up_to() },
                    Ok(_) if first == Some(&b'<') => Self::Html { what },
                    Ok(_) => Self::NotJson { what, line, column },
                }
            }
        }
    }
}

/// The first error of a type in a chain of causes.
pub fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut at = Some(error);
    for _ in 0..MAX_CAUSES {
        let error = at?;
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An io::Error that wraps another error does not name it as its source.
        at = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
