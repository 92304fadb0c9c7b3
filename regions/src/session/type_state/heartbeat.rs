//! Heartbeats: "what you have is still good" (xDS protocol, "TTL").
//!
//! A client that set a time to live drops what it has once that was not confirmed for so long. Everything that it has is
//! confirmed three times in that time, by name and version and without a body.

use std::time::Duration;

use super::TypeState;
use crate::resource::{Resource, ResourceType};
use crate::session::{Response, Variant};
use crate::snapshot::Snapshot;

/// Of a type that has a time to live.
pub(super) struct Heartbeat {
    pub(super) ttl: Duration,
    /// What the client has is to be confirmed.
    pub(super) is_due: bool,
}

impl Heartbeat {
    /// `None`: the type has no time to live.
    pub(super) fn new(variant: Variant, resource_type: ResourceType, ttl: Duration) -> Option<Self> {
        may_expire(variant, resource_type).then_some(Self { ttl, is_due: false })
    }
}

/// Whether a client can do without this type. To Envoy a route that expires is none that goes away, and for a virtual host
/// a message without a body means something else. Nor load assignments in state of the world: Envoy 1.40 was seen to crash
/// when their time was over, heartbeats or not.
fn may_expire(variant: Variant, resource_type: ResourceType) -> bool {
    match resource_type {
        ResourceType::Cluster | ResourceType::Listener => true,
        ResourceType::Assignment => variant == Variant::Delta,
        _ => false,
    }
}

impl TypeState {
    /// What the client has is to be confirmed.
    pub(in crate::session) fn confirm(&mut self) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.is_due = true;
        }
    }

    /// Confirms what the client has, if that is due, and once it has all that it should have.
    pub(in crate::session) fn heartbeat(&mut self, target: &Snapshot, nonce: &mut u64) -> Option<Response> {
        let idle = self.is_settled(target) && self.has_nothing_to_do(target) && self.subscription.is_open();
        let heartbeat = self.heartbeat.as_mut().filter(|heartbeat| heartbeat.is_due && idle)?;
        heartbeat.is_due = false;
        let response = match self.variant {
            // A state without bodies would be one in which everything is gone.
            Variant::Sotw if self.is_full_state() => self.full(target, false)?,
            Variant::Sotw | Variant::Delta => {
                let held = self.plan_all(None, target).ok()?.send;
                let rejected = |resource: &Resource| self.rejected.holds(resource.name(), resource.version());
                let left = |resource: &&Resource| !rejected(resource) && !self.doubt.contains(resource.name());
                let beats = held.iter().filter(left).map(Resource::heartbeat).chain(self.doubt.heartbeats()).collect();
                self.response(target, beats, Vec::new())
            }
        };
        if response.resources.is_empty() {
            return None;
        }
        let response = self.emit(response, false, nonce);
        if response.resources.iter().all(Resource::is_nothing) {
            self.exchange.forget_contents();
        }
        Some(response)
    }
}
