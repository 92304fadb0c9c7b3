//! The names of objects, as problems quote them.

use std::fmt;

use serde::Serialize;

use crate::foreign::{Secrets, cut_name};

/// Longest name of an object (RFC 1123 subdomain), in bytes.
pub const MAX_NAME_LEN: usize = 253;

/// An object as people name it: `Service shop/web`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ObjectName {
    pub kind: String,
    pub namespace: Option<String>,
    pub name: String,
}

impl ObjectName {
    /// A name that is longer than any object's may be is cut, and stays different from others that begin like it.
    pub fn new(kind: &str, namespace: Option<&str>, name: &str) -> Self {
        let bounded = |text: &str| cut_name(text, MAX_NAME_LEN).into_owned();
        Self { kind: bounded(kind), namespace: namespace.map(bounded), name: bounded(name) }
    }
}

impl ObjectName {
    pub(crate) fn scrubbed(mut self, secrets: &Secrets) -> Self {
        for text in [&mut self.kind, &mut self.name].into_iter().chain(&mut self.namespace) {
            scrub(text, secrets);
        }
        self
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None if self.name.is_empty() => f.write_str(&self.kind),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Takes the credentials of the member that sent a text out of it.
pub(super) fn scrub(text: &mut String, secrets: &Secrets) {
    if let std::borrow::Cow::Owned(scrubbed) = secrets.scrub(text) {
        *text = scrubbed;
    }
}
