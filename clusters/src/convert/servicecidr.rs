//! ServiceCIDR objects: where ClusterIPs come from (Kubernetes 1.33 and later; beta since 1.31).

use std::sync::Arc;

use federation::model::ServiceCidr;
use k8s_openapi::api::networking::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::cidr::MAX_CIDRS_PER_SERVICECIDR;
use super::{Converted, meta};

/// One that is being deleted still counts: its addresses may be in use until it is gone.
pub fn service_cidr(object: &k8s::ServiceCIDR) -> Converted<ServiceCidr> {
    let mut check = Check::new("ServiceCIDR", &object.metadata);
    let name = meta::checked_subdomain(&mut check, &object.metadata);
    let texts = object.spec.as_ref().and_then(|spec| spec.cidrs.clone()).unwrap_or_default();
    let cidrs = check.ranges_of_member("spec.cidrs", &texts, MAX_CIDRS_PER_SERVICECIDR);
    check.finish(name.map(|name| ServiceCidr { name, cidrs }))
}

pub fn key_service_cidr(meta: &ObjectMeta) -> Option<Arc<str>> {
    meta::subdomain(meta)
}
