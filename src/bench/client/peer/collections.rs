//! Where a client that fetches endpoints one by one finds them: the glob collections that its load assignments name.

use std::collections::{BTreeMap, BTreeSet};

/// Collections by the number of the load assignment that names them. Each is named by one only.
#[derive(Debug, Default)]
pub struct Collections(BTreeMap<u32, BTreeSet<String>>);

/// What that means for the client's subscription.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub subscribe: Vec<String>,
    pub unsubscribe: Vec<String>,
}

impl Collections {
    /// The load assignment names these now.
    pub fn set(&mut self, assignment: u32, names: BTreeSet<String>) -> Difference {
        let old = if names.is_empty() { self.0.remove(&assignment) } else { self.0.insert(assignment, names.clone()) };
        let old = old.unwrap_or_default();
        Difference {
            subscribe: names.difference(&old).cloned().collect(),
            unsubscribe: old.difference(&names).cloned().collect(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(String::as_str)
    }
}

/// Whether an endpoint's name is in the collection.
pub fn holds(collection: &str, endpoint: &str) -> bool {
    collection.strip_suffix('*').is_some_and(|begin| endpoint.starts_with(begin))
}
