//! A cause, and whose API server it is about.

use std::borrow::Cow;
use std::fmt;

/// Whose API server it is: what it says may be shown or not, and its credential is in another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Hub,
    Member,
}

/// What went wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub found: Cow<'static, str>,
    pub remedy: Cow<'static, str>,
}

impl Cause {
    pub(crate) fn new(found: impl Into<Cow<'static, str>>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { found: found.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.remedy {
            "" => f.write_str(&self.found),
            remedy => write!(f, "{}; {remedy}", self.found),
        }
    }
}
