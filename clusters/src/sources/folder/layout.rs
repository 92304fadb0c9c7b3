//! Where files are, and whose they are: those of a cluster in `clusters/<cluster id>/`, the hub's everywhere else, in folders
//! within folders.

use std::ffi::OsStr;
use std::path::{Component, Path};

use federation::model::ClusterId;

use super::origin::Origin;

/// Where the clusters' own folders are.
pub(super) const CLUSTERS: &str = "clusters";
/// Folders within folders, below that of the hub or of a cluster.
pub const MAX_FOLDER_DEPTH: usize = 16;
/// In any case.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// Whose file that would be; `None` if no file has its place there.
pub(super) fn origin_of(file: &Path) -> Option<Origin> {
    let mut parts = Vec::new();
    for part in file.components() {
        match part {
            Component::Normal(name) if !hidden(name) => parts.push(name),
            _ => return None,
        }
    }
    let (origin, inside) = match parts.as_slice() {
        [first, id, inside @ ..] if *first == CLUSTERS => (Origin::Member(ClusterId::new(id.to_str()?).ok()?), inside),
        [first] if *first == CLUSTERS => return None,
        all => (Origin::Hub, all),
    };
    let fits = !inside.is_empty() && inside.len() <= MAX_FOLDER_DEPTH + 1;
    (fits && named_like_ours(file)).then_some(origin)
}

pub(super) fn named_like_ours(file: &Path) -> bool {
    let extension = file.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
    !file.file_name().is_none_or(hidden) && extension.is_some_and(|extension| EXTENSIONS.contains(&&*extension))
}

/// Hidden files and folders are not read: tools keep their own things there, as file systems do.
pub(super) fn hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || name == "lost+found"
}
