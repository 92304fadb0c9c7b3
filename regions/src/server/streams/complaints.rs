//! The last rejection of each node and type, remembered also after its stream ended: a proxy that cannot apply its
//! configuration often connects again and again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use crate::resource::{PerType, ResourceType};

/// Nodes whose rejections are remembered; beyond that, the one that has rejected nothing for longest is forgotten. Each takes
/// up to [`crate::session::MAX_ERROR_LEN`] bytes a type.
pub const MAX_NODES: usize = 1_024;

/// A node's rejections of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Responses rejected, over all its streams.
    pub count: u64,
    /// The last one.
    pub error: Arc<str>,
    pub at: SystemTime,
    /// Nothing of the type was accepted since.
    pub standing: bool,
}

/// The last rejection of each type.
pub type Complaints = PerType<Option<Complaint>>;

#[derive(Default)]
pub(super) struct Book {
    nodes: HashMap<Arc<str>, (u64, Complaints)>,
    /// Nodes by when they last rejected something.
    order: BTreeMap<u64, Arc<str>>,
    clock: u64,
}

impl Book {
    pub(super) fn add(&mut self, node: &str, resource_type: ResourceType, error: Arc<str>, at: SystemTime) {
        self.clock += 1;
        let node = match self.nodes.get_mut(node) {
            Some((last, _)) => {
                let node = self.order.remove(last).unwrap_or_else(|| Arc::from(node));
                *last = self.clock;
                node
            }
            None => {
                let node: Arc<str> = Arc::from(node);
                self.nodes.insert(node.clone(), (self.clock, Complaints::default()));
                node
            }
        };
        if let Some((_, complaints)) = self.nodes.get_mut(&node) {
            let count = complaints[resource_type].as_ref().map_or(0, |complaint| complaint.count) + 1;
            complaints[resource_type] = Some(Complaint { count, error, at, standing: true });
        }
        self.order.insert(self.clock, node);
        if self.nodes.len() > MAX_NODES
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.nodes.remove(&oldest);
        }
    }

    /// Something of the type was accepted.
    pub(super) fn settle(&mut self, node: &str, resource_type: ResourceType) {
        if let Some((_, complaints)) = self.nodes.get_mut(node)
            && let Some(complaint) = &mut complaints[resource_type]
        {
            complaint.standing = false;
        }
    }

    pub(super) fn of(&self, node: &str) -> Complaints {
        self.nodes.get(node).map(|(_, complaints)| complaints.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c07_the_node_whose_last_rejection_is_oldest_is_forgotten_first() {
        let mut book = Book::default();
        let add = |book: &mut Book, node: &str| {
            book.add(node, ResourceType::Route, Arc::from("no good"), SystemTime::UNIX_EPOCH);
        };
        for i in 0..MAX_NODES {
            add(&mut book, &i.to_string());
        }
        add(&mut book, "0");
        add(&mut book, "new");
        let count = |node: &str| book.of(node)[ResourceType::Route].as_ref().map(|complaint| complaint.count);
        assert_eq!((count("0"), count("1"), count("2"), count("new")), (Some(2), None, Some(1), Some(1)));
        assert_eq!((book.nodes.len(), book.order.len()), (MAX_NODES, MAX_NODES));
    }
}
