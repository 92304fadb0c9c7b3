//! Resource names that a client gave one by one.

use std::sync::Arc;

/// A set of names, in order. A sorted list and not a tree: a stream has up to thousands of them, gets most of them at
/// once, and is asked about them at every change, so what counts is how little memory they take and touch.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Arc<str>>);

impl Names {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0.iter()
    }

    /// Those that are not in `other`, in order.
    pub(super) fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Arc<str>> {
        self.iter().filter(|name| !other.contains(name))
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Arc<str>> {
        Some(self.0.remove(self.find(name).ok()?))
    }

    /// Adds those that are not there yet.
    pub(super) fn extend(&mut self, names: &[Arc<str>]) {
        match names {
            // An ACK.
            [] => {}
            [name] => {
                if let Err(at) = self.find(name) {
                    self.0.insert(at, name.clone());
                }
            }
            names => {
                self.0.extend_from_slice(names);
                self.put_in_order();
            }
        }
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Arc<str>) -> bool) {
        self.0.retain(keep);
        self.0.shrink_to_fit();
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|known| (**known).cmp(name))
    }

    fn put_in_order(&mut self) {
        // Stable, and so nearly free where one sorted list follows another.
        self.0.sort();
        self.0.dedup();
        self.0.shrink_to_fit();
    }
}

impl FromIterator<Arc<str>> for Names {
    fn from_iter<I: IntoIterator<Item = Arc<str>>>(names: I) -> Self {
        let mut all = Self(names.into_iter().collect());
        all.put_in_order();
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn names(texts: &[String]) -> Vec<Arc<str>> {
        texts.iter().map(|text| Arc::from(&**text)).collect()
    }

    proptest! {
        /// Against the tree of the standard library.
        #[test]
        fn it_is_a_sorted_set(
            begin in vec("[a-d]{0,2}", 0..8),
            steps in vec((vec("[a-d]{0,2}", 0..4), "[a-d]{0,2}"), 0..8),
        ) {
            let mut ours: Names = names(&begin).into_iter().collect();
            let mut tree: BTreeSet<Arc<str>> = names(&begin).into_iter().collect();
            for (added, taken) in steps {
                let added = names(&added);
                ours.extend(&added);
                tree.extend(added.iter().cloned());
                prop_assert_eq!(ours.contains(&taken), tree.contains(&*taken));
                let other: Names = added.into_iter().collect();
                let rest: Vec<_> = tree.iter().filter(|name| !other.contains(name)).cloned().collect();
                prop_assert_eq!(ours.difference(&other).cloned().collect::<Vec<_>>(), rest);
                prop_assert_eq!(ours.take(&taken), tree.take(&*taken));
                prop_assert_eq!(ours.len(), tree.len());
                prop_assert!(ours.iter().eq(tree.iter()));
            }
            ours.retain(|name| name.len() == 1);
            tree.retain(|name| name.len() == 1);
            prop_assert!(ours.iter().eq(tree.iter()));
        }
    }
}
