//! What one type owes its client: the way from the snapshot it has to the one it should have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::subscription::Subscription;
use super::{Response, Variant};
use crate::class::cut;
use crate::resource::{Resource, ResourceType, version_text};
use crate::snapshot::Snapshot;

/// The beginning of a client's last complaint that is kept, in bytes.
pub const MAX_ERROR_LEN: usize = 1_024;

pub(super) struct TypeState {
    variant: Variant,
    resource_type: ResourceType,
    pub(super) subscription: Subscription,
    /// What the client was brought to; `None`: nothing was sent, or everything is wanted again.
    cursor: Option<Arc<Snapshot>>,
    /// What the client says it has from an earlier stream, until it is first answered.
    known: HashMap<String, String>,
    /// The client asked for these: to be sent although nothing changed.
    forced: BTreeSet<Arc<str>>,
    /// The client needs these, asked for or not: load assignments of clusters that were sent.
    owed: BTreeSet<Arc<str>>,
    /// The next response goes out even if it is empty.
    must_answer: bool,
    /// Gone from the snapshot, but routes that the client may still have refer to it.
    retained: BTreeMap<Arc<str>, Resource>,
    /// What the last response held that was new to the client, or that it asked for.
    fresh: Vec<Resource>,
    outstanding: Option<Outstanding>,
    nonce: Option<u64>,
    /// What the client refused. The same bytes are not sent again on this stream.
    rejected: HashMap<Arc<str>, u64>,
    rejected_digest: Option<u64>,
    status: TypeStatus,
}

/// What a client said about a response.
pub(super) struct Answer {
    pub(super) ack: bool,
    /// What the response held.
    pub(super) resources: Vec<Resource>,
}

struct Outstanding {
    digest: u64,
    resources: Vec<Resource>,
}

/// How one type of one stream stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TypeStatus {
    /// Whether the client ever asked for this type.
    pub subscribed: bool,
    pub wildcard: bool,
    /// Names it asked for one by one.
    pub names: usize,
    pub sent: u64,
    pub acks: u64,
    pub nacks: u64,
    /// A response waits for its ACK.
    pub outstanding: bool,
    /// The last response that was answered was rejected.
    pub rejected: bool,
    /// Version of the type as last sent.
    pub version: u64,
    /// The last complaint, cut to [`MAX_ERROR_LEN`].
    pub last_error: Option<Arc<str>>,
}

/// What lies between the cursor and the target.
#[derive(Default)]
struct Plan {
    send: Vec<Resource>,
    /// Asked for, or known from an earlier stream, but not there.
    missing: Vec<Arc<str>>,
    /// Was there, and is not any more.
    gone: Vec<Resource>,
}

impl TypeState {
    pub(super) fn new(variant: Variant, resource_type: ResourceType) -> Self {
        Self {
            variant,
            resource_type,
            subscription: Subscription::new(resource_type),
            cursor: None,
            known: HashMap::new(),
            forced: BTreeSet::new(),
            owed: BTreeSet::new(),
            must_answer: false,
            retained: BTreeMap::new(),
            fresh: Vec::new(),
            outstanding: None,
            nonce: None,
            rejected: HashMap::new(),
            rejected_digest: None,
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
            ..self.status.clone()
        }
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
    pub(super) fn hear_nonce(&mut self, nonce: &str, error: Option<String>) -> Option<Answer> {
        if self.nonce.is_none() || nonce.is_empty() || !self.is_current_nonce(nonce) {
            return None;
        }
        let outstanding = self.outstanding.take()?;
        self.status.rejected = error.is_some();
        let Some(error) = error else {
            self.status.acks += 1;
            return Some(Answer { ack: true, resources: outstanding.resources });
        };
        self.status.nacks += 1;
        self.status.last_error = Some(Arc::from(cut(&error, MAX_ERROR_LEN)));
        self.rejected_digest = Some(outstanding.digest);
        self.rejected.extend(outstanding.resources.iter().map(|r| (r.name().clone(), r.version())));
        Some(Answer { ack: false, resources: outstanding.resources })
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
        self.cursor = None;
        self.known.clear();
        self.must_answer = self.subscription.is_wildcard();
    }

    /// Everything that is wanted is to be sent, except what the client has already.
    pub(super) fn resume(&mut self, known: HashMap<String, String>) {
        self.start_over();
        self.known = known;
    }

    /// Whether the client was brought to the target, ACKed or not.
    pub(super) fn is_current(&self, target: &Snapshot) -> bool {
        !self.subscription.is_open()
            || self.cursor.as_ref().is_some_and(|at| target.of(self.resource_type).changed_at() <= at.seq())
    }

    /// Whether it also said that it got there.
    pub(super) fn is_settled(&self, target: &Snapshot) -> bool {
        self.is_current(target) && self.outstanding.is_none()
    }

    /// Whether something that it needs at once has to wait for an ACK.
    pub(super) fn owes(&self) -> bool {
        self.outstanding.is_some() && self.subscription.is_open() && !self.owed.is_empty()
    }

    /// Clusters that the last [`TypeState::advance`] gave the client anew. In a full state the others have equal content,
    /// which Envoy does not even look at.
    pub(super) fn take_fresh(&mut self) -> Vec<Resource> {
        std::mem::take(&mut self.fresh)
    }

    /// Moves the cursor to the target and returns what has to be said on the way, if anything. Waits for the ACK of the
    /// response before. `eager`: what is owed is sent even if the client has not asked for it yet.
    pub(super) fn advance(&mut self, target: &Arc<Snapshot>, eager: bool, nonce: &mut u64) -> Option<Response> {
        if !self.subscription.is_open() || self.outstanding.is_some() {
            return None;
        }
        let idle = self.forced.is_empty() && self.owed.is_empty() && !self.must_answer;
        if idle && self.is_current(target) {
            self.cursor = Some(target.clone());
            return None;
        }
        let plan = self.plan(target, eager);
        self.cursor = Some(target.clone());
        self.known = HashMap::new();
        self.forced.clear();
        // Until the client asks, what it is owed is remembered.
        let subscription = &self.subscription;
        self.owed.retain(|name| !eager && !subscription.wants(name));
        let view = target.of(self.resource_type);
        self.retained.retain(|name, _| view.get(name).is_none());
        let must_answer = std::mem::take(&mut self.must_answer);
        let mut removed = plan.missing;
        let mut changed = must_answer || !plan.send.is_empty();
        if self.is_referred_to() {
            self.retained.extend(plan.gone.into_iter().map(|resource| (resource.name().clone(), resource)));
        } else {
            changed |= !plan.gone.is_empty();
            removed.extend(plan.gone.iter().map(|resource| resource.name().clone()));
        }
        if self.resource_type == ResourceType::Cluster {
            self.fresh = plan.send.clone();
        }
        let response = match self.variant {
            Variant::Delta => (changed || !removed.is_empty()).then(|| self.response(target, plan.send, removed)),
            Variant::Sotw if self.is_full_state() => changed.then(|| self.full(target)).flatten(),
            // What is not there is not mentioned: the client is answered when it is born.
            Variant::Sotw => (!plan.send.is_empty()).then(|| self.response(target, plan.send, Vec::new())),
        };
        self.emit(response, nonce)
    }

    /// Removes what was retained. To be called when nothing refers to it any more.
    pub(super) fn release(&mut self, target: &Arc<Snapshot>, nonce: &mut u64) -> Option<Response> {
        if self.retained.is_empty() || self.outstanding.is_some() {
            return None;
        }
        let subscription = &self.subscription;
        let gone: Vec<_> = std::mem::take(&mut self.retained).into_keys().collect();
        let gone: Vec<_> = gone.into_iter().filter(|name| subscription.wants(name)).collect();
        let response = match self.variant {
            _ if gone.is_empty() => None,
            Variant::Delta => Some(self.response(target, Vec::new(), gone)),
            Variant::Sotw if self.is_full_state() => self.full(target),
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
        self.outstanding = Some(Outstanding { digest: response.version, resources: response.resources.clone() });
        Some(response)
    }

    /// Types that routes and listeners refer to: what goes must outlive what refers to it.
    fn is_referred_to(&self) -> bool {
        matches!(self.resource_type, ResourceType::Cluster | ResourceType::Assignment)
    }

    /// State of the world: whether a response of this type holds all there is, so that what it lacks is removed.
    fn is_full_state(&self) -> bool {
        self.resource_type.allows_wildcard()
    }

    fn response(&self, target: &Snapshot, resources: Vec<Resource>, removed: Vec<Arc<str>>) -> Response {
        let version = target.of(self.resource_type).digest();
        Response { resource_type: self.resource_type, nonce: 0, version, resources, removed }
    }

    /// All that the client wants and that exists, what is retained included.
    fn full(&self, target: &Snapshot) -> Option<Response> {
        let view = target.of(self.resource_type);
        let retained = self.retained.values().cloned();
        let version = retained.clone().fold(view.digest(), |sum, resource| sum.wrapping_add(resource.digest()));
        if self.rejected_digest == Some(version) {
            return None;
        }
        let mut resources: Vec<Resource> = if self.subscription.is_wildcard() {
            view.iter().cloned().collect()
        } else {
            self.subscription.names().iter().filter_map(|name| view.get(name)).cloned().collect()
        };
        resources.extend(retained);
        Some(Response { version, ..self.response(target, resources, Vec::new()) })
    }

    fn plan(&self, target: &Snapshot, eager: bool) -> Plan {
        let mut plan = match &self.cursor {
            None => self.plan_all(target),
            Some(cursor) => self.plan_changes(cursor, target, eager),
        };
        plan.send.retain(|resource| self.rejected.get(resource.name()) != Some(&resource.version()));
        plan
    }

    fn plan_all(&self, target: &Snapshot) -> Plan {
        let view = target.of(self.resource_type);
        let has = |resource: &Resource| {
            let name = resource.name();
            !self.known.is_empty()
                && !self.forced.contains(name)
                && !self.owed.contains(name)
                && self.known.get(&**name).is_some_and(|v| *v == version_text(resource.version()))
        };
        let named = self.subscription.names();
        let send = if self.subscription.is_wildcard() {
            view.iter().filter(|resource| !has(resource)).cloned().collect()
        } else {
            named.iter().filter_map(|name| view.get(name)).filter(|resource| !has(resource)).cloned().collect()
        };
        let known = self.known.keys().filter(|name| self.subscription.wants(name)).map(|name| Arc::from(&**name));
        let missing: BTreeSet<Arc<str>> =
            named.iter().cloned().chain(known).filter(|name| view.get(name).is_none()).collect();
        Plan { send, missing: missing.into_iter().collect(), gone: Vec::new() }
    }

    fn plan_changes(&self, cursor: &Snapshot, target: &Snapshot, eager: bool) -> Plan {
        let (old, new) = (cursor.of(self.resource_type), target.of(self.resource_type));
        let changed: BTreeSet<&Arc<str>> = match target.changed_since(self.resource_type, cursor.seq()) {
            _ if new.changed_at() <= cursor.seq() => BTreeSet::new(),
            Some(changed) => changed.collect(),
            None => old.iter().chain(new.iter()).map(Resource::name).collect(),
        };
        let names = changed.into_iter().chain(&self.forced).chain(&self.owed).collect::<BTreeSet<_>>();
        let mut plan = Plan::default();
        for name in names {
            let (forced, owed) = (self.forced.contains(name), self.owed.contains(name));
            let due = self.subscription.wants(name) || (owed && eager);
            if !due {
                continue;
            }
            match (old.get(name), new.get(name)) {
                (Some(was), Some(is)) if was == is && !forced && !owed => {}
                (_, Some(is)) => plan.send.push(is.clone()),
                (_, None) if forced => plan.missing.push(name.clone()),
                (Some(was), None) => plan.gone.push(was.clone()),
                (None, None) => {}
            }
        }
        plan
    }
}

/// How a nonce stands on the wire.
pub(crate) fn nonce_text(nonce: u64) -> String {
    format!("{nonce:x}")
}
