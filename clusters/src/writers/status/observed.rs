//! Members, policies and regions as the hub holds them: who there is to write to, and what their status says now.

use std::sync::Arc;

use federation::change::{Change, Delta, Object};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::core::DeserializeGuard;
use tokio::sync::mpsc;

use crate::api::{FederationPolicy, MemberCluster, MemberClusterStatus, Region, not_in_effect};
use crate::convert::{Accepted, Converted};
use crate::sources::feed::FeedClosed;
use crate::sources::watch::{Reading, Sink};

/// What is known of one object of the hub besides its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: Arc<str>,
    pub(super) uid: Arc<str>,
    /// `metadata.generation`; 0 where there is none.
    pub(super) generation: i64,
}

impl Identity {
    fn of(meta: &ObjectMeta) -> Option<Self> {
        let generation = meta.generation.unwrap_or_default();
        Some(Self { name: Arc::from(meta.name.as_deref()?), uid: Arc::from(meta.uid.as_deref()?), generation })
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct ObservedMember {
    pub(super) identity: Identity,
    pub(super) status: MemberClusterStatus,
}

/// An object whose status is its conditions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ObservedHub {
    pub(super) identity: Identity,
    /// Fields that are accepted but do nothing yet.
    pub(super) idle: Vec<&'static str>,
    pub(super) conditions: Vec<Condition>,
}

impl Object for ObservedMember {
    type Key = Arc<str>;
    fn key(&self) -> &Arc<str> {
        &self.identity.name
    }
}

impl Object for ObservedHub {
    type Key = Arc<str>;
    fn key(&self) -> &Arc<str> {
        &self.identity.name
    }
}

pub(super) struct Members;

impl Reading for Members {
    type Wire = DeserializeGuard<MemberCluster>;
    type Model = ObservedMember;

    fn read(wire: &Self::Wire) -> Converted<ObservedMember> {
        // An object that cannot be read has a status that cannot be read, and must not be written over: it may hold the
        // record of an admission.
        let Ok(object) = &wire.0 else { return Ok(Accepted::not_for_us()) };
        let status = object.status.clone().unwrap_or_default();
        Ok(Identity::of(&object.metadata).map(|identity| ObservedMember { identity, status }).into())
    }
    fn key(meta: &ObjectMeta) -> Option<Arc<str>> {
        meta.name.as_deref().map(Arc::from)
    }
}

pub(super) struct Policies;

impl Reading for Policies {
    type Wire = DeserializeGuard<FederationPolicy>;
    type Model = ObservedHub;

    fn read(wire: &Self::Wire) -> Converted<ObservedHub> {
        let Ok(object) = &wire.0 else { return Ok(Accepted::not_for_us()) };
        let conditions = object.status.clone().unwrap_or_default().conditions;
        let idle = not_in_effect(&object.spec);
        Ok(Identity::of(&object.metadata).map(|identity| ObservedHub { identity, idle, conditions }).into())
    }
    fn key(meta: &ObjectMeta) -> Option<Arc<str>> {
        meta.name.as_deref().map(Arc::from)
    }
}

pub(super) struct Regions;

impl Reading for Regions {
    type Wire = DeserializeGuard<Region>;
    type Model = ObservedHub;

    fn read(wire: &Self::Wire) -> Converted<ObservedHub> {
        let Ok(object) = &wire.0 else { return Ok(Accepted::not_for_us()) };
        let conditions = object.status.clone().unwrap_or_default().conditions;
        let idle = Vec::new();
        Ok(Identity::of(&object.metadata).map(|identity| ObservedHub { identity, idle, conditions }).into())
    }
    fn key(meta: &ObjectMeta) -> Option<Arc<str>> {
        meta.name.as_deref().map(Arc::from)
    }
}

/// What the watches report to the writer.
pub(super) enum Observed {
    Members(Delta<ObservedMember>),
    Policies(Delta<ObservedHub>),
    Regions(Delta<ObservedHub>),
}

pub(super) struct ToWriter<F> {
    pub(super) sender: mpsc::Sender<Observed>,
    pub(super) wrap: F,
}

impl<T, F> Sink<T> for ToWriter<F>
where
    T: Object<Key: Send> + Send,
    F: Fn(Delta<T>) -> Observed + Send,
{
    async fn take(&mut self, delta: Delta<T>) -> Result<(), FeedClosed> {
        self.sender.send((self.wrap)(delta)).await.map_err(|_| FeedClosed)
    }
}

/// Calls `put` and `delete` so that a table follows a delta. `keys` are those of the table.
pub(super) fn apply<T: Object<Key = Arc<str>>>(
    delta: Delta<T>,
    keys: Vec<Arc<str>>,
    mut change: impl FnMut(Change<T>),
) {
    match delta {
        Delta::Full { objects, rejected } => {
            let stays = |key: &Arc<str>| rejected.contains(key) || objects.iter().any(|object| object.key() == key);
            let gone: Vec<_> = keys.into_iter().filter(|key| !stays(key)).collect();
            gone.into_iter().for_each(|key| change(Change::Delete(key)));
            objects.into_iter().for_each(|object| change(Change::Put(object)));
        }
        Delta::Partial(changes) => changes.into_iter().for_each(change),
    }
}
