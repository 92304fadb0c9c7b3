//! Numbers about the work done and the clients served: plain atomics, which the metrics page reads at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::refusal_kind::RefusalKind;
use crate::resource::{PerType, ResourceType};

/// Shared by the catalog and all streams. Counters only grow; gauges go both ways.
#[derive(Debug, Default)]
pub struct Stats {
    pub catalog: CatalogStats,
    pub streams: StreamStats,
    pub connections: ConnectionStats,
    pub loads: LoadStats,
}

/// How much the catalog did, and how much it found unchanged.
#[derive(Debug, Default)]
pub struct CatalogStats {
    /// Merged services, VIPs and topologies that were applied.
    pub merged_seen: Counter,
    pub vips_seen: Counter,
    pub topologies_seen: Counter,
    /// Keys whose resources were made again, counted once for each recipe.
    pub derived: Counter,
    /// Resources encoded.
    pub encoded: Counter,
    /// Resources that were made again and have the bytes they had before: not published.
    pub unchanged: Counter,
    /// Resources put or removed.
    pub changed: Counter,
    /// Snapshots published.
    pub published: Counter,
    /// Classes of clients that are kept current.
    pub classes: Gauge,
    /// Classes refused because there were too many.
    pub classes_refused: Counter,
    /// Resources held, over all classes, by type.
    pub resources: PerType<Gauge>,
}

/// What went over the wire.
#[derive(Debug, Default)]
pub struct StreamStats {
    /// Open streams.
    pub open_sotw: Gauge,
    pub open_delta: Gauge,
    /// Streams ever accepted.
    pub accepted: Counter,
    /// Streams that the control plane ended with an error, the end of the process and of old connections included.
    pub refused: Counter,
    /// Of these, those that the client would have kept, by [`RefusalKind::index`].
    pub refused_by_kind: [Counter; RefusalKind::ALL.len()],
    /// Open streams of Envoys that are too old for all that they are sent.
    pub outdated: Gauge,
    /// Payload of responses, in bytes, before framing.
    pub sent_bytes: Counter,
    pub by_type: PerType<TypeStats>,
}

/// Connections that carry streams.
#[derive(Debug, Default)]
pub struct ConnectionStats {
    /// Open connections, those that are still shaking hands included.
    pub open: Gauge,
    /// Connections ever accepted.
    pub accepted: Counter,
    /// Closed at once because too many were open.
    pub refused: Counter,
    /// TLS handshakes that came to nothing.
    pub handshakes_failed: Counter,
    /// Ended in good order because of their age.
    pub aged: Counter,
    /// Asked to end, but cut off because they did not in time.
    pub cut_off: Counter,
    /// Ended to make room for an address that has fewer.
    pub displaced: Counter,
    /// Places for handshakes, new streams and long requests that were given on while their holders still worked: more clients
    /// come than are served in time, or some hold places without using them.
    pub places_passed_on: Arc<Counter>,
    /// Given up because the client did not answer or did not read.
    pub silent: Counter,
}

/// What proxies report of the load they see, in sums.
#[derive(Debug, Default)]
pub struct LoadStats {
    /// Open streams of reports.
    pub open: Gauge,
    /// Reports received.
    pub reports: Counter,
    /// Requests, over all proxies and clusters.
    pub succeeded: Counter,
    pub failed: Counter,
    /// Requests that proxies dropped on purpose.
    pub dropped: Counter,
}

/// What went over the wire of one type.
#[derive(Debug, Default)]
pub struct TypeStats {
    pub requests: Counter,
    pub responses: Counter,
    pub resources_sent: Counter,
    pub removals_sent: Counter,
    pub acks: Counter,
    pub nacks: Counter,
}

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }
    pub fn inc(&self) {
        self.add(1);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    pub fn add(&self, n: i64) {
        self.0.fetch_add(n, Relaxed);
    }
    pub fn get(&self) -> i64 {
        self.0.load(Relaxed)
    }
}

impl StreamStats {
    pub fn refused_of(&self, kind: RefusalKind) -> &Counter {
        // As many as there are kinds.
        self.refused_by_kind.get(kind.index()).unwrap_or(&self.refused)
    }

    pub fn of(&self, resource_type: ResourceType) -> &TypeStats {
        &self.by_type[resource_type]
    }
}

impl CatalogStats {
    pub fn resources_of(&self, resource_type: ResourceType) -> &Gauge {
        &self.resources[resource_type]
    }
}
