//! What people are told: conditions on members and policies, counts, and Kubernetes Events when something turns.
//!
//! [`conditions`] is pure: facts in, conditions out. The [`Writer`] brings them to the hub, on the leader only.

pub mod conditions;
mod events;
mod members;
mod notices;
mod observed;
mod policies;
pub mod reasons;
pub(crate) mod text;
mod wanted;
mod writer;

pub(crate) use text::timestamp;
pub use text::{notes, refused_addresses};
pub use writer::{Sources, Writer};
