//! Mirrors as files (`--mirror-out DIR`): what would be written into members, for demos, reviews and GitOps.
//! `<cluster>/<namespace>/<service>.yaml`, and `<cluster>/<namespace>/_namespace.yaml` for Namespaces (a Service's name
//! cannot begin with `_`). Files appear whole or not at all.

mod left;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use federation::Effects;
use federation::desired::{Action, Desired, Key};
use federation::model::ClusterId;
use serde::Serialize;

use super::objects;
use crate::api::FOLDER_HUB;
use left::NAMESPACE_FILE;

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{}: cannot be written: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: found something that Isthmus did not write; expected its own file, or none: move it away", path.display())]
    Foreign { path: PathBuf },
    #[error("{}: the object cannot be put into YAML: {message}", path.display())]
    Yaml { path: PathBuf, message: String },
}

/// Keeps files as the federation plans them. Others may write beside them: a file that is not Isthmus's own is neither
/// changed nor removed.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Files that may be ours: written by this process, or found at its start.
    held: BTreeSet<(ClusterId, Key)>,
    /// Of these, the ones of which it was not known whether they are wanted.
    open: BTreeSet<(ClusterId, Key)>,
}

impl Folder {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let held = left::found(&root);
        Self { root, open: held.clone(), held }
    }

    /// Writes what is desired, and removes what is not wanted any more, whether or not a member ever held it, and whichever
    /// process wrote the file. `wanted` says so of one object; `None`: that is not known. Returns the errors.
    pub fn follow(&mut self, effects: &Effects, wanted: impl Fn(&ClusterId, &Key) -> Option<bool>) -> Vec<FolderError> {
        let mut errors = self.submit(&effects.mirrors);
        for (cluster, key) in self.touched(effects) {
            let slot = (cluster, key);
            self.open.remove(&slot);
            match wanted(&slot.0, &slot.1) {
                Some(true) => {}
                Some(false) => {
                    errors.extend(remove(&self.path(&slot.0, &slot.1), &slot.1).err());
                    self.held.remove(&slot);
                }
                None => _ = self.open.insert(slot),
            }
        }
        errors
    }

    /// Files that may have become unwanted, or about which there was doubt.
    fn touched(&self, effects: &Effects) -> BTreeSet<(ClusterId, Key)> {
        let clusters: BTreeSet<&ClusterId> = self.held.iter().map(|(cluster, _)| cluster).collect();
        let mut touched: BTreeSet<(ClusterId, Key)> = BTreeSet::new();
        for (key, _) in &effects.services {
            for cluster in &clusters {
                touched.extend(Key::of_service(key).map(|key| ((*cluster).clone(), key)));
            }
        }
        let vips = effects.vips.iter().map(|(cluster, key, _)| (cluster.clone(), Key::Service(key.clone())));
        touched.extend(vips);
        touched.extend(effects.mirrors.iter().map(|(cluster, action)| (cluster.clone(), action.key())));
        touched.retain(|slot| self.held.contains(slot));
        let gone = |id: &ClusterId| effects.members.iter().any(|(gone, report)| gone == id && report.is_none());
        touched.extend(self.held.iter().filter(|(cluster, _)| gone(cluster)).cloned());
        if effects.unknown.is_some() || !effects.members.is_empty() {
            touched.extend(self.open.iter().cloned());
        }
        touched
    }

    /// Applies all actions it can; errors are those of the others.
    pub fn submit(&mut self, actions: &[(ClusterId, Action)]) -> Vec<FolderError> {
        let mut errors = Vec::new();
        for (cluster, action) in actions {
            if !action.is_leave() {
                self.held.insert((cluster.clone(), action.key()));
            }
            errors.extend(self.write(cluster, action).err());
        }
        errors
    }

    fn write(&self, cluster: &ClusterId, action: &Action) -> Result<(), FolderError> {
        let key = action.key();
        let path = self.path(cluster, &key);
        match action {
            Action::Leave(_) => Ok(()),
            // What a user made theirs is none of ours any more.
            Action::Delete { .. } | Action::Release(_) => remove(&path, &key),
            Action::Apply(Desired::Namespace(desired)) => {
                replace(&path, &key, &objects::namespace(desired, FOLDER_HUB))
            }
            Action::Apply(Desired::Service(desired)) => replace(&path, &key, &objects::service(desired, FOLDER_HUB)),
        }
    }

    fn path(&self, cluster: &ClusterId, key: &Key) -> PathBuf {
        let cluster = self.root.join(cluster.as_str());
        // All three names are RFC 1123 labels: no dots, no slashes.
        match key {
            Key::Namespace(name) => cluster.join(name.as_str()).join(NAMESPACE_FILE),
            Key::Service(key) => cluster.join(key.namespace.as_str()).join(format!("{}.yaml", key.name)),
        }
    }
}

fn replace(path: &Path, key: &Key, object: &impl Serialize) -> Result<(), FolderError> {
    let io = |source| FolderError::Io { path: path.to_owned(), source };
    let yaml = |message: String| FolderError::Yaml { path: path.to_owned(), message };
    let text = serde_saphyr::to_string(object).map_err(|error| yaml(error.to_string()))?;
    if std::fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    if path.symlink_metadata().is_ok() && !left::is_ours(path, key) {
        return Err(FolderError::Foreign { path: path.to_owned() });
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(io)?;
    let draft = path.with_extension("yaml.tmp");
    std::fs::write(&draft, text).map_err(io)?;
    std::fs::rename(&draft, path).map_err(io)
}

fn remove(path: &Path, key: &Key) -> Result<(), FolderError> {
    if !left::is_ours(path, key) {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FolderError::Io { path: path.to_owned(), source })
        }
        _ => {
            // Both fail while something is left in the folder, and should.
            for folder in path.ancestors().skip(1).take(2) {
                let _ = std::fs::remove_dir(folder);
            }
            Ok(())
        }
    }
}
