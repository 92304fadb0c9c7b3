//! Connections to one port of pages: a bounded number, each closed when it is not used. A client that opens many and sends
//! no request cannot keep others out: its oldest connection is closed for the next client.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Connections to one port of pages.
pub const MAX_CONNECTIONS: usize = 64;
/// How long the head of a request may take, and how long a connection may wait before the next one.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection without a request stays, whatever else keeps it.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one answer may take, reading it included.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// What became of connections, for metrics.
#[derive(Clone, Debug, Default)]
pub struct ConnectionCounts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    refused: AtomicU64,
    made_room: AtomicU64,
}

impl ConnectionCounts {
    /// Connections closed at once, because all that were open had a request under way.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Connections without a request that were closed because another one came.
    pub fn made_room(&self) -> u64 {
        self.0.made_room.load(Ordering::Relaxed)
    }
}

/// The connections of one port.
#[derive(Clone, Debug, Default)]
pub(super) struct Connections {
    open: Arc<Mutex<Open>>,
    stats: ConnectionCounts,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    connections: BTreeMap<u64, Arc<Connection>>,
}

/// One connection, and what it is doing.
#[derive(Debug)]
pub(super) struct Connection {
    doing: Mutex<Doing>,
    close: Notify,
}

#[derive(Clone, Copy, Debug)]
struct Doing {
    since: Instant,
    /// A request is being answered.
    busy: bool,
}

/// A place among the open connections, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    id: u64,
    connections: Connections,
    pub(super) connection: Arc<Connection>,
}

impl Connections {
    pub(super) fn new(stats: ConnectionCounts) -> Self {
        Self { open: Arc::default(), stats }
    }

    /// A place for a newcomer. If there is none, the connection that has waited for longest without a request is closed
    /// for it; `None` if all of them have one.
    pub(super) fn admit(&self) -> Option<Place> {
        let mut open = self.lock();
        if open.connections.len() >= MAX_CONNECTIONS {
            let idle = open.connections.iter().filter_map(|(id, connection)| Some((connection.idle_since()?, *id)));
            let Some((_, oldest)) = idle.min() else {
                self.stats.0.refused.fetch_add(1, Ordering::Relaxed);
                return None;
            };
            self.stats.0.made_room.fetch_add(1, Ordering::Relaxed);
            open.connections.remove(&oldest).into_iter().for_each(|connection| connection.close.notify_one());
        }
        let id = open.next;
        open.next += 1;
        let doing = Mutex::new(Doing { since: Instant::now(), busy: false });
        let connection = Arc::new(Connection { doing, close: Notify::new() });
        open.connections.insert(id, Arc::clone(&connection));
        drop(open);
        Some(Place { id, connections: self.clone(), connection })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().connections.remove(&self.id);
    }
}

impl Connection {
    pub(super) fn begin(&self) {
        *self.doing() = Doing { since: Instant::now(), busy: true };
    }

    pub(super) fn end(&self) {
        *self.doing() = Doing { since: Instant::now(), busy: false };
    }

    /// Waits until the connection has to be closed: another one needs its place, or it has been doing the same for too long.
    pub(super) async fn must_close(&self) {
        loop {
            let deadline = self.deadline();
            tokio::select! {
                () = self.close.notified() => return,
                () = tokio::time::sleep_until(deadline) => {}
            }
            if self.deadline() <= Instant::now() {
                return;
            }
        }
    }

    fn deadline(&self) -> Instant {
        let Doing { since, busy } = *self.doing();
        since + if busy { ANSWER_TIMEOUT } else { IDLE_TIMEOUT }
    }

    pub(super) fn idle_since(&self) -> Option<Instant> {
        let Doing { since, busy } = *self.doing();
        (!busy).then_some(since)
    }

    fn doing(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_connection_makes_room_and_none_with_a_request_does() {
        let (stats, step) = (ConnectionCounts::default(), Duration::from_millis(1));
        let connections = Connections::new(stats.clone());
        let mut places = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            places.push(connections.admit().expect("room"));
            tokio::time::advance(step).await;
        }
        places[0].connection.begin();
        let newcomer = connections.admit().expect("the second one makes room");
        let closed = tokio::time::timeout(step, places[1].connection.must_close()).await;
        assert!(closed.is_ok(), "it is closed");
        let stays = tokio::time::timeout(step, places[0].connection.must_close()).await;
        assert!(stays.is_err(), "a request is answered");
        assert_eq!((stats.made_room(), stats.refused()), (1, 0));

        places[2..].iter().for_each(|place| place.connection.begin());
        newcomer.connection.begin();
        assert!(connections.admit().is_none(), "all have a request");
        assert_eq!((stats.made_room(), stats.refused()), (1, 1));
        places.pop();
        assert!(connections.admit().is_some(), "one has gone");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_lasts_for_ever() {
        let connections = Connections::default();
        let place = connections.admit().expect("room");
        let begun = Instant::now();
        place.connection.must_close().await;
        assert_eq!(begun.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
        place.connection.begin();
        let begun = Instant::now();
        place.connection.must_close().await;
        assert_eq!(begun.elapsed().as_secs(), ANSWER_TIMEOUT.as_secs());
    }
}
