//! Bytes of requests that have not arrived completely: bounded for the process, and cut where the most of them wait. A client can
//! begin a long request on each of its streams and end none.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::transport::Peer;

/// Of the whole process, in bytes. At most, proxies that connect again send a megabyte each, [`super::start_limits::LONG_REQUESTS`]
/// at a time.
pub const MAX_PARTIAL_BYTES: usize = 256 << 20;
/// Of one connection, in bytes: the longest request, and ordinary ones beside it.
pub const MAX_PARTIAL_BYTES_PER_CONNECTION: usize = 80 << 20;

/// Cheap to clone: all clones share the budget.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limit: usize,
    book: Arc<Mutex<Book>>,
}

#[derive(Debug, Default)]
struct Book {
    total: usize,
    connections: HashMap<u64, Share>,
}

#[derive(Debug)]
struct Share {
    bytes: usize,
    peer: Peer,
    /// It is being ended: its bytes are about to be free.
    cut: bool,
}

/// More bytes of unfinished requests wait on one connection than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "requests that have not arrived whole hold more than {MAX_PARTIAL_BYTES_PER_CONNECTION} bytes on this connection; expected \
     one long request at a time"
)]
pub(super) struct OverShare;

impl Default for Budget {
    fn default() -> Self {
        Self::of(MAX_PARTIAL_BYTES)
    }
}

impl Budget {
    pub(super) fn of(limit: usize) -> Self {
        Self { limit, book: Arc::default() }
    }

    pub(super) fn charge(&self, peer: Peer) -> Charge {
        Charge { budget: self.clone(), peer, bytes: 0 }
    }

    /// In bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        lock(&self.book).total
    }
}

impl Book {
    /// Ends connections until what is left fits: those of the address that holds the most, the fullest first.
    fn fit(&mut self, limit: usize) {
        let mut left: usize = self.connections.values().filter(|share| !share.cut).map(|share| share.bytes).sum();
        while left > limit {
            let mut addresses: HashMap<IpAddr, usize> = HashMap::new();
            for share in self.connections.values().filter(|share| !share.cut) {
                *addresses.entry(share.peer.address.ip()).or_default() += share.bytes;
            }
            let Some((heaviest, _)) = addresses.into_iter().max_by_key(|(_, bytes)| *bytes) else { return };
            let of_it = self.connections.values_mut().filter(|share| !share.cut && share.peer.address.ip() == heaviest);
            let Some(share) = of_it.max_by_key(|share| share.bytes) else { return };
            share.cut = true;
            left -= share.bytes;
            tracing::warn!(
                peer = %share.peer.address, bytes = share.bytes, limit,
                "connection ended: clients began more and longer requests than there is memory for, this one the most of them"
            );
            share.peer.connection.cut();
        }
    }
}

/// What one unfinished request holds; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Charge {
    budget: Budget,
    peer: Peer,
    bytes: usize,
}

impl Charge {
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), OverShare> {
        let mut book = lock(&self.budget.book);
        let new = || Share { bytes: 0, peer: self.peer.clone(), cut: false };
        let share = book.connections.entry(self.peer.connection.id()).or_insert_with(new);
        if share.bytes + bytes > MAX_PARTIAL_BYTES_PER_CONNECTION {
            return Err(OverShare);
        }
        share.bytes += bytes;
        book.total += bytes;
        self.bytes += bytes;
        if book.total > self.budget.limit {
            book.fit(self.budget.limit);
        }
        Ok(())
    }

    /// The request is whole, and the next one begins.
    pub(super) fn clear(&mut self) {
        if self.bytes == 0 {
            return;
        }
        let mut book = lock(&self.budget.book);
        book.total -= self.bytes;
        let id = self.peer.connection.id();
        if let Some(share) = book.connections.get_mut(&id) {
            share.bytes -= self.bytes;
            if share.bytes == 0 {
                book.connections.remove(&id);
            }
        }
        self.bytes = 0;
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Sums that are changed under one lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: u8) -> Peer {
        Peer::alone(([10, 0, 0, address], 1).into())
    }

    #[test]
    fn the_heaviest_gives_way_and_the_others_go_on() {
        let budget = Budget::of(100);
        let peers = [peer(1), peer(1), peer(2), peer(3)];
        let mut charges: Vec<Charge> = peers.iter().map(|peer| budget.charge(peer.clone())).collect();
        for (charge, bytes) in charges.iter_mut().zip([40, 20, 30, 10]) {
            charge.add(bytes).expect("within its share");
        }
        assert!(peers.iter().all(|peer| !peer.connection.is_cut()), "it fits");
        // One byte too many, by an address that has little: the address with the most loses its fullest connection.
        charges[3].add(1).expect("within its share");
        let cut: Vec<bool> = peers.iter().map(|peer| peer.connection.is_cut()).collect();
        assert_eq!(cut, [true, false, false, false]);
        // What is about to be free is not asked for twice.
        charges[3].add(30).expect("within its share");
        assert!(!peers[1].connection.is_cut() && !peers[2].connection.is_cut());
        charges.remove(0);
        assert_eq!(budget.held(), 20 + 30 + 41);
        charges.clear();
        assert_eq!(budget.held(), 0);
        assert!(lock(&budget.book).connections.is_empty());
    }

    #[test]
    fn a_connection_has_its_share_whatever_is_free() {
        let budget = Budget::default();
        let peer = peer(1);
        let mut streams: Vec<Charge> = (0..2).map(|_| budget.charge(peer.clone())).collect();
        streams[0].add(MAX_PARTIAL_BYTES_PER_CONNECTION).expect("all of it");
        assert_eq!(streams[1].add(1), Err(OverShare));
        streams[0].clear();
        streams[1].add(1).expect("it is free again");
        assert!(!peer.connection.is_cut());
    }
}
