//! What the store holds most of, in little room: there may be hundreds of thousands of Services and millions of endpoints. What sources
//! report is packed when it is stored, and read in the packed form from then on.

mod endpoints;
mod identity;
mod objects;
mod pool;
mod service;
mod slice;

pub(crate) use endpoints::EndpointRef;
pub(crate) use objects::{ByKey, Objects};
pub(crate) use pool::Pools;
pub(crate) use service::PackedService;
pub(crate) use slice::PackedSlice;
