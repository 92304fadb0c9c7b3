//! Files as a careful person replaces them.

use std::path::Path;

/// A file that appears whole: written beside, then renamed.
pub fn replace(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let part = folder.join(format!(".{name}.part"));
    std::fs::write(&part, text).unwrap();
    std::fs::rename(part, folder.join(name)).unwrap();
}
