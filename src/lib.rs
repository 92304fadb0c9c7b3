//! The process: flags, wiring, pages, and the commands that show and measure it. What it is made of are three crates:
//! [`clusters`], [`federation`] and [`regions`].

pub mod admin;
pub mod bench;
pub mod cli;
pub mod demo;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod limits;
pub mod outcome;
pub mod process;
pub mod terminal;
