//! What a file holds besides objects of ours: other kinds, and documents that are no objects. Dumps and GitOps folders are full
//! of both, so they are counted, and listed only where a user asks for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Kinds that are listed for one file; the others are counted together.
pub const MAX_PASSED_OVER_PER_FILE: usize = 64;

/// Documents of one kind in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    pub file: PathBuf,
    /// Of the first one.
    pub line: u32,
    pub what: String,
    pub count: usize,
}

impl PassedOver {
    /// By line. `found`: what, with the line of the first one and their number.
    pub(super) fn of(found: BTreeMap<String, (u32, usize)>, shown: &Path) -> Vec<Self> {
        let mut all: Vec<Self> =
            found.into_iter().map(|(what, (line, count))| Self { file: shown.to_owned(), line, what, count }).collect();
        all.sort_by(|a, b| (a.line, &a.what).cmp(&(b.line, &b.what)));
        let rest = all.split_off(all.len().min(MAX_PASSED_OVER_PER_FILE));
        if let Some(first) = rest.first() {
            let count = rest.iter().map(|other| other.count).sum();
            all.push(Self { what: "other kinds".into(), count, ..first.clone() });
        }
        all
    }
}

impl std::fmt::Display for PassedOver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, what, count } = self;
        write!(f, "{}:{line}: {what}", file.display())?;
        if *count > 1 { write!(f, " ({count} objects)") } else { Ok(()) }
    }
}
