//! Clusters through their API servers: who belongs (from the hub), how each is reached, and what is watched in it.
//!
//! Everything leaves as [`federation::change::Batch`]es through the [`crate::feed::Feed`]. Losing an API server says so
//! (`LinkChange::Down`) and nothing else: no object is ever withdrawn because somebody could not be heard.

pub mod bounds;
pub mod connect;
pub mod kubeconfig;
pub mod member;
pub mod registry;
mod retry;
pub mod secret;
mod tables;
pub mod watch;
pub mod wire;

pub use bounds::MemberBounds;
pub use registry::{HubOptions, Tables, run_hub};
pub use retry::Retry;
pub use secret::Access;
pub use tables::{Clients, HubTroubles, MemberClient, Note, NoteReason, Notes, SeenMark, SeenTable, TakeOvers, now};
