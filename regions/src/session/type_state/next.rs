//! What the next response must hold beside what changed.

use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct Next {
    full: Option<Full>,
    /// The client asked for these: they are sent although nothing changed.
    pub(super) asked: BTreeSet<Arc<str>>,
    /// The client needs these, asked for or not, for instance load assignments of clusters that were sent. Remembered until
    /// it asks for the type at all.
    pub(super) required: BTreeSet<Arc<str>>,
}

/// Everything that the client wants is to be sent.
struct Full {
    /// It is sent even if there is nothing.
    even_if_empty: bool,
    /// The client has it already.
    repeats: bool,
}

impl Next {
    /// Everything that the client wants is to be sent; if it follows everything, even if that is nothing.
    pub(super) fn resend(&mut self, wildcard: bool) {
        self.full = Some(Full { even_if_empty: wildcard, repeats: self.repeats() });
    }

    /// The same, although the client has it already.
    pub(super) fn repeat(&mut self, wildcard: bool) {
        self.full = Some(Full { even_if_empty: wildcard, repeats: true });
    }

    /// Whether everything that the client wants is to be sent, and not only what changed.
    pub(super) fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// Whether a response is sent even if it is empty.
    pub(super) fn even_if_empty(&self) -> bool {
        self.full.as_ref().is_some_and(|full| full.even_if_empty)
    }

    /// Whether the response holds what the client has already.
    pub(super) fn repeats(&self) -> bool {
        self.full.as_ref().is_some_and(|full| full.repeats)
    }

    /// Whether the next response holds what changed and nothing else.
    pub(super) fn is_empty(&self) -> bool {
        self.full.is_none() && self.asked.is_empty() && self.required.is_empty()
    }

    /// Whether this is sent although it may not have changed.
    pub(super) fn holds(&self, name: &Arc<str>) -> bool {
        self.asked.contains(name) || self.required.contains(name)
    }
}
