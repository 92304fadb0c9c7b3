//! Incremental xDS: what a request's subscriptions mean.

use super::known::Known;
use super::pending::TypeState;
use super::subscription::{MAX_NAMES, SubscriptionError};
use crate::resource::ResourceType;
use crate::snapshot::Snapshot;

/// Subscriptions count even in a request whose nonce is outdated. `known` counts in the first request of a type only:
/// later we know better than the client what it has.
pub(super) fn subscribe(
    state: &mut TypeState,
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
    mut known: Known,
    target: Option<&Snapshot>,
) -> Result<(), SubscriptionError> {
    let view = target.map(|snapshot| snapshot.of(state.resource_type()));
    let first = !state.subscription.is_open();
    if first && known.len() > MAX_NAMES {
        // Hosts that are there are few, so they may as well be sent again.
        match state.resource_type() {
            ResourceType::VirtualHost => known = Known::default(),
            other => return Err(SubscriptionError::TooManyNames(other)),
        }
    }
    let changed = state.subscription.change(subscribe, unsubscribe, view)?;
    if changed.less {
        state.forget_unwanted_rejections();
    }
    if first {
        state.resume(known);
    } else if changed.all {
        state.start_over();
    } else {
        // Also what we believe the client has: it may have dropped it and come back before it told us. But not what is on its
        // way: who asks before it answers that will take it, and who took it answered before it asked.
        state.not_on_their_way(changed.asked).into_iter().for_each(|name| state.force(name));
    }
    Ok(())
}
