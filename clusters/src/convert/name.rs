//! An object's name, as its metadata gives it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::problem::ObjectName;

/// An object as problems name it.
pub fn object_name(kind: &str, meta: &ObjectMeta) -> ObjectName {
    ObjectName::new(kind, meta.namespace.as_deref(), name(meta))
}

pub(super) fn name(meta: &ObjectMeta) -> &str {
    meta.name.as_deref().unwrap_or_default()
}
