//! Applies what the engine plans: Namespaces and selector-less Services in members, so that their own DNS knows
//! the names of services that run elsewhere. A level-triggered list of work: the newest action for an object stays until
//! the member's watch shows it fulfilled, what fails is tried again, an object that is not ours is never touched, and
//! nothing is written into a member that another hub holds.

mod apply;
mod fields;
pub mod folder;
mod hold;
mod objects;
mod release;
mod work;
mod writer;

pub use hold::LEASE;
pub use writer::Writer;
