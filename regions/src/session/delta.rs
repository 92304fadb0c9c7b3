//! Incremental xDS: what a request's subscriptions mean.

use super::known::Known;
use super::subscription::{MAX_NAMES, SubscriptionError};
use super::type_state::TypeState;
use crate::resource::ResourceType;
use crate::snapshot::Snapshot;

/// Subscriptions count even in a request whose nonce is outdated. `known` counts in the first request of a type only:
/// later the stream knows better than the client what it has.
pub(super) fn subscribe(
    state: &mut TypeState,
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
    mut known: Known,
    target: Option<&Snapshot>,
) -> Result<(), SubscriptionError> {
    let current = target.map(|snapshot| snapshot.of(state.resource_type()));
    let first = !state.subscription.is_open();
    if first && known.len() > MAX_NAMES {
        // Hosts that are there are few, so they may as well be sent again.
        match state.resource_type() {
            ResourceType::VirtualHost => known = Known::default(),
            other => return Err(SubscriptionError::TooManyNames(other)),
        }
    }
    let changed = state.subscription.change(subscribe, unsubscribe, current)?;
    if changed.less {
        state.forget_unwanted_rejections();
    }
    if first {
        state.resume(known);
    } else if changed.all {
        state.start_over();
    } else {
        // Also what the client should have: it may have dropped it and asked again before it reported that. But not what is
        // under way: a client that asks before it answers will receive it, and one that received it answered before it asked.
        state.ask_if_not_under_way(changed.asked);
    }
    Ok(())
}
