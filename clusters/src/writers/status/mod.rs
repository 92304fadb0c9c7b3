//! Statuses in the hub: conditions on members, regions and policies, counts, and Kubernetes Events when a condition changes.
//!
//! [`conditions`](crate::conditions) makes them from facts; the [`Writer`] writes them, on the leader only.

mod accepted;
mod deadline;
mod events;
mod members;
mod observed;
mod sources;
mod writer;

pub use sources::Sources;
pub use writer::Writer;
