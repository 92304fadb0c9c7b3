//! What a watch reads off the wire, and what it makes of it.

use std::fmt::Debug;
use std::marker::PhantomData;

use federation::change::Object;
use federation::model::{Slice, SliceKey};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::DeserializeGuard;
use serde::de::DeserializeOwned;

use crate::convert::{Convert, Converted, REJECTED, object_name, remote_slice};
use crate::problem::Problem;

/// A kind as one watch reads it.
pub trait Reading: Send + 'static {
    type Wire: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static;
    type Model: Object<Key: Send> + Clone + PartialEq + Send + 'static;

    fn read(wire: &Self::Wire) -> Converted<Self::Model>;
    fn key(meta: &ObjectMeta) -> Option<<Self::Model as Object>::Key>;

    fn kind() -> String {
        Self::Wire::kind(&()).into_owned()
    }
    fn plural() -> &'static str {
        match Self::Wire::plural(&()) {
            std::borrow::Cow::Borrowed(plural) => plural,
            std::borrow::Cow::Owned(_) => "objects",
        }
    }
}

/// What a type needs to be watched as it is.
pub trait Watchable:
    Convert<Model: Object<Key: Send> + Clone + PartialEq + Send + 'static>
    + Clone
    + Debug
    + DeserializeOwned
    + Send
    + 'static
{
}

impl<K> Watchable for K where
    K: Convert<Model: Object<Key: Send> + Clone + PartialEq + Send + 'static>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static
{
}

/// A kind that Kubernetes itself defines: its API server lets no object through that does not fit the schema.
pub struct Plain<K>(PhantomData<fn() -> K>);

impl<K: Watchable> Reading for Plain<K> {
    type Wire = K;
    type Model = K::Model;

    fn read(wire: &K) -> Converted<K::Model> {
        wire.convert()
    }
    fn key(meta: &ObjectMeta) -> Option<<K::Model as Object>::Key> {
        K::key_of(meta)
    }
}

/// EndpointSlices of a member that is another machine: see [`remote_slice`].
pub struct RemoteSlices;

impl Reading for RemoteSlices {
    type Wire = EndpointSlice;
    type Model = Slice;

    fn read(wire: &EndpointSlice) -> Converted<Slice> {
        remote_slice(wire)
    }
    fn key(meta: &ObjectMeta) -> Option<SliceKey> {
        EndpointSlice::key_of(meta)
    }
}

/// A custom kind: its definition in the cluster may be older, newer or looser than ours, so that one object that does
/// not fit must not make the whole list unreadable.
pub struct Guarded<K>(PhantomData<fn() -> K>);

impl<K: Watchable> Reading for Guarded<K> {
    type Wire = DeserializeGuard<K>;
    type Model = K::Model;

    fn read(wire: &Self::Wire) -> Converted<K::Model> {
        guarded(wire, K::convert)
    }
    fn key(meta: &ObjectMeta) -> Option<<K::Model as Object>::Key> {
        K::key_of(meta)
    }
}

/// Reads an object if it fits its schema, and rejects it if not.
pub(crate) fn guarded<K, T>(wire: &DeserializeGuard<K>, read: impl FnOnce(&K) -> Converted<T>) -> Converted<T>
where
    K: Resource<DynamicType = ()>,
{
    match &wire.0 {
        Ok(object) => read(object),
        Err(invalid) => {
            let object = object_name(&K::kind(&()), &invalid.metadata);
            let problem = Problem::new(&object, "", &invalid.error, "an object that fits its definition");
            Err(vec![problem.losing(REJECTED)])
        }
    }
}
