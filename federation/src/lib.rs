//! All clusters together: which members are admitted, what each service is over all members, and what each member should hold.
//!
//! The crate is pure. **It has no IO, no clock, no async and no Kubernetes types**: time is an argument, objects are the plain
//! types of [`model`], and the result of a round is its [`Effects`].
//!
//! [`change::Batch`] → [`Engine::apply`] → [`Effects`]; inside, a row of stages, each of which stops where its result equals what
//! it was before. [`ranking::assign`] ranks the endpoints of a merged service for one class of clients.

mod addresses;
mod admission;
pub mod change;
mod cidr;
pub mod desired;
mod effects;
mod engine;
pub mod explain;
pub mod few;
mod knowledge;
mod life_cycle;
mod merge;
mod mirror;
pub mod model;
mod packed;
pub mod ranking;
pub mod references;
pub mod report;
mod selection;
mod stages;
mod stats;
mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use admission::Authority;
pub use change::HubKind;
pub use effects::{Effects, Place, Topology, Vips};
pub use engine::{Config, Engine, invariants};
pub use knowledge::{Deadlines, Knowledge, Phase};
pub use merge::MAX_HOSTS;
pub use selection::{FEDERATE_LABEL, FederateMark};
pub use stages::knowledge::Awaits;
pub use stats::Stats;
