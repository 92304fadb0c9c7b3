//! The world's folder on disk. Every change of a file is one rename, so a reader sees the old text or the new one.

use std::path::{Path, PathBuf};

use super::super::error::DemoError;
use super::yaml::Files;

/// A folder and what was last written into it.
#[derive(Debug)]
pub struct Folder {
    world: PathBuf,
    /// Where files are made before they are moved; beside the world, so that no watch of the folder sees them.
    staging: PathBuf,
    written: Files,
}

impl Folder {
    /// Makes `root/world`, empty.
    pub fn create(root: &Path) -> Result<Self, DemoError> {
        let folder = Self { world: root.join("world"), staging: root.join("staging"), written: Files::new() };
        make(&folder.world)?;
        make(&folder.staging)?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.world
    }

    /// Writes the files that differ from what is there, in the order of their names; says how many. A cluster's own
    /// objects come before its `MemberCluster` (`clusters/…` < `member-…`). Files that are no longer named stay.
    pub fn apply(&mut self, files: &Files) -> Result<usize, DemoError> {
        let mut count = 0;
        for (name, text) in files {
            if self.written.get(name) == Some(text) {
                continue;
            }
            self.write(name, text)?;
            self.written.insert(name.clone(), text.clone());
            count += 1;
        }
        Ok(count)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), DemoError> {
        let target = self.world.join(name);
        if let Some(parent) = target.parent() {
            make(parent)?;
        }
        let fresh = self.staging.join("next.yaml");
        std::fs::write(&fresh, text).map_err(|source| DemoError::Io {
            action: "write",
            path: fresh.clone(),
            source,
        })?;
        std::fs::rename(&fresh, &target).map_err(|source| DemoError::Io { action: "write", path: target, source })
    }
}

fn make(path: &Path) -> Result<(), DemoError> {
    std::fs::create_dir_all(path).map_err(|source| DemoError::Io {
        action: "make the folder",
        path: path.to_owned(),
        source,
    })
}
