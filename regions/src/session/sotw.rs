//! State of the world: what a request means.

use std::collections::BTreeSet;
use std::time::Duration;

use super::pending::{Answer, TypeState};
use super::subscription::SubscriptionError;
use crate::snapshot::Snapshot;

/// What a request says of the response before it, and when.
pub(super) struct Answers<'a> {
    pub(super) nonce: &'a str,
    pub(super) error: Option<String>,
    pub(super) now: Duration,
}

/// Takes in a request, and returns whether it was an ACK or NACK.
///
/// Per type, the first request with the current nonce is the ACK or NACK. Any later one with it is a wish: for the
/// names it adds, or, if it adds none, to be sent everything again, which is what Envoy needs when it made a cluster
/// anew and wants a load assignment that it had before. Versions say nothing here. Requests with an older nonce were
/// sent before the client saw our last response; it will answer that one too, with the same names.
pub(super) fn hear(
    state: &mut TypeState,
    Answers { nonce, error, now }: Answers<'_>,
    names: Vec<String>,
    returning: bool,
    target: Option<&Snapshot>,
) -> Result<Option<Answer>, SubscriptionError> {
    let view = target.map(|snapshot| snapshot.of(state.resource_type()));
    // Before we sent anything every nonce is from another life: a stream that this one continues.
    let first = !state.subscription.is_open();
    if !first && !state.is_current_nonce(nonce) {
        return Ok(None);
    }
    let heard = state.hear_nonce(nonce, error, now);
    let had = if first && returning { names.clone() } else { Vec::new() };
    let changed = state.subscription.set(names, view)?;
    if changed.less {
        state.forget_unwanted_rejections();
    }
    if first {
        state.start_over();
        state.come_back(had, returning);
    } else if changed.all {
        state.start_over();
    } else if let (Some(answer), false) = (&heard, changed.asked.is_empty()) {
        // What the client just got it need not be sent again because it now also asks for it.
        let got: BTreeSet<_> = answer.held.iter().map(|(name, _)| name).collect();
        changed.asked.into_iter().filter(|name| !got.contains(name)).for_each(|name| state.force(name));
    } else if !changed.asked.is_empty() {
        changed.asked.into_iter().for_each(|name| state.force(name));
    } else if heard.is_none() && state.has_sent() && !changed.less {
        state.start_over();
    }
    Ok(heard)
}
