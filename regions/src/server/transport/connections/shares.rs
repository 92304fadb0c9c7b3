//! How many connections each address has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use tokio::task::Id;

#[derive(Debug, Default)]
pub(super) struct Shares {
    of: HashMap<IpAddr, Share>,
    /// Ordered by number of connections.
    by_count: BTreeSet<(usize, IpAddr)>,
}

/// The connections of one address, by number and so by age.
#[derive(Debug, Default)]
struct Share {
    /// No client was identified on them when they were last looked at.
    unidentified: BTreeMap<u64, Id>,
    identified: BTreeMap<u64, Id>,
}

impl Share {
    fn len(&self) -> usize {
        self.unidentified.len() + self.identified.len()
    }
}

impl Shares {
    pub(super) fn count(&self, address: IpAddr) -> usize {
        self.of.get(&address).map_or(0, Share::len)
    }

    /// The address that has the most, and how many.
    pub(super) fn heaviest(&self) -> Option<(IpAddr, usize)> {
        self.by_count.last().map(|(count, address)| (*address, *count))
    }

    pub(super) fn add(&mut self, address: IpAddr, connection: u64, task: Id) {
        self.change(address, |share| _ = share.unidentified.insert(connection, task));
    }

    pub(super) fn remove(&mut self, address: IpAddr, connection: u64) {
        self.change(address, |share| {
            share.unidentified.remove(&connection);
            share.identified.remove(&connection);
        });
    }

    fn change(&mut self, address: IpAddr, change: impl FnOnce(&mut Share)) {
        let share = self.of.entry(address).or_default();
        self.by_count.remove(&(share.len(), address));
        change(share);
        match share.len() {
            0 => _ = self.of.remove(&address),
            count => _ = self.by_count.insert((count, address)),
        }
    }

    /// Of an address's connections the oldest on which no client was identified, else the newest. Each connection is moved to
    /// those identified once.
    pub(super) fn least_useful(&mut self, address: IpAddr, is_identified: impl Fn(&Id) -> bool) -> Option<Id> {
        let share = self.of.get_mut(&address)?;
        while let Some(oldest) = share.unidentified.first_entry() {
            if !is_identified(oldest.get()) {
                return Some(*oldest.get());
            }
            let (connection, task) = oldest.remove_entry();
            share.identified.insert(connection, task);
        }
        share.identified.last_key_value().map(|(_, task)| *task)
    }
}
