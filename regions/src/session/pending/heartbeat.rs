//! Heartbeats: "what you have is still good" (xDS protocol, "TTL").
//!
//! A client that set a time to live lets go of what it has once nobody has said so for that long. It is told three times
//! in that time, of everything that it has, by name and version and without a body.

use super::TypeState;
use crate::resource::{Resource, ResourceType};
use crate::session::{Response, Variant};
use crate::snapshot::Snapshot;

/// What has a time to live: what a client can do without. To Envoy a route that expires is none that goes away, and
/// for a virtual host a message without a body means something else. Nor load assignments in state of the world: Envoy
/// 1.40 was seen to crash when their time was over, heartbeats or not.
pub(super) fn may_expire(variant: Variant, resource_type: ResourceType) -> bool {
    match resource_type {
        ResourceType::Cluster | ResourceType::Listener => true,
        ResourceType::Assignment => variant == Variant::Delta,
        _ => false,
    }
}

impl TypeState {
    /// What the client has is to be confirmed.
    pub(in crate::session) fn confirm(&mut self) {
        self.unconfirmed = self.ttl.is_some();
    }

    /// Confirms what the client has, if that is due, and once it has all that it should have.
    pub(in crate::session) fn beat(&mut self, target: &Snapshot, nonce: &mut u64) -> Option<Response> {
        let idle = self.outstanding.is_none() && self.has_nothing_to_do(target);
        if !(self.unconfirmed && idle && self.subscription.is_open()) {
            return None;
        }
        self.unconfirmed = false;
        let response = match self.variant {
            // A state without bodies would be one in which everything is gone.
            Variant::Sotw if self.is_full_state() => self.full(target, false)?,
            Variant::Sotw | Variant::Delta => {
                let held = self.plan_all(None, target).ok()?.send;
                let refused = |resource: &Resource| self.rejected.holds(resource.name(), resource.version());
                let left = |resource: &&Resource| !refused(resource) && !self.doubt.contains(resource.name());
                let beats = held.iter().filter(left).map(Resource::heartbeat).chain(self.doubt.heartbeats()).collect();
                self.response(target, beats, Vec::new())
            }
        };
        if response.resources.is_empty() {
            return None;
        }
        let response = self.emit(Some(response), nonce)?;
        if response.resources.iter().all(Resource::is_nothing) {
            // A complaint about this says nothing about the content.
            self.outstanding.iter_mut().for_each(|outstanding| outstanding.held.clear());
        }
        Some(response)
    }
}
