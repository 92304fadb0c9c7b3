//! From Kubernetes objects to the federation's own words. Whatever the source, cluster or folder, objects come through
//! here, so that the same object means the same everywhere.
//!
//! Each object is judged alone: it is taken, it is not for us, or it is rejected with everything that is wrong with it. As
//! little as possible is lost: an endpoint whose zone cannot be used is taken without a zone, and that is reported. An object is
//! rejected only where a part of it cannot be left out: its name, what decides who may do what, or all there was in it.

mod accepted;
mod check;
mod cidr;
mod derived;
mod export;
mod hub;
mod kinds;
mod marks;
mod meta;
mod name;
mod namespace;
mod node;
mod owner;
mod service;
mod servicecidr;
mod slice;
#[cfg(test)]
mod tests;

pub use crate::problem::MAX_NAME_LEN;
pub use accepted::{Accepted, Converted};
pub use check::REJECTED;
pub use cidr::{CidrError, MAX_CIDRS_PER_NODE, MAX_CIDRS_PER_SERVICECIDR, parse_cidr, parse_cidr_flag};
pub use export::{export, key_export};
pub use hub::{key_member, key_policy, key_region, member, policy, region};
pub use kinds::Convert;
pub use meta::{MAX_LABEL_KEY_LEN, MAX_LABEL_VALUE_LEN, MAX_LABELS_PER_OBJECT, MAX_UID_LEN, time};
pub use name::object_name;
pub use namespace::{key_namespace, namespace};
pub use node::{key_node, node};
pub use owner::MAX_SOURCES;
pub(crate) use owner::{claims, helm_claimed, is_ours, others};
pub use service::{MAX_APP_PROTOCOL_LEN, MAX_PORTS_PER_SERVICE, key_service, service};
pub use servicecidr::{key_service_cidr, service_cidr};
pub use slice::{MAX_ENDPOINTS_PER_SLICE, MAX_PORTS_PER_SLICE, key_slice, remote_slice, slice};
