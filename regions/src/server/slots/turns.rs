//! Round robin over addresses, and over the connections of each; those that had no turn yet are first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;

use super::claim::Claim;

/// Values that wait for their turn.
#[derive(Debug)]
pub(super) struct Turns<T> {
    addresses: Ring<IpAddr, Ring<u64, VecDeque<T>>>,
    len: usize,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self { addresses: Ring::default(), len: 0 }
    }
}

impl<T> Turns<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn push(&mut self, claim: Claim, value: T) {
        self.addresses.entry(claim.address).entry(claim.connection).push_back(value);
        self.len += 1;
    }

    /// The next one. A key without values leaves the ring at its turn.
    pub(super) fn pop(&mut self) -> Option<(Claim, T)> {
        while let Some(address) = self.addresses.turn() {
            let Some(connections) = self.addresses.get(address) else { continue };
            while let Some(connection) = connections.turn() {
                let Some(values) = connections.get(connection) else { continue };
                let Some(value) = values.pop_front() else {
                    connections.leave(connection);
                    continue;
                };
                if values.is_empty() {
                    connections.leave(connection);
                } else {
                    connections.wait_again(connection);
                }
                match connections.is_empty() {
                    true => self.addresses.leave(address),
                    false => self.addresses.wait_again(address),
                }
                self.len -= 1;
                return Some((Claim { address, connection }, value));
            }
            self.addresses.leave(address);
        }
        None
    }

    /// Takes one out of turn. Costs the length of its connection's queue.
    pub(super) fn remove(&mut self, claim: Claim, is: impl Fn(&T) -> bool) {
        let connections = self.addresses.get(claim.address);
        let Some(values) = connections.and_then(|connections| connections.get(claim.connection)) else { return };
        if let Some(at) = values.iter().position(is) {
            values.remove(at);
            self.len -= 1;
            if self.len == 0 {
                self.addresses = Ring::default();
            }
        }
    }
}

/// Keys in the order of their turns.
#[derive(Debug)]
struct Ring<K, V> {
    of: HashMap<K, V>,
    /// Those that had no turn yet.
    fresh: VecDeque<K>,
    served: VecDeque<K>,
}

impl<K, V> Default for Ring<K, V> {
    fn default() -> Self {
        Self { of: HashMap::new(), fresh: VecDeque::new(), served: VecDeque::new() }
    }
}

impl<K: Copy + Eq + Hash, V: Default> Ring<K, V> {
    fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    fn get(&mut self, key: K) -> Option<&mut V> {
        self.of.get_mut(&key)
    }

    fn entry(&mut self, key: K) -> &mut V {
        if !self.of.contains_key(&key) {
            self.fresh.push_back(key);
        }
        self.of.entry(key).or_default()
    }

    /// Whose turn it is now. To be followed by one of the two below.
    fn turn(&mut self) -> Option<K> {
        self.fresh.pop_front().or_else(|| self.served.pop_front())
    }

    fn wait_again(&mut self, key: K) {
        self.served.push_back(key);
    }

    fn leave(&mut self, key: K) {
        self.of.remove(&key);
    }
}
