//! What a watch reads off the wire, and the values it converts that into.

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

    /// What is made of an object of which only this much can be read. `problems`: why.
    fn unfit(_meta: &ObjectMeta, problems: Vec<Problem>) -> Converted<Self::Model> {
        Err(problems)
    }

    /// Ports and endpoints in it: what it comes to besides being an object.
    fn parts(_model: &Self::Model) -> (usize, usize) {
        (0, 0)
    }

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

/// A kind as it is. An object that does not fit its definition is rejected alone.
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
    fn parts(model: &K::Model) -> (usize, usize) {
        K::parts(model)
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
    fn parts(model: &Slice) -> (usize, usize) {
        (model.ports.len(), model.endpoints.len())
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
