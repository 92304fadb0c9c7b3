//! Offering again what the client rejected, see [`super::super::rejected`].

use std::time::Duration;

use super::TypeState;
use super::plan::Plan;
use crate::resource::Resource;
use crate::session::rejected::Offer;
use crate::session::{Response, Variant};
use crate::snapshot::Snapshot;

impl TypeState {
    /// What the client rejected, if it is time to offer it again. To be called when nothing else is to be sent.
    pub(super) fn retry(&mut self, target: &Snapshot, now: Duration, nonce: &mut u64) -> Option<Response> {
        if self.rejected.is_empty() {
            return None;
        }
        let resource_type = self.resource_type;
        let find = |name: &str| target.find(resource_type, name);
        let offer =
            self.rejected.offer(now, |name, version| find(name).is_some_and(|found| found.version() == version))?;
        let response = match offer {
            Offer::FullState => self.full(target, true)?,
            Offer::Names(names) => {
                let resources: Vec<Resource> = names.iter().filter_map(|name| find(name)).collect();
                // Accepted this time, it has to be followed like any other.
                self.fresh = resources.iter().filter_map(Resource::load).cloned().collect();
                match self.variant {
                    Variant::Sotw if self.is_full_state() => self.full(target, true)?,
                    Variant::Sotw | Variant::Delta => self.response(target, resources, Vec::new()),
                }
            }
        };
        self.offered_again = true;
        self.emit(Some(response), nonce)
    }

    /// Whether something was sent since the last call that the client rejected before, with the same content or another.
    pub(in crate::session) fn take_offered_again(&mut self) -> bool {
        std::mem::take(&mut self.offered_again)
    }

    /// When the next retry is due, in time since the stream began. Not while a response waits for its answer.
    pub(in crate::session) fn retry_due(&self) -> Option<Duration> {
        if self.outstanding.is_some() { None } else { self.rejected.due() }
    }

    /// Everything that the client wants is to be sent although it has it.
    pub(in crate::session) fn repeat(&mut self) {
        self.start_over();
        self.repeats = true;
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

    /// Something of the type changes for the client, so what it rejected before may be acceptable beside it.
    pub(super) fn note_change_beside_rejected(&mut self, plan: &Plan, target: &Snapshot) {
        for gone in &plan.gone {
            self.rejected.retain(|name, _| name != &**gone.name());
        }
        if self.rejected.is_too_long() {
            let resource_type = self.resource_type;
            self.rejected.retain(|name, _| target.kept(resource_type, name).is_some());
        }
        self.offered_again |= plan.send.iter().any(|resource| self.rejected.versions().contains_key(resource.name()));
        if !(plan.send.is_empty() && plan.gone.is_empty()) {
            self.rejected.note_related_change();
        }
    }
}
