//! Confirming what a client has, see [`super::heartbeat`].

use super::TypeState;
use crate::resource::Resource;
use crate::session::{Response, Variant};
use crate::snapshot::Snapshot;

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
