//! A member that holds more than is kept of one.

use std::fmt;

/// Which bound was met, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    pub(crate) what: &'static str,
    pub(crate) limit: u64,
    pub(crate) flag: &'static str,
    /// It is a list that was given up.
    pub(crate) list: bool,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, limit, flag, list } = self;
        match list {
            true => write!(
                f,
                "the list has more than {limit} {what} and is not used; expected at most half of them; delete some, or raise {flag}"
            ),
            false => write!(f, "at most {limit} {what} of one member; delete some, or raise {flag}"),
        }
    }
}
