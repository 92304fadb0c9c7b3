//! Brings about what the engine asks for: Namespaces and selector-less Services in members, so that their own DNS knows
//! the names of services that run elsewhere. A level-triggered list of work: the newest wish for an object wins, what
//! fails is tried again, and an object that is not ours is never touched.

mod apply;
pub mod folder;
mod objects;
mod work;
mod writer;

pub use work::MirrorProgress;
pub use writer::Writer;
