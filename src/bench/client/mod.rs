//! One client: a connection, what it holds, and the orders it executes. As light as possible, because server and clients
//! share the machine.

mod connection;
mod held;
mod peer;
mod scan;
pub mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use regions::resource::PerType;
use tokio::sync::{mpsc, oneshot};

pub use connection::ClientKind;
pub use held::Held;
pub use peer::{Common, Counts, Peer};

use super::protocol::now_ns;
use connection::{Broken, Connection};
use scan::ScanError;

/// Orders that may be queued for a client.
pub const ORDERS: usize = 4;
/// Between attempts to connect.
const RETRY: Duration = Duration::from_millis(100);
const ATTEMPTS: usize = 50;

/// What a client is to do.
#[derive(Debug)]
pub enum Order {
    /// Drop the connection and reconnect, naming what it has.
    Reconnect,
    /// Reject the next load assignment.
    Reject,
    /// Return what it holds.
    Show(oneshot::Sender<Holding>),
    /// Keep the connection, but stop reading and writing.
    Stall,
}

/// What a client holds.
#[derive(Clone, Debug)]
pub struct Holding {
    pub held: PerType<Held>,
    /// It rejected a response and has not reconnected since.
    pub behind: bool,
}

/// Progress that all clients of a crowd report to.
#[derive(Debug, Default)]
pub struct Progress {
    /// Payload received, in bytes, and messages.
    pub bytes: AtomicU64,
    pub messages: AtomicU64,
    /// When a response was last received.
    last_ns: AtomicU64,
    /// Streams that the server ended; clients reconnected at once.
    pub ended: AtomicU64,
    /// Clients that gave up.
    pub lost: AtomicUsize,
}

impl Progress {
    pub fn last_ns(&self) -> u64 {
        self.last_ns.load(Ordering::Acquire)
    }
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error(transparent)]
    Scan(#[from] ScanError),
}

pub struct Client {
    pub peer: Peer,
    pub server: SocketAddr,
    pub kind: ClientKind,
    pub progress: Arc<Progress>,
    /// The client is complete when it has as many resources as this.
    pub expected: Counts,
    pub orders: mpsc::Receiver<Order>,
    /// Is sent the time at which the client became complete, once for each connection.
    pub times: mpsc::UnboundedSender<u64>,
}

impl Client {
    /// Connects, and executes orders until their sender is dropped.
    pub async fn run(mut self) {
        let mut failures = 0;
        loop {
            let ended = self.stream().await;
            match ended {
                Ok(true) => failures = 0,
                Ok(false) => return,
                Err(Trouble::Broken(Broken::Ended { .. })) if failures < ATTEMPTS => {
                    self.progress.ended.fetch_add(1, Ordering::Relaxed);
                    failures += 1;
                }
                Err(Trouble::Broken(error)) if failures < ATTEMPTS => {
                    tracing::debug!(%error, "connection lost");
                    failures += 1;
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "a client gives up");
                    self.progress.lost.fetch_add(1, Ordering::AcqRel);
                    return;
                }
            }
        }
    }

    /// One stream to its end; `true`: the client reconnects.
    async fn stream(&mut self) -> Result<bool, Trouble> {
        let mut connection = Connection::open(self.server, self.peer.variant(), self.kind).await?;
        for request in self.peer.open() {
            connection.send(request)?;
        }
        let mut complete = false;
        loop {
            tokio::select! {
                message = connection.message() => {
                    let (message, at_ns) = (message?, now_ns());
                    let Progress { bytes, messages, last_ns, .. } = &*self.progress;
                    bytes.fetch_add(message.len() as u64, Ordering::Relaxed);
                    messages.fetch_add(1, Ordering::Relaxed);
                    last_ns.fetch_max(at_ns, Ordering::AcqRel);
                    for request in self.peer.receive(&message, at_ns)? {
                        connection.send(request)?;
                    }
                    if !complete && self.peer.is_complete(&self.expected) {
                        complete = true;
                        let _ = self.times.send(at_ns); // the receiver may have been dropped
                    }
                }
                order = self.orders.recv() => match order {
                    None => return Ok(false),
                    Some(Order::Reconnect) => return Ok(true),
                    Some(Order::Reject) => self.peer.reject_next(),
                    Some(Order::Show(to)) => drop(to.send(self.holding())),
                    Some(Order::Stall) => {
                        while self.orders.recv().await.is_some() {}
                        return Ok(false);
                    }
                },
            }
        }
    }

    fn holding(&self) -> Holding {
        Holding { held: self.peer.held().clone(), behind: self.peer.is_behind() }
    }
}
