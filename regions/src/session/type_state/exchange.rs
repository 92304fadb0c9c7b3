//! Responses and their answers: at most one response of a type waits for its ACK or NACK.

use std::collections::HashSet;
use std::sync::Arc;

#[derive(Default)]
pub(super) enum Exchange {
    /// Nothing was sent yet.
    #[default]
    NotBegun,
    /// A response waits for its answer.
    Waiting { nonce: u64, outstanding: Outstanding },
    /// The last response was answered.
    Answered { nonce: u64 },
}

/// What is remembered of a response until it is answered.
pub(super) struct Outstanding {
    /// The version of the type as a whole.
    pub(super) version: u64,
    /// Names and versions that it held.
    pub(super) held: Vec<(Arc<str>, u64)>,
    /// It held the complete list (state of the world).
    pub(super) full_state: bool,
    /// It held what the client had before.
    pub(super) repeats: bool,
}

impl Exchange {
    pub(super) fn has_begun(&self) -> bool {
        self.nonce().is_some()
    }

    fn nonce(&self) -> Option<u64> {
        match self {
            Self::NotBegun => None,
            Self::Waiting { nonce, .. } | Self::Answered { nonce } => Some(*nonce),
        }
    }

    /// Whether this is the nonce of the last response. Before anything was sent every nonce is: it is one of the stream
    /// that this one continues.
    pub(super) fn is_current(&self, text: &str) -> bool {
        self.nonce().is_none_or(|nonce| text == nonce_text(nonce))
    }

    pub(super) fn outstanding(&self) -> Option<&Outstanding> {
        match self {
            Self::Waiting { outstanding, .. } => Some(outstanding),
            Self::NotBegun | Self::Answered { .. } => None,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.outstanding().is_some()
    }

    /// A response is sent.
    pub(super) fn send(&mut self, nonce: u64, outstanding: Outstanding) {
        *self = Self::Waiting { nonce, outstanding };
    }

    /// A request came with this nonce. Returns the response that it answers, if there is one.
    pub(super) fn answer(&mut self, text: &str) -> Option<Outstanding> {
        let nonce = self.nonce().filter(|nonce| text == nonce_text(*nonce))?;
        match std::mem::replace(self, Self::Answered { nonce }) {
            Self::Waiting { outstanding, .. } => Some(outstanding),
            Self::NotBegun | Self::Answered { .. } => None,
        }
    }

    /// A rejection of the response that waits is no rejection of its resources.
    pub(super) fn forget_contents(&mut self) {
        if let Self::Waiting { outstanding, .. } = self {
            outstanding.held = Vec::new();
        }
    }

    /// Of these names, those that are not in a response that waits for its answer.
    pub(super) fn not_under_way(&self, mut names: Vec<Arc<str>>) -> Vec<Arc<str>> {
        if let Some(outstanding) = self.outstanding().filter(|_| !names.is_empty()) {
            let held: HashSet<&str> = outstanding.held.iter().map(|(name, _)| &**name).collect();
            names.retain(|name| !held.contains(&**name));
        }
        names
    }
}

/// A nonce as it is sent.
pub(crate) fn nonce_text(nonce: u64) -> String {
    format!("{nonce:x}")
}
