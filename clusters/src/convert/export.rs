//! ServiceExports (KEP-1645).

use federation::model::{Export, ServiceKey};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::{Converted, meta};
use crate::api::ServiceExport;

pub fn export(object: &ServiceExport) -> Converted<Export> {
    let mut check = Check::new("ServiceExport", &object.metadata);
    let key = meta::checked_service_key(&mut check, &object.metadata);
    check.finish(key.map(|key| Export { key, created: meta::created(&object.metadata) }))
}

pub fn key_export(meta: &ObjectMeta) -> Option<ServiceKey> {
    meta::service_key(meta)
}
