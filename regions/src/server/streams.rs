//! The open streams and the state of each type: for pages, `isthmus proxy` and CSDS.

mod complaints;
mod lock;
mod outdated;
mod question;
mod refusals;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use crate::class::{Client, Version};
use crate::interest::Interest;
use crate::refusal_kind::RefusalKind;
use crate::resource::{PerType, ResourceType};
use crate::session::{Inspection, Session, TypeStatus, Variant};
use complaints::Book;
pub use complaints::{Complaint, Complaints};
use lock::lock;
pub use outdated::MAX_OUTDATED;
use outdated::Outdated;
use question::Questions;
pub use question::Unanswered;
use refusals::Refusals;
pub use refusals::{MAX_REFUSALS, MAX_REFUSALS_OF_ADDRESS, RefusedClient, TRIES_WITHIN};

/// The table of open streams. Cheap to clone; each stream writes its own row.
#[derive(Clone, Default)]
pub struct Streams {
    rows: Arc<Mutex<BTreeMap<u64, Arc<Row>>>>,
    complaints: Arc<Mutex<Book>>,
    refusals: Arc<Mutex<Refusals>>,
    outdated: Arc<Mutex<Outdated>>,
    next: Arc<AtomicU64>,
}

struct Row {
    id: u64,
    variant: Variant,
    peer: Option<SocketAddr>,
    since: SystemTime,
    state: Mutex<RowState>,
    questions: Questions,
}

#[derive(Default)]
struct RowState {
    client: Option<Client>,
    /// Types that the client asked for: a sidecar uses three.
    types: PerType<Option<Box<Type>>>,
}

#[derive(Default)]
struct Type {
    status: TypeStatus,
    /// Since when a response waits for its answer.
    pending_since: Option<SystemTime>,
}

/// One stream at the moment when it was looked at.
#[derive(Clone, Debug)]
pub struct StreamInfo {
    /// Unique while the process lives.
    pub id: u64,
    pub variant: Variant,
    pub peer: Option<SocketAddr>,
    pub since: SystemTime,
    /// `None` until the first request was read.
    pub client: Option<Client>,
    pub types: PerType<TypeStatus>,
    /// Since when a response waits for its answer.
    pub pending_since: PerType<Option<SystemTime>>,
}

/// A row of the table, for as long as its stream lives.
pub(super) struct Entry {
    id: u64,
    row: Arc<Row>,
    streams: Streams,
    /// Types of which the node rejected the last response, on this stream or an earlier one.
    rejected: PerType<bool>,
}

impl Streams {
    /// All streams that are open now, oldest first.
    pub fn list(&self) -> Vec<StreamInfo> {
        let rows: Vec<Arc<Row>> = lock(&self.rows).values().cloned().collect();
        rows.iter().map(|row| row.info()).collect()
    }

    pub fn len(&self) -> usize {
        lock(&self.rows).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Asks a stream, by [`StreamInfo::id`], what its client has.
    pub async fn inspect(&self, id: u64) -> Result<Inspection, Unanswered> {
        // The row is not held while waiting: a stream that ends must be able to remove it.
        let answered = lock(&self.rows).get(&id).ok_or(Unanswered::Ended)?.questions.put()?;
        question::wait(answered).await
    }

    /// What a node, connected or not, rejected.
    pub fn complaints(&self, node: &str) -> Complaints {
        lock(&self.complaints).of(node)
    }

    /// Clients that are refused and still try.
    pub fn refused(&self) -> Vec<RefusedClient> {
        lock(&self.refusals).list(SystemTime::now())
    }

    pub(super) fn refuse(&self, node: &str, address: IpAddr, kind: RefusalKind, message: &str) {
        lock(&self.refusals).add(node, address, kind, Arc::from(message), SystemTime::now());
    }

    /// Whether the log has not named an old Envoy of this version at this address yet.
    pub(super) fn is_news(&self, version: Version, address: IpAddr) -> bool {
        lock(&self.outdated).is_new(version, address)
    }

    pub(super) fn enter(&self, variant: Variant, peer: Option<SocketAddr>, interest: Arc<Interest>) -> Entry {
        let id = self.next.fetch_add(1, Relaxed) + 1;
        let (since, state, questions) = (SystemTime::now(), Mutex::default(), Questions::new(interest));
        let row = Arc::new(Row { id, variant, peer, since, state, questions });
        lock(&self.rows).insert(id, row.clone());
        Entry { id, row, streams: self.clone(), rejected: PerType::default() }
    }
}

impl Row {
    fn info(&self) -> StreamInfo {
        let RowState { client, types } = &*lock(&self.state);
        let known = || types.each_ref().map(Option::as_deref);
        StreamInfo {
            id: self.id,
            variant: self.variant,
            peer: self.peer,
            since: self.since,
            client: client.clone(),
            types: known().map(|known| known.map(|known| known.status.clone()).unwrap_or_default()),
            pending_since: known().map(|known| known?.pending_since),
        }
    }
}

impl StreamInfo {
    pub fn of(&self, resource_type: ResourceType) -> &TypeStatus {
        &self.types[resource_type]
    }
}

impl Entry {
    pub(super) fn identified(&mut self, client: Client) {
        let complaints = lock(&self.streams.complaints).of(&client.node_id);
        self.rejected = complaints.map(|complaint| complaint.is_some_and(|complaint| complaint.standing));
        if let Some(peer) = self.row.peer {
            lock(&self.streams.refusals).settle(&client.node_id, peer.ip().to_canonical());
        }
        lock(&self.row.state).client = Some(client);
    }

    /// The cluster that the client's node names.
    pub(super) fn cluster(&self) -> Option<String> {
        let state = lock(&self.row.state);
        state.client.as_ref()?.class.client.cluster.as_ref().map(ToString::to_string)
    }

    pub(super) fn update(&self, resource_type: ResourceType, session: &Session) {
        let mut state = lock(&self.row.state);
        let Type { status, pending_since } = &mut **state.types[resource_type].get_or_insert_default();
        let sent = status.sent;
        *status = session.status(resource_type);
        if !status.outstanding {
            *pending_since = None;
        } else if status.sent != sent {
            *pending_since = Some(SystemTime::now());
        }
    }

    /// The client accepted a response.
    pub(super) fn accepted(&mut self, node: &str, resource_type: ResourceType) {
        if std::mem::take(&mut self.rejected[resource_type]) {
            lock(&self.streams.complaints).settle(node, resource_type);
        }
    }

    /// The client rejected a response.
    pub(super) fn rejected(&mut self, node: &str, resource_type: ResourceType, error: Arc<str>) {
        self.rejected[resource_type] = true;
        lock(&self.streams.complaints).add(node, resource_type, error, SystemTime::now());
    }

    /// Answers the callers that asked what the client has.
    pub(super) fn answer(&self, session: &Session) {
        self.row.questions.answer(session);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.streams.rows).remove(&self.id);
        self.row.questions.close();
    }
}
