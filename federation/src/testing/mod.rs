//! For tests and benchmarks, here and in other crates: short words for model values ([`make`]), whole worlds
//! ([`World`]), and a second opinion on everything the engine decides ([`Oracle`], [`Picture`], [`Replica`]).

pub mod make;
mod oracle;
mod picture;
mod replica;
mod world;

pub use oracle::Oracle;
pub use picture::Picture;
pub use replica::Replica;
pub use world::{Contents, World};
