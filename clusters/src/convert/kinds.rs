//! Which Kubernetes type becomes which type of the model.

use federation::change::Object;
use federation::model;
use k8s_openapi::api::{core::v1 as core, discovery::v1 as discovery, networking::v1 as networking};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::accepted::Converted;
use super::export::{export, key_export};
use super::hub::{key_member, key_policy, key_region, member, policy, region};
use super::namespace::{key_namespace, namespace};
use super::node::{key_node, node};
use super::service::{key_service, service};
use super::servicecidr::{key_service_cidr, service_cidr};
use super::slice::{key_slice, slice};
use crate::api;

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
