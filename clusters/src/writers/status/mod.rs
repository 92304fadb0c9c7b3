//! Statuses in the hub: conditions on members, regions and policies, counts, and Kubernetes Events when a condition changes.
//!
//! [`conditions`](crate::conditions) makes them from facts; the [`Writer`] compares them with what the hub shows, and gives the
//! differences to the [`queue`](crate::writers::queue) of writes.

mod accepted;
mod events;
mod members;
mod row;
mod sources;
mod submit;
mod writer;

pub use sources::Sources;
pub use writer::Writer;
