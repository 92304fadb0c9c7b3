//! For tests and benchmarks, here and in other crates: short texts for model values ([`make`]), reports about
//! members ([`report`]), whole federations ([`TestFederation`]), and a second opinion on everything the engine decides ([`Oracle`], [`Published`], [`Replica`]).

pub mod make;
mod oracle;
mod published;
mod replica;
pub mod report;
mod test_federation;

pub use oracle::Oracle;
pub use published::Published;
pub use replica::Replica;
pub use test_federation::{Contents, TestFederation};
