//! The open connections of a process, and how they are ended when it ends.

mod shares;

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::handle::Handle;
use shares::Shares;

/// Generous estimate of the time that a replica needs for a proxy that reconnects to it: connections are asked to end no
/// faster than one in this time, unless there are too many of them.
const PACE: Duration = Duration::from_millis(4);
/// Of the time for draining, the part in which connections are asked to end; the rest is for the last of them to end.
const TELLING: f64 = 0.8;

#[derive(Debug, Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    open: HashMap<Id, Connection>,
    shares: Shares,
}

#[derive(Debug)]
struct Connection {
    address: IpAddr,
    handle: Arc<Handle>,
    /// Tells it to end.
    end: oneshot::Sender<()>,
    task: AbortHandle,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Starts a connection's task. It gets a receiver that completes when the connection should end.
    pub(super) fn spawn<F>(
        &mut self,
        address: IpAddr,
        handle: Arc<Handle>,
        connection: impl FnOnce(oneshot::Receiver<()>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (end, ending) = oneshot::channel();
        let task = self.tasks.spawn(connection(ending));
        self.shares.add(address, handle.id(), task.id());
        self.open.insert(task.id(), Connection { address, handle, end, task });
    }

    /// Makes room for a newcomer by ending a connection of the address that has the most, if that has more than the
    /// newcomer's would have: the oldest on which no client was identified, else the newest. Returns that address and how
    /// many it had.
    pub(super) fn displace(&mut self, newcomer: IpAddr) -> Option<(IpAddr, usize)> {
        let (address, count) = self.shares.heaviest()?;
        if count <= self.shares.count(newcomer) + 1 {
            return None;
        }
        let open = &self.open;
        let identified = |task: &Id| open.get(task).is_some_and(|connection| connection.handle.is_identified());
        let task = self.shares.least_useful(address, identified)?;
        self.forget(task)?.task.abort();
        Some((address, count))
    }

    fn forget(&mut self, task: Id) -> Option<Connection> {
        let connection = self.open.remove(&task)?;
        self.shares.remove(connection.address, connection.handle.id());
        Some(connection)
    }

    /// Forgets the next connection that has ended. May be dropped and called again.
    pub(super) async fn reap(&mut self) {
        if let Some(ended) = self.tasks.join_next_with_id().await {
            self.forget(id(ended));
        }
    }

    /// Tells all connections to end, one after another and in no order, so that the other replicas do not get them all in
    /// one instant. Those that are left after `limit` are cut off.
    pub(super) async fn drain(mut self, limit: Duration) {
        let start = Instant::now();
        let pace = pace(self.open.len(), limit);
        let gently = async {
            for (nth, (_, connection)) in (0u32..).zip(self.open.drain()) {
                sleep_until(start + pace.mul_f64(f64::from(nth))).await;
                let _ = connection.end.send(()); // it may have ended by itself
            }
            while let Some(ended) = self.tasks.join_next_with_id().await {
                id(ended);
            }
        };
        if timeout_at(start + limit, gently).await.is_err() {
            tracing::info!(connections = self.tasks.len(), "connections cut off: they did not end in time");
        }
        self.tasks.shutdown().await;
    }
}

fn pace(connections: usize, limit: Duration) -> Duration {
    let evenly = limit.mul_f64(TELLING / connections.max(1) as f64);
    evenly.min(PACE)
}

fn id(ended: Result<(Id, ()), JoinError>) -> Id {
    match ended {
        Ok((id, ())) => id,
        Err(error) => {
            if !error.is_cancelled() {
                tracing::error!(%error, "the task of a connection failed");
            }
            error.id()
        }
    }
}

#[cfg(test)]
mod tests;
