//! Whose object is it? Nothing that is not surely ours may ever be changed, so doubt means: somebody else's.

use federation::model::{ClusterId, Owner};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{ANNOTATION_SOURCES, FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_MIRROR, MANAGED_BY};

/// Sources that are read from one mirror.
pub const MAX_SOURCES: usize = 1_024;

/// Ours only with both labels *and*, where the object says who wrote it, with our field manager. Objects must get here
/// before `managedFields` are stripped: without them a user could pass an object off as ours by labels alone.
pub(super) fn owner(meta: &ObjectMeta) -> Owner {
    let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    let labelled = label(LABEL_MIRROR) == Some("true") && label(LABEL_MANAGED_BY) == Some(MANAGED_BY);
    let written = match meta.managed_fields.as_deref() {
        None | Some([]) => true, // files written by hand have none
        Some(entries) => entries.iter().any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER)),
    };
    if labelled && written { Owner::Mirror { sources: sources(meta) } } else { Owner::User }
}

/// Ids in the annotation. What is no id was not written by us; leaving it out makes the object differ from what it
/// should be, so that it is put right.
fn sources(meta: &ObjectMeta) -> Vec<ClusterId> {
    let text = meta.annotations.as_ref().and_then(|annotations| annotations.get(ANNOTATION_SOURCES));
    let ids = text.into_iter().flat_map(|text| text.split(',')).take(MAX_SOURCES);
    ids.filter_map(|id| ClusterId::new(id).ok()).collect()
}
