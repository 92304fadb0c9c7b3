//! Kubernetes labels and the equality selectors that match them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels of one object. The conversion bounds their number and size. Sorted, and no larger than necessary: every object
/// has some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Arc<[Label]>);

/// Key and value.
pub(crate) type Label = (Arc<str>, Arc<str>);

impl Labels {
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(known, _)| (**known).cmp(key)).ok()?;
        self.0.get(at).map(|(_, value)| &**value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The same labels with another copy of the list.
    pub(crate) fn map_list(self, copy: impl FnOnce(Arc<[Label]>) -> Arc<[Label]>) -> Self {
        Self(copy(self.0))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        // Of two values of a key, the last one holds.
        let sorted: BTreeMap<&str, &str> = pairs.into_iter().collect();
        Self(sorted.into_iter().map(|(key, value)| (Arc::from(key), Arc::from(value))).collect())
    }
}

/// `matchLabels`: every pair must be there. The empty selector matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    pub match_labels: Labels,
}

impl Selector {
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// How many pairs it requires: the more, the more specific.
    pub fn specificity(&self) -> usize {
        self.match_labels.len()
    }
}
