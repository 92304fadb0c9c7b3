//! Who is connected, and how each type stands: for pages, `isthmus proxy` and, later, CSDS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::class::Client;
use crate::resource::{ResourceType, TYPES};
use crate::session::{Session, TypeStatus, Variant};

/// The table of open streams. Cheap to clone; each stream writes its own row.
#[derive(Clone, Default)]
pub struct Streams {
    rows: Arc<Mutex<BTreeMap<u64, Row>>>,
    next: Arc<AtomicU64>,
}

type Row = Arc<Mutex<StreamInfo>>;

/// One stream as it stood when it was looked at.
#[derive(Clone, Debug)]
pub struct StreamInfo {
    /// Unique while the process lives.
    pub id: u64,
    pub variant: Variant,
    pub peer: Option<SocketAddr>,
    pub since: SystemTime,
    /// `None` until the first request was read.
    pub client: Option<Client>,
    /// By [`ResourceType::index`].
    pub types: [TypeStatus; TYPES],
}

/// A row of the table, for as long as its stream lives.
pub(super) struct Entry {
    id: u64,
    row: Row,
    streams: Streams,
}

impl Streams {
    /// All streams that are open now, oldest first.
    pub fn list(&self) -> Vec<StreamInfo> {
        let rows: Vec<Row> = lock(&self.rows).values().cloned().collect();
        rows.iter().map(|row| lock(row).clone()).collect()
    }

    pub fn len(&self) -> usize {
        lock(&self.rows).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn enter(&self, variant: Variant, peer: Option<SocketAddr>) -> Entry {
        let id = self.next.fetch_add(1, Relaxed) + 1;
        let since = SystemTime::now();
        let info = StreamInfo { id, variant, peer, since, client: None, types: Default::default() };
        let row = Arc::new(Mutex::new(info));
        lock(&self.rows).insert(id, row.clone());
        Entry { id, row, streams: self.clone() }
    }
}

impl StreamInfo {
    pub fn of(&self, resource_type: ResourceType) -> &TypeStatus {
        resource_type.pick(&self.types)
    }
}

impl Entry {
    pub(super) fn identified(&self, client: Client) {
        lock(&self.row).client = Some(client);
    }

    pub(super) fn update(&self, resource_type: ResourceType, session: &Session) {
        if let Some(status) = lock(&self.row).types.get_mut(resource_type.index()) {
            *status = session.status(resource_type);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        lock(&self.streams.rows).remove(&self.id);
    }
}

/// Rows are plain values, written whole: one left by a panicking writer is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
