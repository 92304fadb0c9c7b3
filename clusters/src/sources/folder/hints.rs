//! What events of the file system report of files, before they are read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::EventKind;
use notify::event::{CreateKind, ModifyKind};

use super::layout;

/// Where to look, and where not to look yet. Paths are inside of the folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    /// Files whose writer has finished, or that came or went by renaming.
    pub(super) ready: BTreeSet<PathBuf>,
    /// Files that a program is writing.
    pub(super) writing: BTreeSet<PathBuf>,
    /// Look at everything.
    pub(super) all: bool,
}

impl Hints {
    /// Takes an event in. Later events about a file outweigh earlier ones.
    pub(super) fn take(&mut self, root: &Path, watched: impl Fn(&Path) -> bool, event: notify::Result<notify::Event>) {
        let Ok(event) = event else {
            self.all = true;
            return;
        };
        if event.need_rescan() {
            self.all = true;
        }
        for path in &event.paths {
            let inside = path.strip_prefix(root).ok();
            let Some(file) = inside.filter(|file| layout::origin_of(file).is_some()) else {
                self.all |= concerns_layout(&event.kind, path, inside.is_none_or(&watched));
                continue;
            };
            match event.kind {
                EventKind::Create(CreateKind::File) | EventKind::Modify(ModifyKind::Data(_)) => {
                    self.ready.remove(file);
                    self.writing.insert(file.to_owned());
                }
                EventKind::Modify(ModifyKind::Metadata(_)) => {}
                EventKind::Create(CreateKind::Folder) => self.all = true,
                _ => {
                    self.writing.remove(file);
                    self.ready.insert(file.to_owned());
                }
            }
        }
    }
}

/// Whether an event about something that is no file of ours can change which files there are: it is about a folder or
/// a link. Temporary files of editors come and go.
fn concerns_layout(kind: &EventKind, path: &Path, watched: bool) -> bool {
    match kind {
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Data(_)) => false,
        _ => watched || path.is_dir() || path.is_symlink(),
    }
}
