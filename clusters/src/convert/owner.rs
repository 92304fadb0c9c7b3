//! Whose object is it? Nothing that is not surely ours may ever be changed, so doubt means: another owner's.
//!
//! `managedFields` decides, which the API server keeps: a label can be copied, an entry there cannot be forged without
//! writing the object. Objects must get here before `managedFields` are stripped.

use std::sync::Arc;

use federation::model::{ClusterId, Digest, HelmRelease, Mark, Owner};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use crate::api::{
    ANNOTATION_HELM_NAME, ANNOTATION_HELM_NAMESPACE, ANNOTATION_HUB, ANNOTATION_LAST_APPLIED, ANNOTATION_SOURCES,
    FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_MIRROR, MANAGED_BY_HELM,
};

/// Sources that are read from one mirror.
pub const MAX_SOURCES: usize = 1_024;
/// Longest name of a Helm release or of its namespace, in bytes. Helm allows 53 for the name.
const MAX_RELEASE_LEN: usize = 253;

/// What a Service's spec says about whose it is: our mirrors have neither a selector nor an external name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spec {
    Bare,
    /// Its users gave it workloads, or another name to point to.
    Used,
}

pub(super) fn owner(meta: &ObjectMeta, spec: Spec) -> Owner {
    let labelled = label(meta, LABEL_MIRROR) == Some("true");
    let annotated = annotation(meta, ANNOTATION_SOURCES).is_some();
    if !labelled && !annotated {
        // What replaced a mirror as a whole keeps our claim to whatever is as it was, and nothing else of ours.
        let claimed = |entry: &ManagedFieldsEntry| is_ours(entry) && claims(entry, &["f:spec"]);
        let claimed = meta.managed_fields.iter().flatten().any(claimed);
        return if claimed { Owner::Adopted } else { Owner::User };
    }
    let written = match meta.managed_fields.as_deref() {
        None | Some([]) => true, // files written by hand have none
        Some(entries) => entries.iter().any(is_ours),
    };
    match (labelled, written) {
        (true, true) if spec == Spec::Used || is_taken(meta) => Owner::Adopted,
        (true, true) => Owner::Mirror(Box::new(mark(meta))),
        // A user took the label off, and with it made the object theirs: what else of ours is on it has to go.
        (false, true) if meta.managed_fields.as_ref().is_some_and(|entries| !entries.is_empty()) => Owner::Adopted,
        (false, _) => Owner::User,
        (true, false) if spec == Spec::Used => Owner::User,
        // A restored object is as its backup was. An apply by a user is a copy: its author means to keep it.
        (true, false) if annotated && annotation(meta, ANNOTATION_HUB).is_some() && !is_taken(meta) => {
            Owner::Restored(Box::new(mark(meta)))
        }
        (true, false) => Owner::Lookalike,
    }
}

/// The release by which Helm knows the object, if it would take it over.
pub(crate) fn helm(meta: &ObjectMeta) -> Option<Arc<HelmRelease>> {
    let text = |key| annotation(meta, key).filter(|text| !text.is_empty() && text.len() <= MAX_RELEASE_LEN);
    let (name, namespace) = (text(ANNOTATION_HELM_NAME)?, text(ANNOTATION_HELM_NAMESPACE)?);
    let managed = label(meta, LABEL_MANAGED_BY) == Some(MANAGED_BY_HELM);
    managed.then(|| Arc::new(HelmRelease { name: Arc::from(name), namespace: Arc::from(namespace) }))
}

/// Another manager wrote one of the fields that name a Helm release.
pub(crate) fn helm_claimed(meta: &ObjectMeta) -> bool {
    let claims = |entry: &ManagedFieldsEntry| {
        claims(entry, &["f:metadata", "f:labels", &format!("f:{LABEL_MANAGED_BY}")])
            || claims(entry, &["f:metadata", "f:annotations", &format!("f:{ANNOTATION_HELM_NAME}")])
            || claims(entry, &["f:metadata", "f:annotations", &format!("f:{ANNOTATION_HELM_NAMESPACE}")])
    };
    others(meta).any(claims)
}

/// The entries of other managers, but for those of controllers that only write the status.
pub(crate) fn others(meta: &ObjectMeta) -> impl Iterator<Item = &ManagedFieldsEntry> {
    let entries = meta.managed_fields.iter().flatten();
    entries.filter(|entry| !is_ours(entry) && entry.subresource.as_deref().unwrap_or_default().is_empty())
}

pub(crate) fn is_ours(entry: &ManagedFieldsEntry) -> bool {
    entry.manager.as_deref() == Some(FIELD_MANAGER)
}

/// Whether a manager's entry contains the field at this path.
pub(crate) fn claims(entry: &ManagedFieldsEntry, path: &[&str]) -> bool {
    let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
    path.iter().try_fold(fields, |at, step| Some(at?.get(*step))).flatten().is_some()
}

/// Another owner means the object as a whole to be theirs, even without a selector: it was applied, by the client (which
/// leaves its configuration in an annotation) or by the server, or Helm took it over. Single fields that were edited
/// are no such sign; they are put back.
fn is_taken(meta: &ObjectMeta) -> bool {
    let applied =
        |entry: &ManagedFieldsEntry| entry.operation.as_deref() == Some("Apply") && claims(entry, &["f:spec"]);
    // Helm without server-side apply patches what differs and leaves no configuration behind.
    let helm = |entry: &ManagedFieldsEntry| entry.manager.as_deref().is_some_and(|name| name.contains("helm"));
    annotation(meta, ANNOTATION_LAST_APPLIED).is_some() || others(meta).any(|entry| applied(entry) || helm(entry))
}

fn mark(meta: &ObjectMeta) -> Mark {
    Mark {
        sources: sources(meta),
        hub: annotation(meta, ANNOTATION_HUB).map_or_else(Digest::default, Digest::of),
        helm: HelmRelease::digest(helm(meta).as_deref()),
        helm_claimed: helm_claimed(meta),
    }
}

/// Ids in the annotation. What is no id was not written by us; leaving it out makes the object differ from what it
/// should be, so that it is put right.
fn sources(meta: &ObjectMeta) -> Vec<ClusterId> {
    let text = annotation(meta, ANNOTATION_SOURCES);
    let ids = text.into_iter().flat_map(|text| text.split(',')).take(MAX_SOURCES);
    ids.filter_map(|id| ClusterId::new(id).ok()).collect()
}

fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}

fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}
