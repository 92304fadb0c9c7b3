//! Where batches come from: API servers that are watched, and folders.
//!
//! Everything leaves as [`federation::change::Batch`]es through the [`feed::Feed`]. A source that loses an API server reports
//! that (`LinkChange::Down`) and nothing else: no object is ever withdrawn because its cluster cannot be reached.

pub mod feed;
pub mod folder;
pub mod hub;
pub mod member;
pub mod registry;
pub mod watch;

pub use registry::{HubOptions, Tables, run_hub};
