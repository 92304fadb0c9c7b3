//! Resource names that a client gave one by one.

use std::collections::HashSet;
use std::sync::Arc;

/// A set of names, in order. A sorted list and not a tree: a stream has up to thousands of them, gets most of them at
/// once, and is asked about them at every change, so what counts is how little memory they take and touch.
#[derive(Debug, Default)]
pub(super) struct Names {
    list: Vec<Arc<str>>,
    /// Of all names together.
    bytes: usize,
    /// Names moved to make or fill a gap.
    #[cfg(test)]
    moved: usize,
}

/// As many names are put in or taken out one by one; more of them in one pass over all.
const FEW: usize = 4;

impl Names {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// Of all names together.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.list.iter()
    }

    /// Those that are not in `other`, in order.
    pub(super) fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Arc<str>> {
        self.iter().filter(|name| !other.contains(name))
    }

    /// Takes out those that are there, and returns them in order.
    pub(super) fn take<'a>(&mut self, names: impl ExactSizeIterator<Item = &'a str>) -> Vec<Arc<str>> {
        let mut taken = Vec::new();
        if names.len() <= FEW {
            for name in names {
                let Ok(at) = self.find(name) else { continue };
                self.note_moved(self.list.len() - at);
                taken.push(self.list.remove(at));
            }
            taken.sort_unstable();
        } else {
            let names: HashSet<&str> = names.collect();
            self.note_moved(self.list.len());
            self.list.retain(|name| {
                let is_taken = names.contains(&**name);
                if is_taken {
                    taken.push(name.clone());
                }
                !is_taken
            });
        }
        self.bytes -= taken.iter().map(|name| name.len()).sum::<usize>();
        taken
    }

    /// Adds those that are not there yet.
    pub(super) fn extend(&mut self, names: &[Arc<str>]) {
        if names.len() > FEW {
            self.list.extend_from_slice(names);
            self.put_in_order();
            return;
        }
        for name in names {
            if let Err(at) = self.find(name) {
                self.note_moved(self.list.len() - at);
                self.bytes += name.len();
                self.list.insert(at, name.clone());
            }
        }
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Arc<str>) -> bool) {
        self.list.retain(keep);
        self.list.shrink_to_fit();
        self.bytes = self.iter().map(|name| name.len()).sum();
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.list.binary_search_by(|known| (**known).cmp(name))
    }

    fn put_in_order(&mut self) {
        // Stable, and so nearly free where one sorted list follows another.
        self.note_moved(self.list.len());
        self.list.sort();
        self.list.dedup();
        self.list.shrink_to_fit();
        self.bytes = self.iter().map(|name| name.len()).sum();
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "counted in tests only"))]
    fn note_moved(&mut self, _names: usize) {
        #[cfg(test)]
        {
            self.moved += _names;
        }
    }
}

impl FromIterator<Arc<str>> for Names {
    fn from_iter<I: IntoIterator<Item = Arc<str>>>(names: I) -> Self {
        let mut all = Self { list: names.into_iter().collect(), ..Self::default() };
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
            steps in vec((vec("[a-d]{0,2}", 0..9), vec("[a-d]{0,2}", 0..9)), 0..8),
        ) {
            let mut ours: Names = names(&begin).into_iter().collect();
            let mut tree: BTreeSet<Arc<str>> = names(&begin).into_iter().collect();
            for (added, taken) in steps {
                let added = names(&added);
                ours.extend(&added);
                tree.extend(added.iter().cloned());
                prop_assert!(taken.iter().all(|name| ours.contains(name) == tree.contains(&**name)));
                let other: Names = added.into_iter().collect();
                let rest: Vec<_> = tree.iter().filter(|name| !other.contains(name)).cloned().collect();
                prop_assert_eq!(ours.difference(&other).cloned().collect::<Vec<_>>(), rest);
                let mut from_tree: Vec<_> = taken.iter().filter_map(|name| tree.take(&**name)).collect();
                from_tree.sort();
                prop_assert_eq!(ours.take(taken.iter().map(|name| &**name)), from_tree);
                prop_assert_eq!(ours.bytes(), tree.iter().map(|name| name.len()).sum::<usize>());
                prop_assert_eq!(ours.len(), tree.len());
                prop_assert!(ours.iter().eq(tree.iter()));
            }
            ours.retain(|name| name.len() == 1);
            tree.retain(|name| name.len() == 1);
            prop_assert!(ours.iter().eq(tree.iter()));
        }
    }

    /// However many are named in a request: all of them, every second one, in any order, one by one, or none that is there.
    #[test]
    fn a_request_costs_no_more_than_one_pass_for_each_few_of_its_names() {
        const COUNT: usize = 20_000;
        let all: Vec<Arc<str>> = (0..COUNT).map(|n| Arc::from(format!("name-{n:06}"))).collect();
        let name = |n: usize| all.get(n).map_or("none", |name| &**name);
        let orders: [Vec<&str>; 4] = [
            (0..COUNT).map(name).collect(),
            (0..COUNT).rev().step_by(2).map(name).collect(),
            (0..COUNT).map(|n| name(n * 7_919 % COUNT)).collect(),
            vec!["none"; COUNT],
        ];
        for order in orders {
            let mut names: Names = all.iter().cloned().collect();
            let before = names.moved;
            names.take(order.iter().copied());
            assert!(names.moved - before <= COUNT, "{} moves", names.moved - before);
            let before = names.moved;
            names.extend(&order.iter().map(|name| Arc::from(*name)).collect::<Vec<_>>());
            assert!(names.moved - before <= 2 * COUNT, "{} moves", names.moved - before);
        }
    }
}
