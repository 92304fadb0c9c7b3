//! Tables of objects, and how a delta is applied to one.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use crate::change::{Change, Delta, Object};
use crate::packed::{ByKey, Objects};

/// A map that can be used as a table of what sources report: hashed where it is large, sorted where order is needed.
pub(crate) trait Table<T: Object> {
    /// The form in which an object is kept.
    type Kept: Object<Key = T::Key> + PartialEq<T>;
    type Holder: Borrow<Self::Kept>;

    fn replace(&mut self, kept: Self::Kept) -> Option<Self::Holder>;
    fn take(&mut self, key: &T::Key) -> Option<Self::Holder>;
    fn keys_vec(&self) -> Vec<T::Key>;
    fn peek(&self, key: &T::Key) -> Option<&Self::Kept>;
}

impl<T: Object + PartialEq> Table<T> for BTreeMap<T::Key, T> {
    type Kept = T;
    type Holder = T;

    fn replace(&mut self, kept: T) -> Option<T> {
        self.insert(kept.key().clone(), kept)
    }
    fn take(&mut self, key: &T::Key) -> Option<T> {
        self.remove(key)
    }
    fn keys_vec(&self) -> Vec<T::Key> {
        self.keys().cloned().collect()
    }
    fn peek(&self, key: &T::Key) -> Option<&T> {
        self.get(key)
    }
}

impl<T, P> Table<T> for Objects<P>
where
    T: Object,
    P: Deref<Target: Object<Key = T::Key> + PartialEq<T> + Sized> + Borrow<P::Target> + From<P::Target>,
    ByKey<P>: Borrow<T::Key>,
{
    type Kept = P::Target;
    type Holder = P;

    fn replace(&mut self, kept: P::Target) -> Option<P> {
        self.insert(P::from(kept))
    }
    fn take(&mut self, key: &T::Key) -> Option<P> {
        self.remove(key)
    }
    fn keys_vec(&self) -> Vec<T::Key> {
        self.keys().cloned().collect()
    }
    fn peek(&self, key: &T::Key) -> Option<&P::Target> {
        self.get(key)
    }
}

/// Applies a delta and calls `changed(key, old, new)` for every step in which an object differs; `keep` makes of an object what is kept of
/// it. An object that is deleted and put again within one delta is reported twice.
pub(crate) fn apply_table<T: Object, M: Table<T>>(
    delta: Delta<T>,
    table: &mut M,
    mut keep: impl FnMut(T) -> M::Kept,
    mut changed: impl FnMut(&T::Key, Option<&M::Kept>, Option<&M::Kept>),
) {
    match delta {
        Delta::Partial(changes) => {
            for change in changes {
                match change {
                    Change::Put(object) => put(table, object, &mut keep, &mut changed),
                    Change::Delete(key) => delete(table, &key, &mut changed),
                }
            }
        }
        Delta::Full { objects, rejected } => {
            let mut listed: BTreeSet<T::Key> = rejected.into_iter().collect();
            for object in objects {
                listed.insert(object.key().clone());
                put(table, object, &mut keep, &mut changed);
            }
            for key in table.keys_vec() {
                if !listed.contains(&key) {
                    delete(table, &key, &mut changed);
                }
            }
        }
    }
}

fn put<T: Object, M: Table<T>>(
    table: &mut M,
    object: T,
    keep: &mut impl FnMut(T) -> M::Kept,
    changed: &mut impl FnMut(&T::Key, Option<&M::Kept>, Option<&M::Kept>),
) {
    if table.peek(object.key()).is_some_and(|kept| *kept == object) {
        return;
    }
    let kept = keep(object);
    let key = kept.key().clone();
    let old = table.replace(kept);
    changed(&key, old.as_ref().map(Borrow::borrow), table.peek(&key));
}

fn delete<T: Object, M: Table<T>>(
    table: &mut M,
    key: &T::Key,
    changed: &mut impl FnMut(&T::Key, Option<&M::Kept>, Option<&M::Kept>),
) {
    let Some(old) = table.take(key) else { return };
    let old: &M::Kept = old.borrow();
    changed(old.key(), Some(old), None);
}
