//! State of the world: what a request means.

use std::collections::BTreeSet;
use std::time::Duration;

use super::subscription::SubscriptionError;
use super::type_state::{Answered, TypeState};
use crate::snapshot::Snapshot;

/// What a request means for the response before it, and when it came.
pub(super) struct Reply<'a> {
    pub(super) nonce: &'a str,
    pub(super) error: Option<String>,
    pub(super) now: Duration,
}

/// Takes in a request, and returns the response that it answers.
///
/// Per type, the first request with the current nonce is the ACK or NACK. Any later one with it asks for something: for
/// the names it adds, or, if it adds none, to be sent everything again, which is what Envoy needs when it made a cluster
/// again and needs a load assignment that it had before. Versions mean nothing here. Requests with an older nonce were
/// sent before the client received the last response; it will answer that one too, with the same names.
pub(super) fn apply(
    state: &mut TypeState,
    Reply { nonce, error, now }: Reply<'_>,
    names: Vec<String>,
    returning: bool,
    target: Option<&Snapshot>,
) -> Result<Option<Answered>, SubscriptionError> {
    let current = target.map(|snapshot| snapshot.of(state.resource_type()));
    // Before anything was sent every nonce is of an earlier stream, which this one continues.
    let first = !state.subscription.is_open();
    if !first && !state.is_current_nonce(nonce) {
        return Ok(None);
    }
    let answered = state.note_answer(nonce, error, now);
    let had = if first && returning { names.clone() } else { Vec::new() };
    let changed = state.subscription.set(names, current)?;
    if changed.less {
        state.forget_unwanted_rejections();
    }
    if first {
        state.start_over();
        state.return_with(had, returning);
    } else if changed.all {
        state.start_over();
    } else if let (Some(answered), false) = (&answered, changed.asked.is_empty()) {
        // What the client was just sent need not be sent again because it now also asks for it.
        let sent: BTreeSet<_> = answered.held.iter().map(|(name, _)| name).collect();
        state.ask(changed.asked.into_iter().filter(|name| !sent.contains(name)));
    } else if !changed.asked.is_empty() {
        state.ask(changed.asked);
    } else if answered.is_none() && state.has_sent() && !changed.less {
        state.start_over();
    }
    Ok(answered)
}
