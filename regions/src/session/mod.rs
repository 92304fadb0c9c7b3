//! One client's stream as a state machine without a socket: requests and snapshots go in, responses come out.
//!
//! ```text
//! request ──► subscription, ACK or NACK ──┐
//! snapshot ─► target ─────────────────────┴─► responses(): what may be sent now, in order
//! ```
//! Each type has a [position](type_state): the commit that its client was brought to. A response carries what lies between
//! it and the newest snapshot, so a slow client skips what was outdated before it could be sent. At most one response of a
//! type waits for its ACK; what happens meanwhile is the next response. The order of responses is in [`order`].

mod aliases;
mod delta;
mod held;
mod known;
mod names;
mod order;
mod refusal;
mod rejected;
mod request;
mod response;
mod sotw;
mod status;
mod subscription;
mod type_set;
mod type_state;

use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::Node;

use crate::class::{Client, Defaults, NodeError};
use crate::interest::Interest;
use crate::resource::{PerType, ResourceType};
use crate::snapshot::Snapshot;
use type_state::{Answered, TypeState};

pub use held::{Held, Inspection, State};
pub use known::Known;
pub use refusal::Refusal;
pub use request::{Ask, RawRequest, Request};
pub use response::{Answer, Response, Variant};
pub use status::{MAX_ERROR_LEN, TypeStatus};
pub use subscription::{MAX_HOSTS, MAX_NAME_BYTES, MAX_NAME_LEN, MAX_NAMES, SubscriptionError};
pub(crate) use type_state::nonce_text;

pub struct Session {
    variant: Variant,
    node_id: Option<String>,
    target: Option<Arc<Snapshot>>,
    /// The commit at which nothing was left to send, if nothing was asked for since. Types that did not change after it need
    /// not even be looked at: with a thousand streams that all wake at once, each memory access counts.
    idle_since: Option<u64>,
    last_nonce: u64,
    interest: Arc<Interest>,
    /// What the client set as time to live.
    ttl: Option<Duration>,
    /// Time since the stream began, see [`Session::set_time`].
    now: Duration,
    /// Something that the client rejected is to be offered again then.
    retry_at: Option<Duration>,
    /// Those that the client asked for, or of which something is required: a sidecar uses three.
    types: PerType<Option<Box<TypeState>>>,
}

/// How often what has a time to live is confirmed in that time: one may get lost, with the connection it was sent on.
const HEARTBEATS: u32 = 3;

impl Session {
    pub fn new(variant: Variant) -> Self {
        let interest = Arc::new(Interest::default());
        let types = PerType::default();
        let now = Duration::ZERO;
        Self {
            variant,
            node_id: None,
            target: None,
            idle_since: None,
            last_nonce: 0,
            interest,
            ttl: None,
            now,
            retry_at: None,
            types,
        }
    }

    /// What this client subscribes to, for the catalog, which wakes the stream.
    pub fn interest(&self) -> &Arc<Interest> {
        &self.interest
    }

    pub fn variant(&self) -> Variant {
        self.variant
    }

    /// Looks at the node of a request, of whatever type. The first one must have one, and is answered with the client
    /// it describes; later ones may leave it out (`set_node_on_first_message_only`) but not name another node.
    pub fn identify(&mut self, node: Option<&Node>, defaults: &Defaults) -> Result<Option<Client>, Refusal> {
        match (&self.node_id, node) {
            (None, None) => Err(NodeError::NoNode.into()),
            (None, Some(node)) => {
                let client = Client::from_node(node, defaults, self.variant == Variant::Delta)?;
                self.node_id = Some(client.node_id.clone());
                self.ttl = client.ttl;
                Ok(Some(client))
            }
            (Some(known), Some(node)) if !node.id.is_empty() && node.id != *known => {
                let found = crate::class::cut(&node.id, crate::class::MAX_NODE_ID_LEN);
                Err(Refusal::OtherNode { found, expected: known.clone() })
            }
            (Some(_), _) => Ok(None),
        }
    }

    /// A third of what the client set as time to live: how often [`Session::confirm`] is to be called.
    pub fn heartbeat(&self) -> Option<Duration> {
        self.ttl.map(|ttl| ttl / HEARTBEATS)
    }

    /// Time has passed: the next [`Session::responses`] confirm what the client has.
    pub fn confirm(&mut self) {
        self.idle_since = None;
        self.types.values_mut().flatten().for_each(|state| state.confirm());
    }

    /// Sets how long ago the stream began. To be called before [`Session::on_request`] and [`Session::responses`].
    pub fn set_time(&mut self, since_begin: Duration) {
        self.now = since_begin;
    }

    /// When, in time since the stream began, [`Session::responses`] has something to send even if nothing happens until then.
    pub fn wake_at(&self) -> Option<Duration> {
        self.retry_at
    }

    /// Applies a request. What it leads to is in the next [`Session::responses`].
    pub fn on_request(&mut self, request: Request) -> Result<Answer, Refusal> {
        let resource_type = request.resource_type;
        let asks = request.asks();
        // Not cloned: its count is shared with all the other streams.
        let target = self.target.take();
        let answered = self.read(request, target.as_deref());
        self.target = target;
        let answered = answered?;
        self.check_name_bytes()?;
        let answer = match answered {
            None => Answer::None,
            Some(answered) if answered.ack => {
                if answered.is_progress {
                    self.note_related_ack(resource_type);
                }
                Answer::Ack(resource_type)
            }
            Some(_) => Answer::Nack(resource_type),
        };
        self.retry_at = self.open_types().filter_map(TypeState::retry_due).min();
        if asks || !matches!(answer, Answer::Ack(_)) {
            self.idle_since = None;
        }
        Ok(answer)
    }

    fn read(&mut self, request: Request, target: Option<&Snapshot>) -> Result<Option<Answered>, SubscriptionError> {
        let now = self.now;
        let state = self.open(request.resource_type);
        match request.ask {
            Ask::Sotw { names, returning } => {
                let answers = sotw::Reply { nonce: &request.nonce, error: request.error, now };
                sotw::apply(state, answers, names, returning, target)
            }
            Ask::Delta { subscribe, unsubscribe, known } => {
                let answered = state.note_answer(&request.nonce, request.error, now);
                delta::subscribe(state, subscribe, unsubscribe, known, target)?;
                Ok(answered)
            }
        }
    }

    /// Without a snapshot all names count; a client that connects again names no more than what it holds.
    fn check_name_bytes(&self) -> Result<(), SubscriptionError> {
        let types = || self.open_types();
        if types().map(|state| state.subscription.names().bytes()).sum::<usize>() <= MAX_NAME_BYTES {
            return Ok(());
        }
        let foreign = |state: &TypeState| match &self.target {
            Some(target) => state.subscription.foreign_bytes(target.of(state.resource_type())),
            None => state.subscription.names().bytes(),
        };
        match types().map(foreign).sum::<usize>() {
            foreign if foreign > MAX_NAME_BYTES => Err(SubscriptionError::TooManyBytes),
            _ => Ok(()),
        }
    }

    /// What was rejected of other types may be acceptable now.
    fn note_related_ack(&mut self, acknowledged: ResourceType) {
        let others = self.types.values_mut().flatten().filter(|state| state.resource_type() != acknowledged);
        others.for_each(|state| state.note_related_ack());
    }

    /// From now on this is what the client should have.
    pub fn on_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        if let Some(old) = &self.target {
            if old.is_incomplete() && !snapshot.is_incomplete() {
                self.idle_since = None; // what was left undecided is decided now, whatever changed
            }
            self.types.values_mut().flatten().for_each(|state| state.change_target(old, &snapshot));
        }
        self.target = Some(snapshot);
    }

    /// Everything that may be sent now, in the order in which it must be sent.
    pub fn responses(&mut self) -> Result<Vec<Response>, Refusal> {
        // Not cloned: its count is shared with all the other streams, which are at the same now.
        let Some(target) = self.target.take() else { return Ok(Vec::new()) };
        let responses = self.responses_to(&target);
        self.target = Some(target);
        responses
    }

    fn open_types(&self) -> impl Iterator<Item = &TypeState> {
        self.types.values().flatten().map(|state| &**state)
    }

    /// A type's state, made if there is none.
    fn open(&mut self, resource_type: ResourceType) -> &mut TypeState {
        let Self { types, variant, interest, ttl, node_id, .. } = self;
        types[resource_type].get_or_insert_with(|| {
            let seed = xxhash_rust::xxh3::xxh3_64(node_id.as_deref().unwrap_or_default().as_bytes());
            Box::new(TypeState::new(*variant, resource_type, interest.clone(), *ttl, seed))
        })
    }

    /// From this, the caller can compute what the client has. Costs a reference for each name that it asked for.
    pub fn inspect(&self) -> Inspection {
        let types = self.types.each_ref().map(|state| state.as_ref().map(|state| state.inspect()).unwrap_or_default());
        Inspection { variant: self.variant, target: self.target.clone(), types }
    }

    /// Whether the client rejects something of this type that it should have.
    pub fn rejects(&self, resource_type: ResourceType) -> bool {
        self.types[resource_type].as_ref().is_some_and(|state| state.rejects())
    }

    /// The state of one type, for people.
    pub fn status(&self, resource_type: ResourceType) -> TypeStatus {
        self.types[resource_type].as_ref().map(|state| state.status()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
