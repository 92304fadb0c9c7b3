//! From Kubernetes objects to the federation's own words. Whatever the source, cluster or folder, objects come through
//! here, so that the same object means the same everywhere.
//!
//! Each object is judged alone: it is taken, it is not for us, or it is rejected with everything that is wrong with it. As
//! little as possible is lost: an endpoint whose zone cannot be used is taken without a zone, and said so. An object is
//! rejected only where a part of it cannot be left out: its name, what decides who may do what, or all there was in it.

mod check;
mod cidr;
mod derived;
mod export;
mod hub;
mod marks;
mod meta;
mod namespace;
mod node;
mod owner;
mod service;
mod servicecidr;
mod slice;
#[cfg(test)]
mod tests;

use federation::change::Object;
use federation::model;
use k8s_openapi::api::{core::v1 as core, discovery::v1 as discovery, networking::v1 as networking};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub use check::REJECTED;
pub use cidr::{CidrError, MAX_CIDRS_PER_NODE, MAX_CIDRS_PER_SERVICECIDR, parse_cidr, parse_cidr_flag};
pub use export::{export, key_export};
pub use hub::{key_member, key_policy, key_region, member, policy, region};
pub use meta::{
    MAX_LABEL_KEY_LEN, MAX_LABEL_VALUE_LEN, MAX_LABELS_PER_OBJECT, MAX_NAME_LEN, MAX_UID_LEN, object_name, time,
};
pub use namespace::{key_namespace, namespace};
pub use node::{key_node, node};
pub use owner::MAX_SOURCES;
pub(crate) use owner::{claims, helm_claimed, is_ours, others};
pub use service::{MAX_APP_PROTOCOL_LEN, MAX_PORTS_PER_SERVICE, key_service, service};
pub use servicecidr::{key_service_cidr, service_cidr};
pub use slice::{MAX_ENDPOINTS_PER_SLICE, MAX_PORTS_PER_SLICE, key_slice, remote_slice, slice};

use crate::api;
use crate::problem::Problem;

/// `Err`: this object is rejected alone, and its last good state stays; the problems are at most
/// [`MAX_PROBLEMS_PER_OBJECT`](crate::problem::MAX_PROBLEMS_PER_OBJECT).
pub type Converted<T> = Result<Accepted<T>, Vec<Problem>>;

/// An object that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted<T> {
    /// `None`: not for us, which also means gone if it was taken before.
    pub object: Option<T>,
    /// What of it could not be used, and was left out.
    pub problems: Vec<Problem>,
}

impl<T> From<Option<T>> for Accepted<T> {
    fn from(object: Option<T>) -> Self {
        Self { object, problems: Vec::new() }
    }
}

impl<T> Accepted<T> {
    pub fn not_for_us() -> Self {
        None.into()
    }

    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Accepted<U> {
        Accepted { object: self.object.map(change), problems: self.problems }
    }
}

/// A Kubernetes type that the federation has a word for. Sources are generic over this.
pub trait Convert: kube::Resource<DynamicType = ()> {
    type Model: Object;

    fn convert(&self) -> Converted<Self::Model>;

    /// The key of an object by its metadata alone; `None` if it cannot have one, and so never had a good state.
    fn key_of(meta: &ObjectMeta) -> Option<<Self::Model as Object>::Key>;

    /// Ports and endpoints in it, which are counted for each member.
    fn parts(_model: &Self::Model) -> (usize, usize) {
        (0, 0)
    }
}

macro_rules! convert {
    ($kubernetes:ty, $model:ty, $convert:path, $key:path $(, $parts:expr)?) => {
        impl Convert for $kubernetes {
            type Model = $model;

            fn convert(&self) -> Converted<$model> {
                $convert(self)
            }
            fn key_of(meta: &ObjectMeta) -> Option<<$model as Object>::Key> {
                $key(meta)
            }
            $(fn parts(model: &$model) -> (usize, usize) {
                let parts: fn(&$model) -> (usize, usize) = $parts;
                parts(model)
            })?
        }
    };
}

convert!(api::Region, model::Region, region, key_region);
convert!(api::MemberCluster, model::Member, member, key_member);
convert!(api::FederationPolicy, model::Policy, policy, key_policy);
convert!(core::Namespace, model::NamespaceObject, namespace, key_namespace);
convert!(core::Service, model::Service, service, key_service, |service| (service.ports.len(), 0));
convert!(core::Node, model::Node, node, key_node);
convert!(discovery::EndpointSlice, model::Slice, slice, key_slice);
convert!(networking::ServiceCIDR, model::ServiceCidr, service_cidr, key_service_cidr);
convert!(api::ServiceExport, model::Export, export, key_export);
