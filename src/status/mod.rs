//! What people are told: conditions on members and policies, counts, and Kubernetes Events when something turns.
//!
//! [`conditions`] is pure: facts in, conditions out. The [`Writer`] brings them to the hub, on the leader only.

mod accepted;
pub mod conditions;
mod events;
pub mod known;
mod members;
mod notices;
mod observed;
pub mod reasons;
pub(crate) mod text;
mod wanted;
mod writer;

pub(crate) use text::timestamp;
pub use text::{hub_notice, hub_subject, notes};
pub use writer::{Sources, Writer};
