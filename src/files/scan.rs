//! Which files the folder holds, and whether they changed since they were last looked at.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use federation::model::ClusterId;

use super::bytes;
use super::excerpt::Excerpt;
use super::read::{self, Origin};
use crate::problem::{ObjectName, Place, Problem};

/// Files that are read in one folder, all clusters together.
pub const MAX_FILES: usize = 100_000;
/// Cluster folders that are read.
pub const MAX_CLUSTERS: usize = 1_000;
/// Problems listed of what a folder holds, besides those of its files.
pub const MAX_FOLDER_PROBLEMS: usize = 256;

/// Where the clusters' own folders are.
pub(super) const CLUSTERS: &str = "clusters";
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// All there is. Paths are inside of the folder.
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
    listing.folder(root, Path::new(""), &Origin::Hub)?;
    let clusters = Path::new(CLUSTERS);
    match entries(&root.join(clusters)) {
        Ok(names) => {
            listing.watch(root, clusters);
            for name in names {
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

/// Whose file that would be; `None` if no file stands there in the layout.
pub(super) fn origin_of(file: &Path) -> Option<Origin> {
    if !named_like_ours(file) {
        return None;
    }
    let mut parts = file.components().map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Some(_)), None, None, None) => Some(Origin::Hub),
        (Some(Some(CLUSTERS)), Some(Some(id)), Some(Some(_)), None) => ClusterId::new(id).ok().map(Origin::Member),
        _ => None,
    }
}

fn named_like_ours(file: &Path) -> bool {
    let hidden = file.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = file.extension().and_then(|extension| extension.to_str());
    !hidden && extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

/// `None` if there is no file: it is gone, or it is a folder, a socket or the like.
fn seen(root: &Path, file: &Path, origin: &Origin) -> Option<Seen> {
    let path = root.join(file);
    let stamp = match path.metadata() {
        Ok(meta) if meta.is_file() => Ok(Stamp::of(&meta)),
        Ok(_) => return None,
        // A link that leads nowhere is something to tell; a file that is not there is not.
        Err(error) if path.symlink_metadata().is_err() && error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(error.to_string()),
    };
    Some(Seen { origin: origin.clone(), stamp })
}

/// Names in a folder, sorted, so that whatever has a limit is cut at the same place each time.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in folder.read_dir()? {
        names.push(PathBuf::from(entry?.file_name()));
    }
    names.sort_unstable();
    Ok(names)
}

impl Listing {
    fn folder(&mut self, root: &Path, folder: &Path, origin: &Origin) -> io::Result<()> {
        self.watch(root, folder);
        for name in entries(&root.join(folder))? {
            let file = folder.join(name);
            if !named_like_ours(&file) {
                continue;
            }
            if self.files.len() >= MAX_FILES {
                self.report(root, folder, &format!("more than {MAX_FILES} files"), "fewer; the rest are not read");
                break;
            }
            match seen(root, &file, origin) {
                Some(seen) => _ = self.files.insert(file, seen),
                None => self.odd(root, &file),
            }
        }
        Ok(())
    }

    fn cluster(&mut self, root: &Path, folder: &Path) {
        let path = root.join(folder);
        if !path.is_dir() {
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
        let listed = self.folder(root, folder, &Origin::Member(id.clone())).map_err(|error| error.to_string());
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
            self.tell(root, file, Problem::new(&read::file_name(file), "", oddity, expected));
        }
    }

    fn report(&mut self, root: &Path, folder: &Path, found: &str, expected: &str) {
        let object = ObjectName::new("Folder", None, &folder.display().to_string());
        self.tell(root, folder, Problem::new(&object, "", found, expected));
    }

    fn tell(&mut self, root: &Path, path: &Path, problem: Problem) {
        if self.problems.problems.len() < MAX_FOLDER_PROBLEMS {
            self.problems.problems.push(problem.at(Place { file: root.join(path), line: 1 }));
        } else {
            self.problems.unlisted += 1;
        }
    }
}
