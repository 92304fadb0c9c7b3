//! What one type owes its client: the way from what it has to what it should have.
//!
//! What a client has is not kept: a stream remembers the commit its client was brought to, and the log tells what
//! changed since. So a client that does not answer pins no resource, however long it stays.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::held::Facts;
use super::known::Known;
use super::rejected::Rejected;
use super::status::{MAX_ERROR_LEN, TypeStatus};
use super::subscription::Subscription;
use super::{Refusal, Response, Variant};
use crate::class::cut;
use crate::interest::Interest;
use crate::resource::{Resource, ResourceType};
use crate::snapshot::Snapshot;
use doubt::Doubt;

mod doubt;
mod heartbeat;
mod plan;
mod retry;

pub(super) struct TypeState {
    variant: Variant,
    resource_type: ResourceType,
    pub(super) subscription: Subscription,
    /// The commit that the client was brought to; `None`: nothing was sent yet.
    cursor: Option<u64>,
    /// Everything that is wanted is to be sent, whatever the cursor.
    resend: bool,
    /// What the client says it has from an earlier stream, until it is first answered.
    known: Known,
    /// What the client has, and nobody can tell whether it should.
    doubt: Doubt,
    /// What the client was brought to, if it takes its resources from elsewhere since.
    moved_from: Option<Arc<Snapshot>>,
    /// The client asked for these: to be sent although nothing changed.
    forced: BTreeSet<Arc<str>>,
    /// The client needs these, asked for or not: load assignments of clusters that were sent. Remembered until it asks
    /// for the type at all.
    owed: BTreeSet<Arc<str>>,
    /// The next response goes out even if it is empty.
    must_answer: bool,
    /// Gone from the snapshot, but routes that the client may still have refer to it.
    retained: BTreeMap<Arc<str>, Resource>,
    /// What has to follow what the last response held, see [`Resource::load`].
    fresh: Vec<Arc<str>>,
    outstanding: Option<Outstanding>,
    nonce: Option<u64>,
    /// What the client rejected. The same bytes are not sent as a change again, see [`TypeState::retry`].
    rejected: Rejected,
    /// The last response held something that the client rejected before.
    offered_again: bool,
    /// The next response repeats what the client has.
    repeats: bool,
    /// Goes with every resource.
    ttl: Option<Duration>,
    /// A heartbeat is due.
    unconfirmed: bool,
    status: TypeStatus,
}

/// What a client said about a response.
pub(super) struct Answer {
    pub(super) ack: bool,
    /// Names and versions that the response held.
    pub(super) held: Vec<(Arc<str>, u64)>,
    /// The client took something that it did not have before.
    pub(super) is_progress: bool,
}

struct Outstanding {
    digest: u64,
    held: Vec<(Arc<str>, u64)>,
    /// It held all there is (state of the world).
    full_state: bool,
    /// It held what the client had before.
    repeats: bool,
}

impl TypeState {
    /// `ttl`: of all that has one. `retry_seed`: spreads the retries of many streams.
    pub(super) fn new(
        variant: Variant,
        resource_type: ResourceType,
        interest: Arc<Interest>,
        ttl: Option<Duration>,
        retry_seed: u64,
    ) -> Self {
        Self {
            variant,
            resource_type,
            subscription: Subscription::new(resource_type, interest),
            cursor: None,
            resend: false,
            known: Known::default(),
            doubt: Doubt::default(),
            moved_from: None,
            forced: BTreeSet::new(),
            owed: BTreeSet::new(),
            must_answer: false,
            retained: BTreeMap::new(),
            fresh: Vec::new(),
            outstanding: None,
            nonce: None,
            rejected: Rejected::new(retry_seed),
            offered_again: false,
            repeats: false,
            ttl: ttl.filter(|_| heartbeat::may_expire(variant, resource_type)),
            unconfirmed: false,
            status: TypeStatus::default(),
        }
    }

    pub(super) fn resource_type(&self) -> ResourceType {
        self.resource_type
    }

    pub(super) fn status(&self) -> TypeStatus {
        TypeStatus {
            subscribed: self.subscription.is_open(),
            wildcard: self.subscription.is_wildcard(),
            names: self.subscription.names().len(),
            outstanding: self.outstanding.is_some(),
            reached: self.cursor.is_some(),
            rejected: self.rejects(),
            ..self.status.clone()
        }
    }

    /// From this follows what the client has.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            wildcard: self.subscription.is_wildcard(),
            names: self.subscription.names().iter().cloned().collect(),
            cursor: self.cursor,
            resend: self.resend,
            forced: self.forced.clone(),
            outstanding: self.outstanding.as_ref().map(|outstanding| outstanding.held.clone()).unwrap_or_default(),
            rejected: self.rejected.versions().clone(),
            retained: self.retained.values().cloned().collect(),
            doubtful: self.doubt.versions(),
            version: self.status.version,
        }
    }

    /// Whether the client rejects something that it should have.
    pub(super) fn rejects(&self) -> bool {
        !self.rejected.is_empty()
    }

    pub(super) fn is_wildcard(&self) -> bool {
        self.subscription.is_wildcard()
    }

    pub(super) fn has_sent(&self) -> bool {
        self.nonce.is_some()
    }

    pub(super) fn is_current_nonce(&self, nonce: &str) -> bool {
        self.nonce.is_none_or(|current| nonce == nonce_text(current))
    }

    /// The ACK or NACK of the response that waits for one, if this nonce is its.
    pub(super) fn hear_nonce(&mut self, nonce: &str, error: Option<String>, now: Duration) -> Option<Answer> {
        if self.nonce.is_none() || nonce.is_empty() || !self.is_current_nonce(nonce) {
            return None;
        }
        let Outstanding { digest, held, full_state, repeats } = self.outstanding.take()?;
        let Some(error) = error else {
            self.status.acks += 1;
            self.status.acked_version = Some(digest);
            if !self.rejected.is_empty() {
                self.rejected.settle(&held, full_state);
            }
            let is_progress = !repeats && !held.is_empty();
            return Some(Answer { ack: true, held, is_progress });
        };
        self.status.nacks += 1;
        self.status.last_error = Some(Arc::from(cut(&error, MAX_ERROR_LEN)));
        self.rejected.add(&held, full_state.then_some(digest), now);
        Some(Answer { ack: false, held, is_progress: false })
    }

    /// Of these names, those that are not in a response that waits for its answer.
    pub(super) fn not_on_their_way(&self, mut names: Vec<Arc<str>>) -> Vec<Arc<str>> {
        if let Some(outstanding) = &self.outstanding
            && !names.is_empty()
        {
            let held: HashSet<&str> = outstanding.held.iter().map(|(name, _)| &**name).collect();
            names.retain(|name| !held.contains(&**name));
        }
        names
    }

    /// A name is to be sent, whatever the client may have.
    pub(super) fn force(&mut self, name: Arc<str>) {
        self.forced.insert(name);
    }

    /// A name has to follow, because something that refers to it was sent.
    pub(super) fn owe(&mut self, name: Arc<str>) {
        self.owed.insert(name);
    }

    /// Everything that is wanted is to be sent.
    pub(super) fn start_over(&mut self) {
        self.resend = true;
        self.known = Known::default();
        self.must_answer = self.subscription.is_wildcard();
    }

    /// Everything that is wanted is to be sent, except what the client has already.
    pub(super) fn resume(&mut self, known: Known) {
        self.start_over();
        // What it is not sent now, it was last told of on another stream, some time ago.
        self.unconfirmed = self.ttl.is_some() && !known.is_empty();
        self.known = known;
    }

    /// The next target comes. If its resources come from elsewhere, what the client was brought to is remembered until it
    /// was brought over: the one snapshot that a client that does not answer may pin.
    pub(super) fn move_over(&mut self, old: &Arc<Snapshot>, new: &Snapshot) {
        let (old_since, new_since) = (old.of(self.resource_type).since(), new.of(self.resource_type).since());
        if old_since != new_since && self.moved_from.is_none() && self.cursor.is_some_and(|at| at >= old_since) {
            self.moved_from = Some(old.clone());
        }
    }

    /// Whether the client was brought to the target, ACKed or not.
    pub(super) fn is_current(&self, target: &Snapshot) -> bool {
        let changed_at = target.of(self.resource_type).changed_at();
        let reached = self.cursor.is_some_and(|at| changed_at <= at);
        !self.subscription.is_open() || (reached && !self.resend)
    }

    /// Whether it also said that it got there.
    pub(super) fn is_settled(&self, target: &Snapshot) -> bool {
        self.is_current(target) && self.outstanding.is_none()
    }

    /// Whether something that it needs at once has to wait for an ACK.
    pub(super) fn owes(&self) -> bool {
        self.outstanding.is_some() && self.subscription.is_open() && !self.owed.is_empty()
    }

    /// Whether something is gone that the client still has.
    pub(super) fn retains(&self) -> bool {
        !self.retained.is_empty() || self.doubt.leaves()
    }

    /// Whether nothing is left to say: ACKs alone will not change that, only requests and the next snapshot.
    pub(super) fn rests(&self, target: &Snapshot) -> bool {
        let idle = self.has_nothing_to_do(target) && !self.retains() && !self.unconfirmed;
        !self.subscription.is_open() || idle || self.is_held(target) || self.is_waiting(target)
    }

    /// What has to follow the clusters, or the load assignments of such, that the last [`TypeState::advance`] gave the
    /// client anew. In a full state the others have equal content, which Envoy does not even look at.
    pub(super) fn take_fresh(&mut self) -> Vec<Arc<str>> {
        std::mem::take(&mut self.fresh)
    }

    /// Moves the cursor to the target and returns what has to be said on the way, if anything. Waits for the ACK of the
    /// response before. `eager`: what is owed is sent even if the client has not asked for it yet.
    pub(super) fn advance(
        &mut self,
        target: &Snapshot,
        eager: bool,
        now: Duration,
        nonce: &mut u64,
    ) -> Result<Option<Response>, Refusal> {
        if !self.subscription.is_open() || self.outstanding.is_some() {
            return Ok(None);
        }
        if self.is_held(target) {
            return Ok(None);
        }
        if self.has_nothing_to_do(target) {
            return Ok(self.retry(target, now, nonce));
        }
        let mut plan = self.plan(target, eager)?;
        if !self.weigh(&mut plan, target) {
            return Ok(None);
        }
        self.moved_from = None;
        self.cursor = Some(target.seq());
        self.resend = false;
        self.known = Known::default();
        self.forced.clear();
        let owed = std::mem::take(&mut self.owed);
        self.retained.retain(|name, _| target.kept(self.resource_type, name).is_none());
        if !self.rejected.is_empty() {
            self.note_change_beside_rejected(&plan, target);
        }
        let must_answer = std::mem::take(&mut self.must_answer);
        // State of the world has no way to say "there is no such thing" but this, which Envoy passes over; it is answered
        // when the thing is born.
        let missing = match self.variant {
            Variant::Sotw if target.tells_what_is_missing() => plan.missing.clone(),
            Variant::Sotw | Variant::Delta => Vec::new(),
        };
        let mut removed = plan.missing;
        let mut changed = must_answer || !plan.send.is_empty();
        if self.resource_type.is_referred_to() {
            self.retained.extend(plan.gone.into_iter().map(|resource| (resource.name().clone(), resource)));
        } else {
            changed |= !plan.gone.is_empty();
            removed.extend(plan.gone.iter().map(|resource| resource.name().clone()));
        }
        // A load assignment makes Envoy wait for endpoints only together with a cluster that it made anew.
        let fresh =
            |resource: &&Resource| self.resource_type == ResourceType::Cluster || owed.contains(resource.name());
        self.fresh = plan.send.iter().filter(fresh).filter_map(Resource::load).cloned().collect();
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
        Ok(self.emit(response.map(|response| Response { missing, ..response }), nonce))
    }

    /// The usual case for most types at most changes.
    fn has_nothing_to_do(&self, target: &Snapshot) -> bool {
        let current = self.is_current(target) && !self.is_to_settle(target);
        current && self.forced.is_empty() && self.owed.is_empty() && !self.must_answer
    }

    /// Removes what was retained. To be called when nothing refers to it any more.
    pub(super) fn release(&mut self, target: &Snapshot, nonce: &mut u64) -> Option<Response> {
        if !self.retains() || self.outstanding.is_some() {
            return None;
        }
        let subscription = &self.subscription;
        let left = self.doubt.take_leaving().into_iter();
        let left =
            left.filter(|name| target.kept(self.resource_type, name).is_none() && !self.retained.contains_key(name));
        let left: Vec<_> = left.collect();
        let gone: Vec<_> = std::mem::take(&mut self.retained).into_keys().chain(left).collect();
        let gone: Vec<_> = gone.into_iter().filter(|name| subscription.wants(name, true)).collect();
        let response = match self.variant {
            _ if gone.is_empty() => None,
            Variant::Delta => {
                // Where nothing may be missing, something else stands in for it.
                let (there, gone): (Vec<_>, Vec<_>) = gone
                    .into_iter()
                    .map(|name| target.find(self.resource_type, &name).ok_or(name))
                    .partition(Result::is_ok);
                let there = there.into_iter().flatten().collect();
                Some(self.response(target, there, gone.into_iter().filter_map(Result::err).collect()))
            }
            Variant::Sotw if self.is_full_state() => self.full(target, false),
            Variant::Sotw => None,
        };
        self.emit(response, nonce)
    }

    /// Gives a response its nonce and waits for the answer.
    fn emit(&mut self, response: Option<Response>, nonce: &mut u64) -> Option<Response> {
        let mut response = response?;
        *nonce += 1;
        response.nonce = *nonce;
        self.nonce = Some(response.nonce);
        self.status.sent += 1;
        self.status.version = response.version;
        let held = response.resources.iter().map(|resource| (resource.name().clone(), resource.version())).collect();
        let repeats = std::mem::take(&mut self.repeats);
        let full_state = self.variant == Variant::Sotw && self.is_full_state() && self.subscription.is_wildcard();
        self.outstanding = Some(Outstanding { digest: response.version, held, full_state, repeats });
        Some(response)
    }

    /// State of the world: whether a response of this type holds all there is, so that what it lacks is removed.
    fn is_full_state(&self) -> bool {
        self.resource_type.allows_wildcard()
    }

    fn response(&self, target: &Snapshot, resources: Vec<Resource>, removed: Vec<Arc<str>>) -> Response {
        let version = target.of(self.resource_type).digest();
        Response {
            resource_type: self.resource_type,
            nonce: 0,
            version,
            resources,
            ttl: self.ttl,
            removed,
            missing: Vec::new(),
        }
    }

    /// All that the client wants and that exists, what is retained included. `again`: also if the client rejected just that.
    fn full(&self, target: &Snapshot, again: bool) -> Option<Response> {
        let view = target.of(self.resource_type);
        let retained = self.retained.values().cloned();
        let version = retained.clone().fold(view.digest(), |sum, resource| sum.wrapping_add(resource.digest()));
        let wildcard = self.subscription.is_wildcard();
        if wildcard && !again && self.rejected.holds_full_state(version) {
            return None;
        }
        let mut resources: Vec<Resource> = if wildcard {
            view.iter().cloned().collect()
        } else {
            let names = self.subscription.names().iter();
            names.filter_map(|name| target.find(self.resource_type, name)).collect()
        };
        // The version is that of the type as a whole, and other names than those that were refused may be fine.
        let refused = |resource: &Resource| self.rejected.holds(resource.name(), resource.version());
        if !wildcard && !again && !resources.is_empty() && resources.iter().all(refused) {
            return None;
        }
        resources.extend(retained);
        Some(Response { version, ..self.response(target, resources, Vec::new()) })
    }
}

/// How a nonce stands on the wire.
pub(crate) fn nonce_text(nonce: u64) -> String {
    format!("{nonce:x}")
}
