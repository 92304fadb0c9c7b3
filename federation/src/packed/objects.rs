//! Objects in a hash table, found by the keys that they hold themselves: a map would hold each key twice.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::{PackedService, PackedSlice};
use crate::change::Object;
use crate::model::{Export, ServiceKey, SliceKey};

type Key<P> = <<P as Deref>::Target as Object>::Key;

/// Pointers to objects: a hash table has room for up to twice what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Objects<P: Deref<Target: Object>>(HashSet<ByKey<P>>);

impl<P: Deref<Target: Object>> Default for Objects<P> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<P: Deref<Target: Object>> Objects<P>
where
    ByKey<P>: Borrow<Key<P>>,
{
    pub fn get(&self, key: &Key<P>) -> Option<&P::Target> {
        self.0.get(key).map(|object| &*object.0)
    }

    pub fn contains_key(&self, key: &Key<P>) -> bool {
        self.0.contains(key)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Key<P>> {
        self.0.iter().map(|object| object.0.key())
    }

    pub fn values(&self) -> impl Iterator<Item = &P::Target> {
        self.0.iter().map(|object| &*object.0)
    }

    /// Returns the object that had the same key.
    pub fn insert(&mut self, object: P) -> Option<P> {
        self.0.replace(ByKey(object)).map(|ByKey(old)| old)
    }

    pub fn remove(&mut self, key: &Key<P>) -> Option<P> {
        self.0.take(key).map(|ByKey(old)| old)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// An object that is compared by nothing but its key.
#[derive(Clone, Debug)]
pub(crate) struct ByKey<P>(pub P);

impl<P: Deref<Target: Object>> PartialEq for ByKey<P> {
    fn eq(&self, other: &Self) -> bool {
        self.0.key() == other.0.key()
    }
}

impl<P: Deref<Target: Object>> Eq for ByKey<P> {}

impl<P: Deref<Target: Object>> Hash for ByKey<P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key().hash(state);
    }
}

impl<P: Deref<Target: Object>> PartialOrd for ByKey<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P: Deref<Target: Object>> Ord for ByKey<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key().cmp(other.0.key())
    }
}

// One by one: for all pointers at once, the compiler cannot exclude that an object is its own key.
macro_rules! found_by {
    ($key:ty: $($pointer:ty),+) => {$(
        impl Borrow<$key> for ByKey<$pointer> {
            fn borrow(&self) -> &$key {
                self.0.key()
            }
        }
    )+};
}
found_by!(ServiceKey: Box<PackedService>, Box<Export>);
found_by!(SliceKey: Arc<PackedSlice>);
