//! The hub's objects as its watches show them, for those who compare their statuses with what they should be. An object whose
//! spec is rejected is here; one that cannot be read at all is not, because what its status holds is not known.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use tokio::sync::watch;

use crate::api::MemberClusterStatus;

/// What is known of one object of the hub besides its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub name: Arc<str>,
    pub uid: Arc<str>,
    /// `metadata.generation`; 0 where there is none.
    pub generation: i64,
}

impl Identity {
    /// `None`: it has no name, or no UID.
    pub fn of(meta: &ObjectMeta) -> Option<Self> {
        let generation = meta.generation.unwrap_or_default();
        Some(Self { name: Arc::from(meta.name.as_deref()?), uid: Arc::from(meta.uid.as_deref()?), generation })
    }
}

/// One object.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed<S> {
    pub identity: Identity,
    pub status: S,
    /// Fields that are accepted but do nothing yet.
    pub idle: Vec<&'static str>,
}

/// Objects of one kind, by name.
pub type ObservedKind<S> = Arc<BTreeMap<Arc<str>, Arc<Observed<S>>>>;

/// All objects of the hub that have a status. Before a kind was listed once, there is none of it.
#[derive(Clone, Debug, Default)]
pub struct HubObserved {
    pub members: ObservedKind<MemberClusterStatus>,
    pub policies: ObservedKind<Vec<Condition>>,
    pub regions: ObservedKind<Vec<Condition>>,
}

/// The newest state; clones share it.
#[derive(Clone, Debug)]
pub struct HubTable {
    sender: Arc<watch::Sender<HubObserved>>,
}

impl Default for HubTable {
    fn default() -> Self {
        Self { sender: Arc::new(watch::Sender::new(HubObserved::default())) }
    }
}

impl HubTable {
    /// Wakes whenever an object comes, changes or goes. What was there before is there at once.
    pub fn subscribe(&self) -> watch::Receiver<HubObserved> {
        self.sender.subscribe()
    }

    pub fn update(&self, change: impl FnOnce(&mut HubObserved)) {
        self.sender.send_modify(change);
    }
}
