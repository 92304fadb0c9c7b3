//! What looks like a mark on a Service or Namespace and is none: it is reported, and otherwise ignored.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation::FederateMark;
use federation::model::Labels;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::LABEL_FEDERATE;
use crate::nearly::nearly;

/// Annotations that are looked at. Kubernetes bounds only their size.
const MAX_ANNOTATIONS: usize = 256;
/// Longest key that can be a misspelt mark, in bytes.
const MAX_KEY_LEN: usize = 40;
/// The two halves of the label's key.
const PREFIX: &str = "isthmus.dev";
const NAME: &str = "federate";

/// The first thing to be reported about an object's marks: what was found, and what would be right.
pub(super) fn hint(meta: &ObjectMeta, labels: &Labels) -> Option<Arc<str>> {
    let empty = BTreeMap::new();
    let annotations = meta.annotations.as_ref().unwrap_or(&empty);
    let text = match labels.get(LABEL_FEDERATE) {
        Some("true" | "false") => return None,
        Some(value) => {
            let meaning =
                if FederateMark::of(labels) == FederateMark::No { "is taken for \"false\"" } else { "marks nothing" };
            format!("label {LABEL_FEDERATE} is {value:?}, which {meaning}; expected \"true\" or \"false\"")
        }
        None if annotations.contains_key(LABEL_FEDERATE) => {
            format!("annotation {LABEL_FEDERATE} marks nothing; expected a label of that name")
        }
        None => {
            let keys = labels.iter().map(|(key, _)| ("label", key));
            let annotations = annotations.keys().take(MAX_ANNOTATIONS).map(|key| ("annotation", key.as_str()));
            let (kind, key) = keys.chain(annotations).find(|(_, key)| resembles(key))?;
            format!("{kind} {key} marks nothing; expected the label {LABEL_FEDERATE}")
        }
    };
    Some(Arc::from(text))
}

/// Whether the author of this key meant the mark: the right name after another prefix, or nearly the right name after
/// nearly the right prefix.
fn resembles(key: &str) -> bool {
    if key.len() > MAX_KEY_LEN {
        return false;
    }
    let (prefix, name) = key.split_once('/').unwrap_or(("", key));
    let ours = prefix.to_lowercase().contains("isthmus") || nearly(prefix, PREFIX);
    let near = nearly(name, NAME) || ["export", "exported", "federation"].iter().any(|word| nearly(name, word));
    key != LABEL_FEDERATE && (name.eq_ignore_ascii_case(NAME) || (ours && near))
}
