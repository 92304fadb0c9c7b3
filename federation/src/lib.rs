//! The mind of Isthmus: what several clusters look like *together*.
//!
//! It takes values and returns values. **It knows no IO, no clock, no async and no Kubernetes**: time comes in as an
//! argument, objects come in as the plain types of [`model`], and what should happen leaves as [`Effects`].
//!
//! [`change::Batch`] → [`Engine::apply`] → [`Effects`]; inside: store → admission → merge → mirror plan, each stage
//! stopping where its result equals what it was. [`view::assign`] ranks a merged service for one class of clients.

mod addresses;
mod admission;
pub mod change;
mod cidr;
mod effects;
mod engine;
mod failover;
pub mod few;
mod merge;
mod mirror;
pub mod model;
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
pub mod view;

pub use admission::Authority;
pub use effects::{Effects, MirrorAction, MirrorKey, MirrorService, Place, Topology, Vips};
pub use engine::{Config, Engine};
pub use merge::MAX_HOSTS;
pub use selection::{FEDERATE_LABEL, FederateMark};
pub use stages::hub::HubKind;
pub use stages::knowledge::Awaits;
pub use stats::Stats;
