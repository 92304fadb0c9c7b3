//! One object of a file as it was understood.

use std::path::Path;
use std::sync::Arc;

use super::decode::{Known, Outcome};
use super::objects::Key;
use crate::problem::ObjectName;

/// One object of a file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Inside of the folder.
    pub(super) file: Arc<Path>,
    pub(super) line: u32,
    /// Counts the objects of the file.
    pub(super) index: usize,
    pub(super) known: &'static Known,
    pub(super) name: ObjectName,
    pub(super) outcome: Outcome,
    pub(super) key: Option<Key>,
}

/// The name that problems of a whole file carry.
pub(super) fn file_name(file: &Path) -> ObjectName {
    ObjectName::new("File", None, &file.display().to_string())
}
