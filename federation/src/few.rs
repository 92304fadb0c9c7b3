//! A sorted set of few items: a tree's first node alone has room for eleven, and there are tens of thousands of sets of one.

/// A set kept as a sorted vector. Everything but finding is O(n): for a few items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Few<T>(Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Few<T> {
    pub fn insert(&mut self, item: T) {
        if let Err(at) = self.0.binary_search(&item) {
            // Exactly as much as is needed: most of these never change again.
            self.0.reserve_exact(1);
            self.0.insert(at, item);
        }
    }

    pub fn remove(&mut self, item: &T) {
        if let Ok(at) = self.0.binary_search(item) {
            self.0.remove(at);
        }
    }

    /// Takes the least.
    pub fn take_first(&mut self) -> Option<T> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// The least.
    pub fn first(&self) -> Option<&T> {
        self.0.first()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}
