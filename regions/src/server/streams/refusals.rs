//! Clients that were refused, and why: such a client knows the reason, but people look for it here. Each is shown as long
//! as it tries; once it is accepted, or tries no more, it is forgotten.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::refusal_kind::RefusalKind;

/// Clients that are remembered; beyond that, the one that tried longest ago is forgotten.
pub const MAX_REFUSALS: usize = 1_024;
/// Of these, clients of one address: a client can make up any number of names.
pub const MAX_REFUSALS_OF_ADDRESS: usize = 64;
/// A client that has not tried for so long has given up: Envoy waits 30 s at most between two tries.
pub const TRIES_WITHIN: Duration = Duration::from_secs(120);

/// A client that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedClient {
    /// Its `node.id`; empty if it sent none.
    pub node: Arc<str>,
    pub address: IpAddr,
    pub kind: RefusalKind,
    /// What it was answered last.
    pub message: Arc<str>,
    pub count: u64,
    pub first: SystemTime,
    pub last: SystemTime,
}

/// By address and name.
#[derive(Default)]
pub(super) struct Refusals(BTreeMap<(IpAddr, Arc<str>), RefusedClient>);

impl Refusals {
    pub(super) fn add(&mut self, node: &str, address: IpAddr, kind: RefusalKind, message: Arc<str>, at: SystemTime) {
        let key = (address, Arc::<str>::from(node));
        if let Some(known) = self.0.get_mut(&key) {
            known.count += 1;
            (known.kind, known.message, known.last) = (kind, message, at);
            return;
        }
        let of_address = || self.0.iter().filter(|((ip, _), _)| *ip == address);
        let room = if of_address().count() >= MAX_REFUSALS_OF_ADDRESS {
            of_address().min_by_key(|(_, client)| client.last).map(|(key, _)| key.clone())
        } else if self.0.len() >= MAX_REFUSALS {
            self.0.iter().min_by_key(|(_, client)| client.last).map(|(key, _)| key.clone())
        } else {
            None
        };
        if let Some(oldest) = room {
            self.0.remove(&oldest);
        }
        let client = RefusedClient { node: key.1.clone(), address, kind, message, count: 1, first: at, last: at };
        self.0.insert(key, client);
    }

    /// It was accepted.
    pub(super) fn settle(&mut self, node: &str, address: IpAddr) {
        self.0.remove(&(address, Arc::<str>::from(node)));
    }

    /// Those that still try.
    pub(super) fn list(&mut self, now: SystemTime) -> Vec<RefusedClient> {
        self.0.retain(|_, client| {
            now.duration_since(client.last).is_ok_and(|age| age <= TRIES_WITHIN) || client.last > now
        });
        self.0.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn add(refusals: &mut Refusals, node: &str, address: [u8; 4], seconds: u64) {
        refusals.add(node, IpAddr::from(address), RefusalKind::Node, Arc::from("no good"), at(seconds));
    }

    #[test]
    fn a_refused_client_is_listed_as_long_as_it_tries() {
        let mut refusals = Refusals::default();
        add(&mut refusals, "web", [10, 0, 0, 1], 1);
        add(&mut refusals, "web", [10, 0, 0, 1], 60);
        add(&mut refusals, "pay", [10, 0, 0, 2], 100);
        let listed = refusals.list(at(170));
        assert_eq!(
            listed.iter().map(|client| (&*client.node, client.count)).collect::<Vec<_>>(),
            [("web", 2), ("pay", 1)]
        );
        assert_eq!((listed[0].first, listed[0].last), (at(1), at(60)));
        assert_eq!(refusals.list(at(200)).len(), 1, "the first one gave up");
        refusals.settle("pay", IpAddr::from([10, 0, 0, 9]));
        assert_eq!(refusals.list(at(200)).len(), 1, "another address is another client");
        refusals.settle("pay", IpAddr::from([10, 0, 0, 2]));
        assert_eq!(refusals.list(at(200)), [], "it was accepted");
    }

    #[test]
    fn names_do_not_push_out_other_addresses() {
        let mut refusals = Refusals::default();
        add(&mut refusals, "other", [10, 0, 0, 2], 1);
        for i in 0..5_000 {
            add(&mut refusals, &format!("made-up-{i}"), [10, 0, 0, 1], 2);
        }
        let listed = refusals.list(at(3));
        assert_eq!(listed.len(), MAX_REFUSALS_OF_ADDRESS + 1);
        assert!(listed.iter().any(|client| &*client.node == "other"));
        for i in 0..=255 {
            for j in 0..8 {
                add(&mut refusals, "n", [10, 1, j, i], 4);
            }
        }
        assert_eq!(refusals.list(at(5)).len(), MAX_REFUSALS);
    }

    #[test]
    fn kinds_have_labels_of_their_own() {
        let labels: std::collections::BTreeSet<_> = RefusalKind::ALL.map(RefusalKind::label).into();
        assert_eq!(labels.len(), RefusalKind::ALL.len());
        assert!(RefusalKind::ALL.into_iter().enumerate().all(|(index, kind)| kind.index() == index));
    }
}
