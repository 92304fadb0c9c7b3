//! What sessions publish for the writers: the client of each member that is connected, when each last answered, and
//! what must be reported about a credential. None of this is federation state; losing it loses nothing.

pub mod observed;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use federation::change::LinkFailure;
use federation::model::{ClusterId, Time};
use tokio::sync::watch;

use crate::client::MemberClient;

/// Clients of the members that are connected now.
#[derive(Clone, Debug)]
pub struct Clients {
    sender: Arc<watch::Sender<BTreeMap<ClusterId, MemberClient>>>,
}

impl Default for Clients {
    fn default() -> Self {
        Self { sender: Arc::new(watch::Sender::new(BTreeMap::new())) }
    }
}

impl Clients {
    pub fn get(&self, id: &ClusterId) -> Option<MemberClient> {
        self.sender.borrow().get(id).cloned()
    }

    pub fn ids(&self) -> Vec<ClusterId> {
        self.sender.borrow().keys().cloned().collect()
    }

    /// Wakes whenever a member is connected, lost, or has a new credential.
    pub fn subscribe(&self) -> watch::Receiver<BTreeMap<ClusterId, MemberClient>> {
        self.sender.subscribe()
    }

    pub fn publish(&self, id: &ClusterId, client: Option<MemberClient>) {
        self.sender.send_if_modified(|table| match client {
            Some(client) => {
                table.insert(id.clone(), client);
                true
            }
            None => table.remove(id).is_some(),
        });
    }
}

/// When each member last answered.
#[derive(Clone, Debug, Default)]
pub struct SeenTable {
    members: Arc<Mutex<BTreeMap<ClusterId, SeenMark>>>,
}

/// One member's row of the [`SeenTable`]; marking is one atomic store.
#[derive(Clone, Debug, Default)]
pub struct SeenMark(Arc<AtomicI64>);

impl SeenMark {
    pub fn answered(&self, at: Time) {
        self.0.fetch_max(at.unix_ms, Ordering::Relaxed);
    }
}

impl SeenTable {
    pub fn mark(&self, id: &ClusterId) -> SeenMark {
        self.lock().entry(id.clone()).or_default().clone()
    }

    /// `None`: it never answered this process.
    pub fn get(&self, id: &ClusterId) -> Option<Time> {
        let unix_ms = self.lock().get(id)?.0.load(Ordering::Relaxed);
        (unix_ms > 0).then_some(Time::from_unix_ms(unix_ms))
    }

    pub fn forget(&self, id: &ClusterId) {
        self.lock().remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterId, SeenMark>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What went wrong last with each list of the hub, until it is listed.
#[derive(Clone, Debug, Default)]
pub struct HubTroubles {
    texts: Arc<Mutex<BTreeMap<String, String>>>,
}

impl HubTroubles {
    /// `None`: all is well with it.
    pub fn set(&self, what: &str, text: Option<String>) {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        match text {
            Some(text) => texts.insert(what.to_owned(), text),
            None => texts.remove(what),
        };
    }

    /// All of them, without repetitions.
    pub fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> =
            self.texts.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        texts.sort();
        texts.dedup();
        texts
    }
}

/// Something to say about a member although its connection works: a new credential that does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub reason: NoteReason,
    pub message: Arc<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteReason {
    /// The new credential cannot be used.
    Failure(LinkFailure),
    /// The new credential leads to another cluster.
    IdentityChanged,
}

/// The current notes.
#[derive(Clone, Debug)]
pub struct Notes {
    sender: Arc<watch::Sender<BTreeMap<ClusterId, Note>>>,
}

impl Default for Notes {
    fn default() -> Self {
        Self { sender: Arc::new(watch::Sender::new(BTreeMap::new())) }
    }
}

impl Notes {
    pub fn set(&self, id: &ClusterId, note: Option<Note>) {
        self.sender.send_if_modified(|notes| match note {
            Some(note) if notes.get(id) == Some(&note) => false,
            Some(note) => notes.insert(id.clone(), note).is_none_or(|_| true),
            None => notes.remove(id).is_some(),
        });
    }

    pub fn get(&self, id: &ClusterId) -> Option<Note> {
        self.sender.borrow().get(id).cloned()
    }

    pub fn subscribe(&self) -> watch::Receiver<BTreeMap<ClusterId, Note>> {
        self.sender.subscribe()
    }
}

/// What users set about who writes mirrors into members: [`ANNOTATION_TAKE_OVER`](crate::api::ANNOTATION_TAKE_OVER)
/// of each `MemberCluster` that has it.
#[derive(Clone, Debug)]
pub struct TakeOvers {
    sender: Arc<watch::Sender<BTreeMap<ClusterId, Arc<str>>>>,
}

impl Default for TakeOvers {
    fn default() -> Self {
        Self { sender: Arc::new(watch::Sender::new(BTreeMap::new())) }
    }
}

impl TakeOvers {
    pub fn publish(&self, all: BTreeMap<ClusterId, Arc<str>>) {
        self.sender.send_if_modified(|known| {
            let changed = *known != all;
            if changed {
                *known = all;
            }
            changed
        });
    }

    pub fn subscribe(&self) -> watch::Receiver<BTreeMap<ClusterId, Arc<str>>> {
        self.sender.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seen_never_goes_backwards() {
        let Ok(id) = ClusterId::new("eu-1") else { unreachable!() };
        let table = SeenTable::default();
        assert_eq!(table.get(&id), None);
        table.mark(&id).answered(Time::from_unix_ms(5));
        table.mark(&id).answered(Time::from_unix_ms(3));
        assert_eq!(table.get(&id), Some(Time::from_unix_ms(5)));
    }
}
