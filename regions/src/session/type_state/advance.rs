//! Moving a client to a target, and the response that this takes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::TypeState;
use super::exchange::Outstanding;
use super::plan::Plan;
use super::position::Position;
use crate::resource::{Resource, ResourceType};
use crate::session::{Refusal, Response, Variant};
use crate::snapshot::Snapshot;

/// What a move to a target led to.
#[derive(Default)]
pub(in crate::session) struct Advance {
    pub(in crate::session) response: Option<Response>,
    /// What has to follow it, see [`Resource::load`].
    pub(in crate::session) followers: Vec<Arc<str>>,
    /// The response holds something that the client rejected before, with the same content or another.
    pub(in crate::session) offers_again: bool,
}

impl TypeState {
    /// Moves the client to the target, and returns the response that this takes, if any. Waits for the ACK of the response
    /// before. `eager`: what is required is sent even if the client has not asked for it yet.
    pub(in crate::session) fn advance(
        &mut self,
        target: &Snapshot,
        eager: bool,
        now: Duration,
        nonce: &mut u64,
    ) -> Result<Advance, Refusal> {
        if !self.subscription.is_open() || self.exchange.is_waiting() || self.is_held(target) {
            return Ok(Advance::default());
        }
        if self.has_nothing_to_do(target) {
            return Ok(self.retry(target, now, nonce).unwrap_or_default());
        }
        let mut plan = self.plan(target, eager)?;
        if !self.weigh(&mut plan, target) {
            return Ok(Advance::default());
        }
        self.position = Position::at(target.seq());
        let next = std::mem::take(&mut self.next);
        self.retained.retain(|name, _| target.kept(self.resource_type, name).is_none());
        let offers_again = self.note_change_beside_rejected(&plan, target);
        let followers = self.followers(&plan, &next.required);
        let response = self.respond(plan, next.even_if_empty(), target);
        let response = response.map(|response| self.emit(response, next.repeats(), nonce));
        Ok(Advance { response, followers, offers_again })
    }

    /// What has to follow clusters, or load assignments of such, that the client is given new. In a full state the others
    /// have equal content, which Envoy does not even look at.
    fn followers(&self, plan: &Plan, required: &BTreeSet<Arc<str>>) -> Vec<Arc<str>> {
        // A load assignment makes Envoy wait for endpoints only together with a cluster that it made again.
        let fresh =
            |resource: &&Resource| self.resource_type == ResourceType::Cluster || required.contains(resource.name());
        plan.send.iter().filter(fresh).filter_map(Resource::load).cloned().collect()
    }

    fn respond(&mut self, plan: Plan, even_if_empty: bool, target: &Snapshot) -> Option<Response> {
        // In state of the world only this reports that a resource does not exist. Envoy ignores it, and is answered when the
        // resource exists.
        let missing = match self.variant {
            Variant::Sotw if target.reports_missing() => plan.missing.clone(),
            Variant::Sotw | Variant::Delta => Vec::new(),
        };
        let mut removed = plan.missing;
        let mut changed = even_if_empty || !plan.send.is_empty();
        if self.resource_type.is_referred_to() {
            self.retained.extend(plan.gone.into_iter().map(|resource| (resource.name().clone(), resource)));
        } else {
            changed |= !plan.gone.is_empty();
            removed.extend(plan.gone.iter().map(|resource| resource.name().clone()));
        }
        let response = match self.variant {
            Variant::Delta => (changed || !removed.is_empty()).then(|| self.response(target, plan.send, removed)),
            Variant::Sotw if self.is_full_state() => {
                (changed || !missing.is_empty()).then(|| self.full(target, false)).flatten()
            }
            Variant::Sotw => {
                let something = !plan.send.is_empty() || !missing.is_empty();
                something.then(|| self.response(target, plan.send, Vec::new()))
            }
        };
        response.map(|response| Response { missing, ..response })
    }

    /// Gives a response its nonce and waits for the answer. `repeats`: the client has what it holds.
    pub(super) fn emit(&mut self, response: Response, repeats: bool, nonce: &mut u64) -> Response {
        *nonce += 1;
        let response = Response { nonce: *nonce, ..response };
        self.status.sent += 1;
        self.status.version = response.version;
        self.doubt.note_sent();
        let held = response.resources.iter().map(|resource| (resource.name().clone(), resource.version())).collect();
        let full_state = self.variant == Variant::Sotw && self.is_full_state() && self.subscription.is_wildcard();
        let outstanding = Outstanding { version: response.version, held, full_state, repeats };
        self.exchange.send(response.nonce, outstanding);
        response
    }

    pub(super) fn response(&self, target: &Snapshot, resources: Vec<Resource>, removed: Vec<Arc<str>>) -> Response {
        Response {
            resource_type: self.resource_type,
            nonce: 0,
            version: target.of(self.resource_type).digest(),
            resources,
            ttl: self.heartbeat.as_ref().map(|heartbeat| heartbeat.ttl),
            removed,
            missing: Vec::new(),
        }
    }

    /// The complete list of what the client wants and what exists, what is retained included. `again`: also if the client
    /// rejected just that.
    pub(super) fn full(&self, target: &Snapshot, again: bool) -> Option<Response> {
        let found = target.of(self.resource_type);
        let retained = self.retained.values().cloned();
        let version = retained.clone().fold(found.digest(), |sum, resource| sum.wrapping_add(resource.digest()));
        let wildcard = self.subscription.is_wildcard();
        if wildcard && !again && self.rejected.holds_full_state(version) {
            return None;
        }
        let mut resources: Vec<Resource> = if wildcard {
            found.iter().cloned().collect()
        } else {
            let names = self.subscription.names().iter();
            names.filter_map(|name| target.find(self.resource_type, name)).collect()
        };
        // The version is that of the type as a whole, and the client may accept other names than those that it rejected.
        let rejected = |resource: &Resource| self.rejected.holds(resource.name(), resource.version());
        if !wildcard && !again && !resources.is_empty() && resources.iter().all(rejected) {
            return None;
        }
        resources.extend(retained);
        Some(Response { version, ..self.response(target, resources, Vec::new()) })
    }
}
