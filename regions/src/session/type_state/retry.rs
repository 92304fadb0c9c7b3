//! Offering again what the client rejected, see [`crate::session::rejected`].

use std::time::Duration;

use super::plan::Plan;
use super::{Advance, TypeState};
use crate::resource::Resource;
use crate::session::Variant;
use crate::session::rejected::Offer;
use crate::snapshot::Snapshot;

impl TypeState {
    /// What the client rejected, if it is time to offer it again. To be called when nothing else is to be sent.
    pub(super) fn retry(&mut self, target: &Snapshot, now: Duration, nonce: &mut u64) -> Option<Advance> {
        if self.rejected.is_empty() {
            return None;
        }
        let resource_type = self.resource_type;
        let find = |name: &str| target.find(resource_type, name);
        let offer =
            self.rejected.offer(now, |name, version| find(name).is_some_and(|found| found.version() == version))?;
        let (response, followers) = match offer {
            Offer::FullState => (self.full(target, true)?, Vec::new()),
            Offer::Names(names) => {
                let resources: Vec<Resource> = names.iter().filter_map(|name| find(name)).collect();
                // Accepted this time, it has to be followed like any other.
                let followers = resources.iter().filter_map(Resource::load).cloned().collect();
                let response = match self.variant {
                    Variant::Sotw if self.is_full_state() => self.full(target, true)?,
                    Variant::Sotw | Variant::Delta => self.response(target, resources, Vec::new()),
                };
                (response, followers)
            }
        };
        Some(Advance { response: Some(self.emit(response, false, nonce)), followers, offers_again: true })
    }

    /// When the next retry is due, in time since the stream began. Not while a response waits for its answer.
    pub(in crate::session) fn retry_due(&self) -> Option<Duration> {
        if self.exchange.is_waiting() { None } else { self.rejected.due() }
    }

    /// Another type was acknowledged: what this one refers to may be there now.
    pub(in crate::session) fn note_related_ack(&mut self) {
        self.rejected.note_related_change();
    }

    /// The client wants less than before, and rejects nothing that it does not want.
    pub(in crate::session) fn forget_unwanted_rejections(&mut self) {
        let subscription = &self.subscription;
        self.rejected.retain(|name, _| subscription.wants(name, true));
    }

    /// Something of the type changes for the client, so what it rejected before may be acceptable beside it. Returns whether
    /// the plan sends something that the client rejected, with other content.
    pub(super) fn note_change_beside_rejected(&mut self, plan: &Plan, target: &Snapshot) -> bool {
        if self.rejected.is_empty() {
            return false;
        }
        for gone in &plan.gone {
            self.rejected.retain(|name, _| name != &**gone.name());
        }
        if self.rejected.is_too_long() {
            let resource_type = self.resource_type;
            self.rejected.retain(|name, _| target.kept(resource_type, name).is_some());
        }
        let offers_again = plan.send.iter().any(|resource| self.rejected.versions().contains_key(resource.name()));
        if !(plan.send.is_empty() && plan.gone.is_empty()) {
            self.rejected.note_related_change();
        }
        offers_again
    }
}
