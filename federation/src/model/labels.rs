//! Kubernetes labels and the equality selectors that match them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Labels of one object. The edge bounds their number and size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(pub BTreeMap<Arc<str>, Arc<str>>);

impl Labels {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| &**value)
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Labels {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(key, value)| (Arc::from(key), Arc::from(value))).collect())
    }
}

/// `matchLabels`: every pair must be there. The empty selector matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    pub match_labels: Labels,
}

impl Selector {
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.0.iter().all(|(key, value)| labels.0.get(key) == Some(value))
    }

    /// How many pairs it asks for: the more, the more specific.
    pub fn specificity(&self) -> usize {
        self.match_labels.0.len()
    }
}
