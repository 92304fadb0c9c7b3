//! Which files of a folder are Isthmus's own: those that say so themselves. A name alone says nothing.

use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::io::Read as _;
use std::path::Path;

use federation::desired::Key;
use federation::model::{ClusterId, Namespace, ServiceKey};
use serde_json::Value;

use crate::api::{ANNOTATION_HUB, FOLDER_HUB, LABEL_MIRROR};
use crate::sources::folder::MAX_FILES;

/// The file of a Namespace.
pub(super) const NAMESPACE_FILE: &str = "_namespace.yaml";
/// What Isthmus writes into one file has a few hundred bytes for each port.
const MAX_BYTES: u64 = 1 << 20;

/// Files with names like ours, the first [`MAX_FILES`].
pub(super) fn found(root: &Path) -> BTreeSet<(ClusterId, Key)> {
    let mut found = BTreeSet::new();
    for cluster in folders(root) {
        let Ok(id) = ClusterId::new(&name(&cluster)) else { continue };
        for namespace in folders(&cluster.path()) {
            for file in namespace.path().read_dir().into_iter().flatten().flatten() {
                if found.len() >= MAX_FILES {
                    tracing::warn!("--mirror-out: more than {MAX_FILES} files; those after them stay");
                    return found;
                }
                found.extend(key(&name(&namespace), &name(&file)).map(|key| (id.clone(), key)));
            }
        }
    }
    found
}

fn folders(folder: &Path) -> impl Iterator<Item = DirEntry> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
}

fn name(entry: &DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

fn key(namespace: &str, file: &str) -> Option<Key> {
    if file == NAMESPACE_FILE {
        return Namespace::new(namespace).ok().map(Key::Namespace);
    }
    ServiceKey::new(namespace, file.strip_suffix(".yaml")?).ok().map(Key::Service)
}

/// Whether a file holds this object, with our label and the mark of a folder as its hub.
pub(super) fn is_ours(path: &Path, key: &Key) -> bool {
    let Some(object) = read(path) else { return false };
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let (kind, namespace, name) = key.parts();
    let mark = |field: &str, name: &str| object.get("metadata").and_then(|meta| meta.get(field)?.get(name)?.as_str());
    text("/kind") == Some(kind)
        && text("/metadata/name") == Some(name)
        && text("/metadata/namespace") == namespace
        && mark("labels", LABEL_MIRROR) == Some("true")
        && mark("annotations", ANNOTATION_HUB) == Some(FOLDER_HUB)
}

/// One object of a small regular file. Several documents are not what we wrote.
fn read(path: &Path) -> Option<Value> {
    let meta = path.symlink_metadata().ok()?;
    if !meta.is_file() || meta.len() > MAX_BYTES {
        return None;
    }
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(MAX_BYTES).read_to_string(&mut text).ok()?;
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_documents: 1, max_anchors: 0, max_aliases: 0, max_merge_keys: 0, max_depth: 16 },
    };
    serde_saphyr::from_str_with_options(&text, options).ok()
}
