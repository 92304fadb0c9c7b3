//! In which order a stream sends what lies between its client and a snapshot.
//!
//! 1. What others refer to, with its details: each cluster is followed by its load assignment, and that by its endpoints.
//! 2. Once every cluster has its load assignment: what refers to clusters.
//! 3. Once the client has acknowledged that nothing refers to them any more: removals of load assignments and clusters.
//! 4. Heartbeats.

use std::sync::Arc;

use super::type_set::TypeSet;
use super::type_state::{Advance, TypeState};
use super::{Refusal, Response, Session, Variant};
use crate::resource::ResourceType;
use crate::snapshot::Snapshot;

/// What a client needs before it can use something, and whose details these are.
const DETAILS: [(ResourceType, ResourceType); 2] =
    [(ResourceType::Assignment, ResourceType::Cluster), (ResourceType::Endpoint, ResourceType::Assignment)];

/// What is being sent to bring a client to a target.
struct Sending<'a> {
    target: &'a Snapshot,
    /// The types that have to be looked at: what they are to be sent may differ from what they were sent.
    due: TypeSet,
    responses: Vec<Response>,
}

impl Session {
    /// Everything that may be sent now to bring the client to this target.
    pub(super) fn responses_to(&mut self, target: &Snapshot) -> Result<Vec<Response>, Refusal> {
        let mut sending = Sending { target, due: self.due(target), responses: Vec::new() };
        if sending.due.is_empty() {
            return Ok(Vec::new());
        }
        for t in ResourceType::ALL.into_iter().filter(|t| !t.refers_to_clusters()) {
            self.advance(t, &mut sending)?;
        }
        if self.may_refer_to_clusters(&sending) {
            self.send_referrers(&mut sending)?;
        }
        self.send_removals(&mut sending);
        self.send_heartbeats(&mut sending);
        Ok(sending.responses)
    }

    /// Types that changed since the client was up to date, and those whose rejected resources are to be offered again.
    fn due(&self, target: &Snapshot) -> TypeSet {
        let changed = |t: &ResourceType| self.idle_since.is_none_or(|seq| target.of(*t).changed_at() > seq);
        let mut due: TypeSet = ResourceType::ALL.into_iter().filter(changed).collect();
        if self.retry_at.is_some_and(|at| at <= self.now) {
            let retries = |state: &TypeState| state.retry_due().is_some_and(|at| at <= self.now);
            self.open_types().filter(|state| retries(state)).for_each(|state| due.add(state.resource_type()));
        }
        due
    }

    /// Sends what one type lacks, and notes what has to follow it. Returns whether the response holds something that the
    /// client rejected before.
    fn advance(&mut self, resource_type: ResourceType, sending: &mut Sending<'_>) -> Result<bool, Refusal> {
        if !sending.due.has(resource_type) {
            return Ok(false);
        }
        // A client that follows all clusters, or fetches them when it needs them, is about to ask for the new ones' load
        // assignments: it need not.
        let follows_clusters = || self.types[ResourceType::Cluster].as_ref().is_some_and(|state| state.is_wildcard());
        // In its first request of the type it names those of all clusters that it has acknowledged.
        let names_them = || !self.has_sent(resource_type) && !self.is_waiting_for_answer(ResourceType::Cluster);
        let eager = resource_type == ResourceType::Assignment
            && (follows_clusters() || sending.target.is_on_demand())
            && !names_them();
        let Some(state) = &mut self.types[resource_type] else { return Ok(false) };
        let Advance { response, followers, offers_again } =
            state.advance(sending.target, eager, self.now, &mut self.last_nonce)?;
        sending.responses.extend(response);
        for load in followers {
            self.require(resource_type, load, sending);
        }
        Ok(offers_again)
    }

    /// What has to follow something of this type that was just sent.
    fn require(&mut self, sent: ResourceType, load: Arc<str>, sending: &mut Sending<'_>) {
        let target = sending.target;
        match sent {
            // A cluster that Envoy is given, new or changed, is of no use before its load assignment comes *after* it. For
            // a cluster that it had before it does not even ask.
            ResourceType::Cluster if target.kept(ResourceType::Assignment, &load).is_some() => {
                self.open(ResourceType::Assignment).require(load);
                sending.due.add(ResourceType::Assignment);
            }
            ResourceType::Assignment => {
                let endpoints = self.open(ResourceType::Endpoint);
                let names = target.of(ResourceType::Endpoint).under(&load).map(|endpoint| endpoint.name().clone());
                names.for_each(|name| endpoints.require(name));
                sending.due.add(ResourceType::Endpoint);
            }
            _ => {}
        }
    }

    /// Nothing may refer to a cluster that was not sent, or that still lacks its load assignment or its endpoints.
    fn may_refer_to_clusters(&self, sending: &Sending<'_>) -> bool {
        // A client that follows names and has to wait for some of them (gRPC) has the others from before.
        let was_sent = |state: &TypeState| {
            let current = || state.is_current(sending.target) || state.is_waiting(sending.target);
            !sending.due.has(ResourceType::Cluster) || current()
        };
        let clusters_were_sent = self.types[ResourceType::Cluster].as_deref().is_none_or(was_sent);
        clusters_were_sent && !DETAILS.iter().any(|(details, of)| self.lacks(*details, *of))
    }

    /// Whether something that was sent is of no use yet, because details of it were not sent.
    fn lacks(&self, details: ResourceType, of: ResourceType) -> bool {
        let Some(state) = self.types[details].as_ref().filter(|state| state.requires()) else { return false };
        // The first cluster that has a load assignment makes Envoy ask for the type, before it acknowledges that cluster. A
        // client that acknowledges it and has not asked does without.
        self.is_waiting_for_answer(if state.is_open() { details } else { of })
    }

    fn has_sent(&self, resource_type: ResourceType) -> bool {
        self.types[resource_type].as_ref().is_some_and(|state| state.has_sent())
    }

    fn is_waiting_for_answer(&self, resource_type: ResourceType) -> bool {
        self.types[resource_type].as_ref().is_some_and(|state| state.is_waiting_for_answer())
    }

    fn send_referrers(&mut self, sending: &mut Sending<'_>) -> Result<(), Refusal> {
        let mut follows_listeners = false;
        for t in ResourceType::ALL.into_iter().filter(|t| t.refers_to_clusters()) {
            if let (true, ResourceType::Scope, Some(state)) = (follows_listeners, t, &mut self.types[t]) {
                state.repeat();
                sending.due.add(t);
            }
            // Envoy asks for scopes once: a listener that it made again after it rejected it gets only those that come
            // after it. In state of the world it asks again by itself.
            follows_listeners |= self.advance(t, sending)? && self.variant == Variant::Delta;
        }
        Ok(())
    }

    /// Removes what others referred to, if the client has acknowledged that nothing does any more.
    fn send_removals(&mut self, sending: &mut Sending<'_>) {
        // A type that is not due retained nothing when it was looked at last.
        let retains = |state: &TypeState| sending.due.has(state.resource_type()) && state.retains();
        let is_removed_last = |state: &TypeState| state.resource_type().is_referred_to();
        let mut referrers = self.open_types().filter(|state| state.resource_type().refers_to_clusters());
        if !self.open_types().any(|state| is_removed_last(state) && retains(state))
            || !referrers.all(|state| state.is_settled(sending.target))
        {
            return;
        }
        drop(referrers);
        for state in self.types.values_mut().rev().flatten().filter(|state| is_removed_last(state)) {
            sending.responses.extend(state.release(sending.target, &mut self.last_nonce));
        }
    }

    /// Confirms what is due to be confirmed, and notes whether anything is left to send.
    fn send_heartbeats(&mut self, sending: &mut Sending<'_>) {
        let mut all_idle = true;
        for state in self.types.values_mut().flatten().filter(|state| sending.due.has(state.resource_type())) {
            sending.responses.extend(state.heartbeat(sending.target, &mut self.last_nonce));
            all_idle &= state.is_idle(sending.target);
        }
        self.idle_since = all_idle.then(|| sending.target.seq());
        if self.retry_at.is_some() {
            // What is due and was not sent waits for an ACK, and the ACK asks again.
            let due = self.open_types().filter_map(TypeState::retry_due);
            self.retry_at = due.filter(|at| *at > self.now).min();
        }
    }
}
