//! Resource names as small numbers, shared by all clients: a thousand clients hold the same ten thousand names.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use xxhash_rust::xxh3::Xxh3Builder;

#[derive(Debug, Default)]
pub struct Names {
    inner: RwLock<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ids: HashMap<Arc<str>, u32, Xxh3Builder>,
    names: Vec<Arc<str>>,
}

impl Names {
    /// The number of each name, in this order. New names get new numbers.
    pub fn ids<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> Vec<u32> {
        let known = {
            let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
            names.clone().map(|name| inner.ids.get(name).copied()).collect::<Option<Vec<u32>>>()
        };
        known.unwrap_or_else(|| {
            let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
            names.map(|name| inner.add(name)).collect()
        })
    }

    pub fn id(&self, name: &str) -> u32 {
        self.ids(std::iter::once(name)).first().copied().unwrap_or_default()
    }

    /// The names of the numbers, without those that are unknown.
    pub fn names(&self, ids: impl Iterator<Item = u32>) -> Vec<Arc<str>> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        ids.filter_map(|id| inner.names.get(usize::try_from(id).ok()?).cloned()).collect()
    }
}

impl Inner {
    fn add(&mut self, name: &str) -> u32 {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let name: Arc<str> = Arc::from(name);
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let names = Names::default();
        assert_eq!(names.ids(["a", "b", "a"].into_iter()), [0, 1, 0]);
        assert_eq!(names.ids(["c", "b"].into_iter()), [2, 1]);
        assert_eq!(names.names([2, 0, 9].into_iter()).iter().map(|name| &**name).collect::<Vec<_>>(), ["c", "a"]);
    }
}
