//! Mirrors as files (`--mirror-out DIR`): what would be written into members, for demos, reviews and GitOps.
//! `<cluster>/<namespace>/<service>.yaml`, and `<cluster>/<namespace>/_namespace.yaml` for Namespaces (a Service's name
//! cannot begin with `_`). Files appear whole or not at all.

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use federation::model::ClusterId;
use federation::{MirrorAction, MirrorKey};
use serde::Serialize;

use super::objects;
use crate::api::FOLDER_HUB;

const NAMESPACE_FILE: &str = "_namespace.yaml";

#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("{}: cannot be written: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: the object cannot be put into YAML: {message}", path.display())]
    Yaml { path: PathBuf, message: String },
}

/// Writes wishes as files. Nothing else should write under its root.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Brings about all wishes it can; errors are those of the others.
    pub fn submit(&self, wishes: &[(ClusterId, MirrorKey, MirrorAction)]) -> Vec<FolderError> {
        wishes.iter().filter_map(|(cluster, key, action)| self.write(cluster, key, action).err()).collect()
    }

    fn write(&self, cluster: &ClusterId, key: &MirrorKey, action: &MirrorAction) -> Result<(), FolderError> {
        let path = self.path(cluster, key);
        match (key, action) {
            (_, MirrorAction::Leave) => Ok(()),
            // What a user made theirs is none of ours any more.
            (_, MirrorAction::Delete { .. } | MirrorAction::Release) => remove(&path),
            (MirrorKey::Namespace(name), MirrorAction::ApplyNamespace(helm)) => {
                replace(&path, &objects::namespace(name, helm.as_deref(), FOLDER_HUB))
            }
            (MirrorKey::Service(key), MirrorAction::ApplyService(wish)) => {
                replace(&path, &objects::service(key, wish, FOLDER_HUB))
            }
            // The engine pairs keys and actions of one kind.
            (_, MirrorAction::ApplyNamespace(_) | MirrorAction::ApplyService(_)) => Ok(()),
        }
    }

    fn path(&self, cluster: &ClusterId, key: &MirrorKey) -> PathBuf {
        let cluster = self.root.join(cluster.as_str());
        // All three names are RFC 1123 labels: no dots, no slashes.
        match key {
            MirrorKey::Namespace(name) => cluster.join(name.as_str()).join(NAMESPACE_FILE),
            MirrorKey::Service(key) => cluster.join(key.namespace.as_str()).join(format!("{}.yaml", key.name)),
        }
    }
}

fn replace(path: &Path, object: &impl Serialize) -> Result<(), FolderError> {
    let io = |source| FolderError::Io { path: path.to_owned(), source };
    let yaml = |message: String| FolderError::Yaml { path: path.to_owned(), message };
    let text = serde_saphyr::to_string(object).map_err(|error| yaml(error.to_string()))?;
    if std::fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(io)?;
    let draft = path.with_extension("yaml.tmp");
    std::fs::write(&draft, text).map_err(io)?;
    std::fs::rename(&draft, path).map_err(io)
}

fn remove(path: &Path) -> Result<(), FolderError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FolderError::Io { path: path.to_owned(), source })
        }
        _ => {
            // Fails while something is left in it, and should.
            let _ = path.parent().map(std::fs::remove_dir);
            Ok(())
        }
    }
}
