//! How the types of [`federation::model`] and [`federation::change`] are encoded: one family of types a file.

mod change;
mod cluster;
mod delta;
mod endpoint;
mod link;
mod member;
mod names;
mod namespace;
mod policy;
mod service;
