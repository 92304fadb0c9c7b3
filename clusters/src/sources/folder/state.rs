//! What all files together say, and which batches bring the engine from what it was sent to what is so now.
//! It does no IO and knows no clock.

mod problems;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use federation::change::{Batch, Epoch, LinkChange, LinkFailure, MemberChanges};
use federation::model::{ClusterId, ClusterUid};

use super::contents::Contents;
use super::decode::Outcome;
use super::entry::Entry;
use super::excerpt::{Excerpt, Room};
use super::objects::{self, Kind, Model, Sent};
use super::origin::Origin;
use super::passed_over::PassedOver;
use super::table::Table;
use crate::problem::{MAX_BYTES, MAX_BYTES_PER_ORIGIN, ObjectName, Problem};

/// What a folder says of the version of Kubernetes.
const FOLDER_VERSION: &str = "folder";
/// Identity of a cluster: the UID of this namespace (KEP-2149).
const IDENTITY_NAMESPACE: &str = "kube-system";

#[derive(Debug)]
pub(super) struct FolderState {
    root: PathBuf,
    files: BTreeMap<PathBuf, File>,
    tables: BTreeMap<Origin, Table>,
    /// Bytes of the problems of the files, by whose they are.
    weights: BTreeMap<Origin, usize>,
    /// Files that are gone, but may be on their way under another name or being written again.
    fading: BTreeSet<PathBuf>,
    /// Folders of clusters that can be listed, and what is wrong with those that cannot.
    folders: BTreeMap<ClusterId, Result<(), String>>,
    links: BTreeMap<ClusterId, Link>,
    epochs: BTreeMap<ClusterId, u64>,
    /// Identities that were found. One stays until another one is found: a file less makes no other cluster.
    uids: BTreeMap<ClusterId, ClusterUid>,
    /// Members of which a file could never be understood, and why not: what is known of them is a part.
    partly: BTreeMap<ClusterId, Arc<str>>,
    sent_hub: bool,
    /// Nothing is sent before the hub's files say something, and all of them can be read: see [`FolderState::follow`].
    waits: bool,
}

#[derive(Debug)]
struct File {
    origin: Origin,
    entries: Vec<Arc<Entry>>,
    excerpt: Excerpt,
    /// What is wrong with the file as a whole; its entries are those of before.
    broken: Option<Problem>,
    /// All that it holds was understood at least once. Before that it may hold more than is known of it.
    whole: bool,
    /// It ended as a whole file of its author does.
    ended: bool,
    passed_over: Vec<PassedOver>,
}

/// What the engine was sent last about the link of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Link {
    Up(ClusterUid),
    Down(String),
}

impl FolderState {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            files: BTreeMap::new(),
            tables: BTreeMap::new(),
            weights: BTreeMap::new(),
            fading: BTreeSet::new(),
            folders: BTreeMap::new(),
            links: BTreeMap::new(),
            epochs: BTreeMap::new(),
            uids: BTreeMap::new(),
            partly: BTreeMap::new(),
            sent_hub: false,
            waits: false,
        }
    }

    /// From now on it is followed: a folder that is about to be filled, or a file of the hub that was never understood, must
    /// not look like a federation without members.
    pub(super) fn follow(&mut self) {
        self.waits = !self.sent_hub;
    }

    /// Why nothing is sent yet. `None`: it is.
    fn waiting(&self) -> Option<&'static str> {
        let hub = || self.files.values().filter(|file| file.origin == Origin::Hub);
        let lacks = hub().any(|file| !file.whole);
        match self.waits && !self.sent_hub {
            false => None,
            true if lacks => Some("a file that cannot be understood, and could not be before"),
            true if hub().all(|file| file.entries.is_empty()) => Some("no Region, MemberCluster or FederationPolicy"),
            true => None,
        }
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&PathBuf, &Origin)> {
        self.files.iter().map(|(path, file)| (path, &file.origin))
    }

    pub(super) fn knows(&self, file: &Path) -> bool {
        self.files.contains_key(file)
    }

    /// Whether a file held objects when it was last understood.
    pub(super) fn had_objects(&self, file: &Path) -> bool {
        self.files.get(file).is_some_and(|file| !file.entries.is_empty())
    }

    /// A file says something new.
    pub(super) fn put(&mut self, file: &Path, origin: &Origin, mut contents: Contents) {
        let old = self.take_out(file);
        let whole = !contents.partly || old.as_ref().is_some_and(|file| file.whole);
        let was_ended = old.as_ref().is_some_and(|file| file.ended);
        let old = old.map(|file| file.entries).unwrap_or_default();
        let kept = contents.kept(&old, was_ended, file, &self.root);
        let mut entries = contents.entries;
        entries.extend(kept);
        let table = self.tables.entry(origin.clone()).or_default();
        old.iter().for_each(|entry| table.remove(entry));
        entries.iter().for_each(|entry| table.add(entry));
        self.fading.remove(file);
        let mut excerpt = Excerpt { problems: Vec::new(), unlisted: contents.excerpt.unlisted };
        excerpt.add(contents.excerpt.problems, &mut self.room(origin));
        *self.weights.entry(origin.clone()).or_default() += excerpt.weight();
        let (ended, passed_over) = (contents.ended, contents.passed_over);
        let state = File { origin: origin.clone(), entries, excerpt, broken: None, whole, ended, passed_over };
        self.files.insert(file.to_owned(), state);
    }

    /// A file from elsewhere is laid over the hub's: its good objects count, whatever the folder says of them.
    pub(super) fn put_over(&mut self, file: &Path, mut contents: Contents) {
        contents.entries.retain(|entry| matches!(entry.outcome, Outcome::Taken(_)));
        let table = self.tables.entry(Origin::Hub).or_default();
        contents.entries.iter().for_each(|entry| table.clear(&entry.name));
        self.put(file, &Origin::Hub, contents);
    }

    /// A file cannot be read or understood: what it held before stays.
    pub(super) fn broken(&mut self, file: &Path, origin: &Origin, problem: Problem) {
        let state = self.files.entry(file.to_owned()).or_insert_with(|| File {
            origin: origin.clone(),
            entries: Vec::new(),
            excerpt: Excerpt::default(),
            broken: None,
            whole: false,
            ended: false,
            passed_over: Vec::new(),
        });
        state.broken = Some(problem);
    }

    /// A file is not there, for the moment.
    pub(super) fn fade(&mut self, file: &Path) {
        if self.files.contains_key(file) && self.fading.insert(file.to_owned()) {
            self.touch(file);
        }
    }

    /// A file is there again, as it was.
    pub(super) fn unfade(&mut self, file: &Path) {
        if self.fading.remove(file) {
            self.touch(file);
        }
    }

    /// A file is gone for good.
    pub(super) fn remove(&mut self, file: &Path) {
        self.fading.remove(file);
        let Some(state) = self.take_out(file) else { return };
        if let Some(table) = self.tables.get_mut(&state.origin) {
            state.entries.iter().for_each(|entry| table.remove(entry));
        }
    }

    fn touch(&mut self, file: &Path) {
        let Some(state) = self.files.get(file) else { return };
        if let Some(table) = self.tables.get_mut(&state.origin) {
            state.entries.iter().for_each(|entry| table.touch(entry));
        }
    }

    /// Which clusters have a folder now.
    pub(super) fn set_folders(&mut self, folders: BTreeMap<ClusterId, Result<(), String>>) {
        self.folders = folders;
    }

    /// What the engine was not sent yet, in the order in which it should be.
    pub(super) fn take_batches(&mut self) -> Vec<Batch> {
        let mut batches = Vec::new();
        let mut changes: BTreeMap<Origin, BTreeMap<Kind, Sent>> = BTreeMap::new();
        for (origin, table) in &mut self.tables {
            changes.insert(origin.clone(), table.settle(&self.fading));
        }
        if self.waiting().is_some() {
            return batches; // what is sent later is sent whole
        }
        let mut hub = changes.remove(&Origin::Hub).unwrap_or_default();
        for kind in Kind::of(true) {
            let sent = if self.sent_hub { hub.remove(&kind) } else { Some(self.all(&Origin::Hub, kind)) };
            batches.extend(sent.filter(|sent| !sent.is_empty()).and_then(|sent| objects::batch(kind, sent, None)));
        }
        self.sent_hub = true;
        let members = self.members();
        self.links.retain(|id, _| members.contains(id));
        for id in members {
            let changed = changes.remove(&Origin::Member(id.clone())).unwrap_or_default();
            self.send_member(&id, changed, &mut batches);
        }
        batches
    }

    fn send_member(&mut self, id: &ClusterId, mut changed: BTreeMap<Kind, Sent>, batches: &mut Vec<Batch>) {
        let origin = Origin::Member(id.clone());
        let wanted = self.link(id);
        let fresh = self.links.get(id) != Some(&wanted);
        let epoch = self.epochs.entry(id.clone()).or_insert(0);
        if fresh {
            let change = match &wanted {
                Link::Up(uid) => {
                    *epoch += 1;
                    LinkChange::Up { uid: uid.clone(), version: FOLDER_VERSION.into() }
                }
                Link::Down(message) => {
                    LinkChange::Down { reason: LinkFailure::Unreachable, message: message.as_str().into() }
                }
            };
            let changes = MemberChanges::Link(change);
            batches.push(Batch::Member { cluster: id.clone(), epoch: Epoch(*epoch), changes });
        }
        let epoch = Epoch(*epoch);
        if matches!(wanted, Link::Up(_)) {
            // A file that comes later and is broken says nothing that was known before.
            let partly = if fresh || self.partly.contains_key(id) { self.lacks(&origin) } else { None };
            let complete = fresh || self.partly.get(id) != partly.as_ref();
            for kind in Kind::of(false) {
                let sent = if complete { Some(self.all(&origin, kind)) } else { changed.remove(&kind) };
                let sent = sent.filter(|sent| !sent.is_empty());
                batches.extend(sent.and_then(|sent| objects::batch(kind, sent, Some((id, epoch)))));
                // Behind its list, so that at no moment all lists are complete and none is doubted.
                let doubted = partly.as_ref().zip(kind.deciding()).filter(|_| complete);
                batches.extend(doubted.map(|(message, kind)| Batch::Member {
                    cluster: id.clone(),
                    epoch,
                    changes: MemberChanges::Unreadable { kind, message: Arc::clone(message), partly: true },
                }));
            }
            match partly {
                Some(message) => _ = self.partly.insert(id.clone(), message),
                None => _ = self.partly.remove(id),
            }
        }
        self.links.insert(id.clone(), wanted);
    }

    /// Which of the files could never be understood as a whole, if one could not.
    fn lacks(&self, origin: &Origin) -> Option<Arc<str>> {
        let here = |(path, file): &(&PathBuf, &File)| file.origin == *origin && !self.fading.contains(*path);
        let mut lacking = self.files.iter().filter(here).filter(|(_, file)| !file.whole);
        let (path, file) = lacking.next()?;
        let found = file.broken.as_ref().map_or("a document that cannot be parsed", |problem| &problem.found);
        let more = match lacking.count() {
            0 => String::new(),
            more => format!(", and {more} more files"),
        };
        Some(format!("{}: found {found}{more}", super::entry::file_name(path)).into())
    }

    /// What was passed over, in the order of the files.
    pub(super) fn passed_over(&self) -> impl Iterator<Item = &PassedOver> {
        self.files.values().flat_map(|file| &file.passed_over)
    }

    fn all(&self, origin: &Origin, kind: Kind) -> Sent {
        let nothing = Sent::All { objects: Vec::new(), rejected: BTreeSet::new() };
        self.tables.get(origin).map_or(nothing, |table| table.all(kind, &self.fading))
    }

    fn members(&self) -> BTreeSet<ClusterId> {
        let members = self.tables.get(&Origin::Hub).into_iter().flat_map(|table| table.objects(Kind::Member));
        members
            .filter_map(|model| if let Model::Member(member) = &**model { Some(member.id.clone()) } else { None })
            .collect()
    }

    fn link(&mut self, id: &ClusterId) -> Link {
        let folder = self.root.join(super::layout::CLUSTERS).join(id.as_str());
        match self.folders.get(id) {
            None => Link::Down(format!("there is no folder {}", folder.display())),
            Some(Err(error)) => Link::Down(format!("the folder {} cannot be listed: {error}", folder.display())),
            Some(Ok(())) => Link::Up(self.uid(id)),
        }
    }

    fn uid(&mut self, id: &ClusterId) -> ClusterUid {
        let name = ObjectName { kind: "Namespace".into(), namespace: None, name: IDENTITY_NAMESPACE.into() };
        let table = self.tables.get(&Origin::Member(id.clone()));
        let found = table.and_then(|table| table.object(Kind::Namespace, &name)).and_then(|model| match &**model {
            Model::Namespace(namespace) if !namespace.uid.is_empty() => Some(ClusterUid(namespace.uid.clone())),
            _ => None,
        });
        if let Some(uid) = found {
            self.uids.insert(id.clone(), uid);
        }
        self.uids.get(id).cloned().unwrap_or_else(|| ClusterUid(format!("folder:{id}").into()))
    }

    /// What the problems of one more file may take: of the bytes of its origin, and of those of the folder.
    fn room(&self, origin: &Origin) -> Room {
        let own = self.weights.get(origin).copied().unwrap_or_default();
        let all = self.weights.values().sum();
        Room::bytes(MAX_BYTES_PER_ORIGIN.saturating_sub(own).min(MAX_BYTES.saturating_sub(all)))
    }

    /// Takes a file out of the books, with what its problems weigh.
    fn take_out(&mut self, file: &Path) -> Option<File> {
        let state = self.files.remove(file)?;
        if let Some(weight) = self.weights.get_mut(&state.origin) {
            *weight = weight.saturating_sub(state.excerpt.weight());
        }
        Some(state)
    }
}
