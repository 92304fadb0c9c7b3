//! Namespaces.

use federation::model::{Namespace, NamespaceObject};
use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::{Converted, marks, meta, owner};

pub fn namespace(object: &k8s::Namespace) -> Converted<NamespaceObject> {
    let mut check = Check::new("Namespace", &object.metadata);
    let name = check.name("metadata.name", meta::name(&object.metadata), Namespace::new);
    let (uid, resource_version) = meta::identity(&mut check, &object.metadata);
    let labels = meta::labels(&mut check, &object.metadata);
    let phase = object.status.as_ref().and_then(|status| status.phase.as_deref());
    let terminating = phase == Some("Terminating") || object.metadata.deletion_timestamp.is_some();
    let (helm, hint) = (owner::helm(&object.metadata), marks::hint(&object.metadata, &labels));
    let namespace = name.map(|name| NamespaceObject { name, uid, resource_version, labels, terminating, helm, hint });
    check.finish(namespace)
}

pub fn key_namespace(meta: &ObjectMeta) -> Option<Namespace> {
    Namespace::new(meta::name(meta)).ok()
}
