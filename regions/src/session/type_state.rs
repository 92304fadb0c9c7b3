//! One type of one stream: from what its client has to what it should have.
//!
//! What a client has is not kept: a stream remembers the commit its client was brought to, and what changed since
//! is in the log. So a client that does not answer pins no resource, however long it stays.
//!
//! | file | concept |
//! | --- | --- |
//! | [`position`] | what the client has: nothing, something from an earlier stream, or the state at a commit |
//! | [`next`] | what the next response must hold beside what changed |
//! | [`exchange`] | the response that waits for its ACK or NACK |
//! | [`plan`] | what lies between the position and a target |
//! | [`advance`] | moving to the target: the response that this takes |
//! | [`removal`] | removing what others referred to |
//! | [`doubt`], [`undecided`] | what the client has while it is not known whether it should |
//! | [`retry`] | offering again what the client rejected |
//! | [`heartbeat`], [`confirmation`] | confirming what has a time to live |

mod advance;
mod confirmation;
mod doubt;
mod exchange;
mod heartbeat;
mod next;
mod plan;
mod position;
mod removal;
mod retry;
mod undecided;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Variant;
use super::held::TypeInspection;
use super::known::Known;
use super::rejected::Rejected;
use super::status::{MAX_ERROR_LEN, TypeStatus};
use super::subscription::Subscription;
use crate::class::cut;
use crate::interest::Interest;
use crate::resource::{Resource, ResourceType};
use crate::snapshot::Snapshot;
use doubt::Doubt;
use exchange::{Exchange, Outstanding};
use heartbeat::Heartbeat;
use next::Next;
use position::Position;

pub(super) use advance::Advance;
pub(crate) use exchange::nonce_text;

pub(super) struct TypeState {
    variant: Variant,
    resource_type: ResourceType,
    pub(super) subscription: Subscription,
    position: Position,
    next: Next,
    exchange: Exchange,
    doubt: Doubt,
    /// Gone from the snapshot, but routes that the client may still have refer to it.
    retained: BTreeMap<Arc<str>, Resource>,
    /// What the client rejected. The same bytes are not sent as a change again, see [`retry`].
    rejected: Rejected,
    /// `None`: the type has no time to live.
    heartbeat: Option<Heartbeat>,
    status: TypeStatus,
}

/// A response that the client answered.
pub(super) struct Answered {
    /// It was accepted.
    pub(super) ack: bool,
    /// Names and versions that it held.
    pub(super) held: Vec<(Arc<str>, u64)>,
    /// The client accepted something that it did not have before.
    pub(super) is_progress: bool,
}

impl TypeState {
    /// `ttl`: of all types that have one. `retry_seed`: spreads the retries of many streams.
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
            position: Position::default(),
            next: Next::default(),
            exchange: Exchange::default(),
            doubt: Doubt::default(),
            retained: BTreeMap::new(),
            rejected: Rejected::new(retry_seed),
            heartbeat: ttl.and_then(|ttl| Heartbeat::new(variant, resource_type, ttl)),
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
            outstanding: self.exchange.is_waiting(),
            reached: self.position.commit().is_some(),
            rejected: self.rejects(),
            ..self.status.clone()
        }
    }

    /// From this follows what the client has.
    pub(super) fn inspect(&self) -> TypeInspection {
        TypeInspection {
            wildcard: self.subscription.is_wildcard(),
            names: self.subscription.names().iter().cloned().collect(),
            commit: self.position.commit(),
            resend: self.next.is_full(),
            asked: self.next.asked.clone(),
            outstanding: self.exchange.outstanding().map(|outstanding| outstanding.held.clone()).unwrap_or_default(),
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
        self.exchange.has_begun()
    }

    pub(super) fn is_current_nonce(&self, nonce: &str) -> bool {
        self.exchange.is_current(nonce)
    }

    /// A request came. Returns the response that it answers, if its nonce is that of the one that waits; `error` makes the
    /// answer a NACK.
    pub(super) fn note_answer(&mut self, nonce: &str, error: Option<String>, now: Duration) -> Option<Answered> {
        let Outstanding { version, held, full_state, repeats } = self.exchange.answer(nonce)?;
        let Some(error) = error else {
            self.status.acks += 1;
            self.status.acked_version = Some(version);
            if !self.rejected.is_empty() {
                self.rejected.settle(&held, full_state);
            }
            let is_progress = !repeats && !held.is_empty();
            return Some(Answered { ack: true, held, is_progress });
        };
        self.status.nacks += 1;
        self.status.last_error = Some(Arc::from(cut(&error, MAX_ERROR_LEN)));
        self.rejected.add(&held, full_state.then_some(version), now);
        Some(Answered { ack: false, held, is_progress: false })
    }

    /// The client asks for these names: they are to be sent, whatever it may have.
    pub(super) fn ask(&mut self, names: impl IntoIterator<Item = Arc<str>>) {
        self.next.asked.extend(names);
    }

    /// The same, except for names that are in a response that waits for its answer.
    pub(super) fn ask_if_not_under_way(&mut self, names: Vec<Arc<str>>) {
        self.next.asked.extend(self.exchange.not_under_way(names));
    }

    /// A name has to follow, because something that refers to it was sent.
    pub(super) fn require(&mut self, name: Arc<str>) {
        self.next.required.insert(name);
    }

    /// Everything that the client wants is to be sent.
    pub(super) fn start_over(&mut self) {
        self.position.set_known(Known::default());
        self.next.resend(self.subscription.is_wildcard());
    }

    /// The same, although the client has it.
    pub(super) fn repeat(&mut self) {
        self.position.set_known(Known::default());
        self.next.repeat(self.subscription.is_wildcard());
    }

    /// Everything that the client wants is to be sent, except what it has already.
    pub(super) fn resume(&mut self, known: Known) {
        self.start_over();
        // What it is not sent now was last confirmed on another stream, some time ago.
        if let Some(heartbeat) = self.heartbeat.as_mut().filter(|_| !known.is_empty()) {
            heartbeat.is_due = true;
        }
        self.position.set_known(known);
    }

    /// The next target comes, see [`Position::change_sources`].
    pub(super) fn change_target(&mut self, old: &Arc<Snapshot>, new: &Snapshot) {
        self.position.change_sources(self.resource_type, old, new);
    }

    /// Whether the client was brought to the target, ACKed or not.
    pub(super) fn is_current(&self, target: &Snapshot) -> bool {
        let changed_at = target.of(self.resource_type).changed_at();
        let reached = self.position.commit().is_some_and(|at| changed_at <= at);
        !self.subscription.is_open() || (reached && !self.next.is_full())
    }

    /// Whether it also acknowledged that.
    pub(super) fn is_settled(&self, target: &Snapshot) -> bool {
        self.is_current(target) && !self.exchange.is_waiting()
    }

    /// Whether the client asked for this type.
    pub(super) fn is_open(&self) -> bool {
        self.subscription.is_open()
    }

    /// Whether something has to follow what was sent of another type.
    pub(super) fn requires(&self) -> bool {
        !self.next.required.is_empty()
    }

    /// Whether a response waits for its ACK or NACK.
    pub(super) fn is_waiting_for_answer(&self) -> bool {
        self.exchange.is_waiting()
    }

    /// Whether nothing is left to send: ACKs alone will not change that, only requests and the next snapshot.
    pub(super) fn is_idle(&self, target: &Snapshot) -> bool {
        let is_due = self.heartbeat.as_ref().is_some_and(|heartbeat| heartbeat.is_due);
        let idle = self.has_nothing_to_do(target) && !self.retains() && !is_due;
        !self.subscription.is_open() || idle || self.is_held(target) || self.is_waiting(target)
    }

    /// The usual case for most types at most changes.
    fn has_nothing_to_do(&self, target: &Snapshot) -> bool {
        self.is_current(target) && !self.is_to_settle(target) && self.next.is_empty()
    }

    /// State of the world: whether a response of this type is the complete list, so that the client removes what it lacks.
    fn is_full_state(&self) -> bool {
        self.resource_type.allows_wildcard()
    }
}
