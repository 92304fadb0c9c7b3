//! Real files in temporary folders. What comes out is compared as text: batches in one line each, problems as people
//! read them.

mod add;
mod broken;
mod dumps;
mod follow;
mod fuzz;
mod lists;
mod load;
mod parse;
mod watch;
mod whole;

use std::fs;
use std::path::{Path, PathBuf};

use federation::change::{Batch, Change, Delta, HubChanges, LinkChange, MemberChanges, Object};

use super::load;

/// A world in a temporary folder.
struct Folder {
    dir: tempfile::TempDir,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self { dir: tempfile::tempdir().unwrap() };
        for (file, text) in files {
            folder.write(file, text);
        }
        folder
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("w")
    }

    fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// As careful writers do it: under another name first.
    fn replace(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        let aside = path.with_extension("tmp");
        fs::write(&aside, text).unwrap();
        fs::rename(aside, path).unwrap();
    }

    fn remove(&self, file: &str) {
        fs::remove_file(self.path().join(file)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path().join(from), self.path().join(to)).unwrap();
    }

    fn remove_folder(&self, folder: &str) {
        fs::remove_dir_all(self.path().join(folder)).unwrap();
    }

    /// Text of a problem or message, with `w` for this folder.
    fn shown(&self, text: impl ToString) -> String {
        text.to_string().replace(&self.path().display().to_string(), "w")
    }

    fn loaded(&self) -> Vec<String> {
        load(&self.path()).unwrap().batches.iter().map(|batch| self.shown(sent(batch))).collect()
    }

    fn problems(&self) -> Vec<String> {
        load(&self.path()).unwrap().problems.iter().map(|problem| self.shown(problem)).collect()
    }
}

/// What was passed over.
impl Folder {
    fn passed_over(&self) -> Vec<String> {
        load(&self.path()).unwrap().passed_over.iter().map(|other| self.shown(other)).collect()
    }
}

/// `eu-1.1 services full [shop/web] rejected [shop/api]`, `hub regions put eu, delete us`.
fn sent(batch: &Batch) -> String {
    match batch {
        Batch::Hub(changes) => {
            let text = match changes {
                HubChanges::Regions(delta) => format!("regions {}", delta_text(delta)),
                HubChanges::Members(delta) => format!("members {}", delta_text(delta)),
                HubChanges::Policies(delta) => format!("policies {}", delta_text(delta)),
            };
            format!("hub {text}")
        }
        Batch::Member { cluster, epoch, changes } => {
            let text = match changes {
                MemberChanges::Link(LinkChange::Up { uid, version }) => format!("up as {} ({version})", uid.0),
                MemberChanges::Link(LinkChange::Down { reason, message }) => format!("down: {reason:?}: {message}"),
                MemberChanges::Namespaces(delta) => format!("namespaces {}", delta_text(delta)),
                MemberChanges::Services(delta) => format!("services {}", delta_text(delta)),
                MemberChanges::Slices(delta) => format!("slices {}", delta_text(delta)),
                MemberChanges::Nodes(delta) => format!("nodes {}", delta_text(delta)),
                MemberChanges::ServiceCidrs(delta) => format!("servicecidrs {}", delta_text(delta)),
                MemberChanges::Exports(delta) => format!("exports {}", delta_text(delta)),
                MemberChanges::Unreadable { kind, message, partly } => {
                    format!("{} unreadable{}: {message}", kind.plural(), if *partly { " in part" } else { "" })
                }
            };
            format!("{cluster}.{} {text}", epoch.0)
        }
    }
}

fn delta_text<T: Object>(delta: &Delta<T>) -> String {
    let key = |key: &T::Key| {
        let text = format!("{key:?}").replace('"', "");
        // SliceKey { namespace: shop, name: web-1 }
        match text.strip_prefix("SliceKey { namespace: ").and_then(|rest| rest.strip_suffix(" }")) {
            Some(rest) => rest.replace(", name: ", "/"),
            None => text,
        }
    };
    match delta {
        Delta::Full { objects, rejected } => {
            let objects: Vec<_> = objects.iter().map(|object| key(object.key())).collect();
            let rejected: Vec<_> = rejected.iter().map(key).collect();
            let suffix =
                if rejected.is_empty() { String::new() } else { format!(" rejected [{}]", rejected.join(", ")) };
            format!("full [{}]{suffix}", objects.join(", "))
        }
        Delta::Partial(changes) => {
            let changes: Vec<_> = changes
                .iter()
                .map(|change| match change {
                    Change::Put(object) => format!("put {}", key(object.key())),
                    Change::Delete(gone) => format!("delete {}", key(gone)),
                })
                .collect();
            changes.join(", ")
        }
    }
}

const REGION: &str = "apiVersion: isthmus.dev/v1alpha1\nkind: Region\nmetadata: {name: eu}\nspec: {failover: [us]}\n";
const MEMBER: &str =
    "apiVersion: isthmus.dev/v1alpha1\nkind: MemberCluster\nmetadata: {name: eu-1}\nspec: {region: eu}\n";

/// A Service as a user writes it.
fn service(name: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{namespace: shop, name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n"
    )
}

fn slice(name: &str, ip: &str) -> String {
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{namespace: shop, name: {name}, labels: {{kubernetes.io/service-name: web}}}}\n\
         addressType: IPv4\nendpoints: [{{addresses: [{ip}]}}]\nports: [{{port: 8080}}]\n"
    )
}

/// Several documents in one file.
fn docs(parts: &[String]) -> String {
    parts.join("---\n")
}

fn exists(path: &Path) -> bool {
    path.exists()
}
