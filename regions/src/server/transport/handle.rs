//! A connection as its streams and the process see it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;

/// One for each connection; shared by all that belongs to it.
#[derive(Debug)]
pub struct Handle {
    id: u64,
    identified: AtomicBool,
    is_cut: AtomicBool,
    cut: Notify,
}

impl Default for Handle {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Relaxed);
        Self { id, identified: AtomicBool::new(false), is_cut: AtomicBool::new(false), cut: Notify::new() }
    }
}

impl Handle {
    /// Unique while the process lives.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// A client has identified itself on it, and is served.
    pub fn note_identified(&self) {
        self.identified.store(true, Relaxed);
    }

    pub(super) fn is_identified(&self) -> bool {
        self.identified.load(Relaxed)
    }

    /// Ends the connection at once, whatever its streams do. Works from outside of them.
    pub fn cut(&self) {
        self.is_cut.store(true, Relaxed);
        self.cut.notify_one();
    }

    pub fn is_cut(&self) -> bool {
        self.is_cut.load(Relaxed)
    }

    /// Completes when the connection is to be cut.
    pub(super) async fn when_cut(&self) {
        self.cut.notified().await;
    }
}
