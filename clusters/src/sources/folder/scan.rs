//! Which files the folder holds, and whether they changed since they were last looked at.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::FileType;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use federation::model::ClusterId;

use super::bytes;
use super::entry::file_name;
use super::excerpt::Excerpt;
use super::layout::{CLUSTERS, MAX_FOLDER_DEPTH, hidden, named_like_ours, origin_of};
use super::origin::Origin;
use crate::problem::{ObjectName, Place, Problem};

/// Files that are read in one folder, all clusters together.
pub const MAX_FILES: usize = 100_000;
/// Cluster folders that are read.
pub const MAX_CLUSTERS: usize = 1_000;
/// Problems listed of what a folder holds, besides those of its files.
pub const MAX_FOLDER_PROBLEMS: usize = 256;
/// Folders that are read, all clusters together.
pub const MAX_FOLDERS: usize = 10_000;

/// The complete list. Paths are inside of the folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: BTreeMap<PathBuf, Seen>,
    /// Clusters that have a folder; the error says why it cannot be listed.
    pub(super) folders: BTreeMap<ClusterId, Result<(), String>>,
    /// Folders to watch, and which inode each of them is now.
    pub(super) watch: BTreeMap<PathBuf, (u64, u64)>,
    pub(super) problems: Excerpt,
}

/// A file as the file system describes it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) origin: Origin,
    /// Text, because an unreadable file is reported, not fatal.
    pub(super) stamp: Result<Stamp, String>,
}

/// Equal stamps mean equal contents, unless the file was written within a tick of the file system's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: (u64, u64),
    pub(super) len: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Self {
        Self {
            inode: (meta.dev(), meta.ino()),
            len: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// How long the file has been left alone; zero if clocks disagree.
    pub(super) fn quiet_for(&self, now: SystemTime) -> Duration {
        let changed = Duration::new(self.changed.0.try_into().unwrap_or(0), self.changed.1.try_into().unwrap_or(0));
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        now.saturating_sub(changed)
    }
}

/// Lists the whole folder. Only a root that cannot be listed is an error.
pub(super) fn list(root: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    listing.tree(root, Path::new(""), &Origin::Hub)?;
    let clusters = Path::new(CLUSTERS);
    match entries(&root.join(clusters)) {
        Ok(names) => {
            listing.watch(root, clusters);
            for (name, _) in names {
                listing.cluster(root, &clusters.join(name));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => listing.report(root, clusters, &error.to_string(), "a folder that can be listed"),
    }
    Ok(listing)
}

/// One file alone, if its path is one that the folder's layout has.
pub(super) fn look(root: &Path, file: &Path) -> Option<Seen> {
    let origin = origin_of(file)?;
    seen(root, file, &origin)
}

/// `None` if there is no file: it is gone, or it is a folder, a socket or the like.
fn seen(root: &Path, file: &Path, origin: &Origin) -> Option<Seen> {
    let path = root.join(file);
    let stamp = match path.metadata() {
        Ok(meta) if meta.is_file() => Ok(Stamp::of(&meta)),
        Ok(_) => return None,
        // A link that leads nowhere is something to report; a file that is not there is not.
        Err(error) if path.symlink_metadata().is_err() && error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error.to_string()),
    };
    Some(Seen { origin: origin.clone(), stamp })
}

/// What is there in place of a file that was: not the file, but nothing that takes its objects away either.
pub(super) fn in_place_of(root: &Path, file: &Path) -> Option<&'static str> {
    let path = root.join(file);
    let kind = path.metadata().ok()?.file_type();
    // Tools that mount a file that is missing make a folder of its name.
    let made = || kind.is_dir() && path.read_dir().is_ok_and(|mut inside| inside.next().is_none());
    bytes::oddity(kind).or_else(|| made().then_some("a folder"))
}

/// Names in a folder, sorted, so that whatever has a limit is cut at the same place each time.
fn entries(folder: &Path) -> io::Result<Vec<(OsString, Option<FileType>)>> {
    let mut names = Vec::new();
    for entry in folder.read_dir()? {
        let entry = entry?;
        names.push((entry.file_name(), entry.file_type().ok()));
    }
    names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(names)
}

impl Listing {
    /// A folder and those within it. Links to folders are not followed: they may lead in circles, and to files that are read
    /// already.
    fn tree(&mut self, root: &Path, top: &Path, origin: &Origin) -> io::Result<()> {
        let mut open = vec![(top.to_owned(), 0)];
        while let Some((folder, depth)) = open.pop() {
            let names = match entries(&root.join(&folder)) {
                Ok(names) => names,
                Err(error) if depth == 0 => return Err(error),
                Err(error) => {
                    // What its files say is not known, as if it were one file.
                    self.files.insert(folder, Seen { origin: origin.clone(), stamp: Err(error.to_string()) });
                    continue;
                }
            };
            self.watch(root, &folder);
            let within = self.files_of(root, &folder, names, origin);
            for inner in within.into_iter().rev() {
                if depth >= MAX_FOLDER_DEPTH {
                    let found = format!("more than {MAX_FOLDER_DEPTH} folders around it");
                    self.report(root, &inner, &found, "fewer; it is not read");
                } else if self.watch.len() + open.len() >= MAX_FOLDERS {
                    self.report(root, &inner, &format!("more than {MAX_FOLDERS} folders"), "fewer; it is not read");
                } else {
                    open.push((inner, depth + 1));
                }
            }
        }
        Ok(())
    }

    /// Takes the files of one folder; returns the folders within it.
    fn files_of(
        &mut self,
        root: &Path,
        folder: &Path,
        names: Vec<(OsString, Option<FileType>)>,
        origin: &Origin,
    ) -> Vec<PathBuf> {
        let mut within = Vec::new();
        let mut full = false;
        for (name, kind) in names {
            let file = folder.join(&name);
            if hidden(&name) || (file == Path::new(CLUSTERS)) {
                continue;
            }
            if kind.is_some_and(|kind| kind.is_dir()) {
                within.push(file);
            } else if kind.is_some_and(|kind| kind.is_symlink()) && root.join(&file).is_dir() {
                let expected = "a folder, or links to the files in it; it is passed over";
                self.report(root, &file, "a link to a folder", expected);
            } else if !named_like_ours(&file) || full {
            } else if self.files.len() >= MAX_FILES {
                full = true;
                self.report(root, folder, &format!("more than {MAX_FILES} files"), "fewer; the rest are not read");
            } else {
                match seen(root, &file, origin) {
                    Some(seen) => _ = self.files.insert(file, seen),
                    None => self.odd(root, &file),
                }
            }
        }
        within
    }

    fn cluster(&mut self, root: &Path, folder: &Path) {
        let path = root.join(folder);
        if !path.is_dir() {
            if named_like_ours(folder) {
                let expected =
                    "it in clusters/<cluster id>/, or outside of clusters/ if it is the hub's; it is not read";
                let problem = Problem::new(&file_name(folder), "", "it in clusters/ itself", expected);
                self.add(root, folder, problem);
            }
            return;
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            return;
        }
        let Ok(id) = ClusterId::new(&name) else {
            let expected = "a cluster id: lower-case letters, digits and '-', at most 63 bytes";
            self.report(root, folder, &format!("{name:?}"), expected);
            return;
        };
        if self.folders.len() >= MAX_CLUSTERS {
            self.report(root, folder, &format!("more than {MAX_CLUSTERS} clusters"), "fewer; this one is not read");
            return;
        }
        let listed = self.tree(root, folder, &Origin::Member(id.clone())).map_err(|error| error.to_string());
        self.folders.insert(id, listed);
    }

    fn watch(&mut self, root: &Path, folder: &Path) {
        if let Ok(meta) = root.join(folder).metadata() {
            self.watch.insert(folder.to_owned(), (meta.dev(), meta.ino()));
        }
    }

    /// Reports what is there in place of a file. A folder may have any name.
    fn odd(&mut self, root: &Path, file: &Path) {
        let oddity = root.join(file).metadata().ok().and_then(|meta| bytes::oddity(meta.file_type()));
        if let Some(oddity) = oddity {
            let expected = "a regular file, or a link to one; it is passed over";
            self.add(root, file, Problem::new(&file_name(file), "", oddity, expected));
        }
    }

    fn report(&mut self, root: &Path, folder: &Path, found: &str, expected: &str) {
        let object = ObjectName::new("Folder", None, &folder.display().to_string());
        self.add(root, folder, Problem::new(&object, "", found, expected));
    }

    fn add(&mut self, root: &Path, path: &Path, problem: Problem) {
        if self.problems.problems.len() < MAX_FOLDER_PROBLEMS {
            self.problems.problems.push(problem.at(Place { file: root.join(path), line: 1 }));
        } else {
            self.problems.unlisted += 1;
        }
    }
}
