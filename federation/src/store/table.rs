//! Tables of objects, and how a delta is applied to one.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::identity;

use crate::change::{Change, Delta, Object};

/// A map that can be used as a table: hashed where it is large, sorted where order is needed.
pub(crate) trait Table<K, V> {
    fn replace(&mut self, key: K, value: V) -> Option<V>;
    fn take(&mut self, key: &K) -> Option<V>;
    fn keys_vec(&self) -> Vec<K>;
    fn peek(&self, key: &K) -> Option<&V>;
}

macro_rules! table {
    ($map:ident, $held:ty, $into:expr, $out:expr, $($bound:path),+) => {
        impl<K: Clone $(+ $bound)+, V> Table<K, V> for $map<K, $held> {
            fn replace(&mut self, key: K, value: V) -> Option<V> {
                self.insert(key, $into(value)).map($out)
            }
            fn take(&mut self, key: &K) -> Option<V> {
                self.remove(key).map($out)
            }
            fn keys_vec(&self) -> Vec<K> {
                self.keys().cloned().collect()
            }
            fn peek(&self, key: &K) -> Option<&V> {
                self.get(key).map(Borrow::borrow)
            }
        }
    };
}
table!(BTreeMap, V, identity, identity, Ord);
table!(HashMap, V, identity, identity, Eq, std::hash::Hash);
table!(HashMap, Box<V>, Box::new, |boxed| *boxed, Eq, std::hash::Hash);

/// Applies a delta and calls `changed(key, old, new)` for every step in which an object differs. An object that is deleted and
/// put again within one delta is reported twice.
pub(crate) fn apply_table<T: Object + PartialEq, M: Table<T::Key, T>>(
    delta: Delta<T>,
    table: &mut M,
    mut changed: impl FnMut(&T::Key, Option<&T>, Option<&T>),
) {
    match delta {
        Delta::Partial(changes) => {
            for change in changes {
                match change {
                    Change::Put(object) => put(table, object, &mut changed),
                    Change::Delete(key) => {
                        if let Some(old) = table.take(&key) {
                            changed(&key, Some(&old), None);
                        }
                    }
                }
            }
        }
        Delta::Full { objects, rejected } => {
            let mut keep: BTreeSet<T::Key> = rejected.into_iter().collect();
            for object in objects {
                keep.insert(object.key().clone());
                put(table, object, &mut changed);
            }
            for key in table.keys_vec() {
                if !keep.contains(&key)
                    && let Some(old) = table.take(&key)
                {
                    changed(&key, Some(&old), None);
                }
            }
        }
    }
}

fn put<T: Object + PartialEq, M: Table<T::Key, T>>(
    table: &mut M,
    object: T,
    changed: &mut impl FnMut(&T::Key, Option<&T>, Option<&T>),
) {
    let key = object.key().clone();
    if table.peek(&key) == Some(&object) {
        return;
    }
    let old = table.replace(key.clone(), object);
    changed(&key, old.as_ref(), table.peek(&key));
}
