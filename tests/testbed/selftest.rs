//! Proof that the test bed is what it says, and what it costs.

mod ads;
mod clusters;
mod namespaces;
mod parts;
mod processes;
