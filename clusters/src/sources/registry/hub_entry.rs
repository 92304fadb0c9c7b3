//! Objects of the hub, as one watch reads each of them for two purposes: what it says goes to the engine, and the status that it
//! has to those who compare it with what it should be.

use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

use federation::change::Object;
use federation::model::{self, Policy};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::Resource;
use kube::core::DeserializeGuard;
use serde::de::DeserializeOwned;

use super::entries::{self, MemberEntry};
use crate::api::{FederationPolicy, MemberCluster, MemberClusterStatus, Region, not_in_effect};
use crate::convert::{Accepted, Convert as _, Converted};
use crate::problem::Problem;
use crate::sources::watch::{Reading, guarded};
use crate::tables::observed::{Identity, Observed};

/// An object of the hub. Its name is its key, because not every name can be a key of the engine's.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct HubEntry<M, S> {
    pub(super) name: Arc<str>,
    /// What it says. `None`: it is rejected, so that its last good state stays.
    pub(super) model: Option<M>,
    /// Who it is, and its status. `None`: it cannot be read.
    pub(super) observed: Option<Arc<Observed<S>>>,
}

impl<M, S> Object for HubEntry<M, S> {
    type Key = Arc<str>;
    fn key(&self) -> &Arc<str> {
        &self.name
    }
}

/// One kind of the hub.
pub(super) trait Kind: Send + 'static {
    type Wire: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static;
    type Model: Object<Key: Send> + Clone + PartialEq + Send + 'static;
    type Status: Clone + PartialEq + Send + Sync + 'static;

    fn read(object: &Self::Wire) -> Converted<Self::Model>;

    /// Its status, and its fields that do nothing yet.
    fn status(object: &Self::Wire) -> (Self::Status, Vec<&'static str>);
}

pub(super) struct Members;

impl Kind for Members {
    type Wire = MemberCluster;
    type Model = MemberEntry;
    type Status = MemberClusterStatus;

    fn read(object: &MemberCluster) -> Converted<MemberEntry> {
        entries::member(object)
    }
    fn status(object: &MemberCluster) -> (MemberClusterStatus, Vec<&'static str>) {
        (object.status.clone().unwrap_or_default(), Vec::new())
    }
}

pub(super) struct Policies;

impl Kind for Policies {
    type Wire = FederationPolicy;
    type Model = Policy;
    type Status = Vec<Condition>;

    fn read(object: &FederationPolicy) -> Converted<Policy> {
        object.convert()
    }
    fn status(object: &FederationPolicy) -> (Vec<Condition>, Vec<&'static str>) {
        (object.status.clone().unwrap_or_default().conditions, not_in_effect(&object.spec))
    }
}

pub(super) struct Regions;

impl Kind for Regions {
    type Wire = Region;
    type Model = model::Region;
    type Status = Vec<Condition>;

    fn read(object: &Region) -> Converted<model::Region> {
        object.convert()
    }
    fn status(object: &Region) -> (Vec<Condition>, Vec<&'static str>) {
        (object.status.clone().unwrap_or_default().conditions, Vec::new())
    }
}

/// Reads one kind. What does not fit its schema is reported in the library's words.
pub(super) struct Entries<K>(PhantomData<fn() -> K>);

impl<K: Kind> Reading for Entries<K> {
    type Wire = DeserializeGuard<K::Wire>;
    type Model = HubEntry<K::Model, K::Status>;

    fn read(wire: &Self::Wire) -> Converted<Self::Model> {
        let read = guarded(wire, K::read);
        let Some(name) = Self::key(wire.meta()) else { return read.map(|_| Accepted::not_for_us()) };
        let (model, problems) = match read {
            Ok(Accepted { object, problems }) => (object, problems),
            Err(problems) => (None, problems),
        };
        let observed = wire.0.as_ref().ok().and_then(observed::<K>);
        Ok(Accepted { object: Some(HubEntry { name, model, observed }), problems })
    }

    fn key(meta: &ObjectMeta) -> Option<Arc<str>> {
        meta.name.as_deref().map(Arc::from)
    }

    /// Its status cannot be read, and so must not be written over: it may hold the record of an admission.
    fn unfit(meta: &ObjectMeta, problems: Vec<Problem>) -> Converted<Self::Model> {
        let Some(name) = Self::key(meta) else { return Err(problems) };
        Ok(Accepted { object: Some(HubEntry { name, model: None, observed: None }), problems })
    }
}

fn observed<K: Kind>(object: &K::Wire) -> Option<Arc<Observed<K::Status>>> {
    let (status, idle) = K::status(object);
    Identity::of(object.meta()).map(|identity| Arc::new(Observed { identity, status, idle }))
}
