//! When to believe the folder. Files are written in steps, renamed, emptied and filled again; what is there between
//! two steps is not what its author means. This decides what is read now and what is left alone for a moment.
//!
//! It reads files but does not wait: the time comes in, and the time to come back goes out.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use federation::change::Batch;

use super::bytes;
use super::decode::Outcome;
use super::entry::file_name;
use super::excerpt::Excerpt;
use super::hints::Hints;
use super::layout::origin_of;
use super::objects::Key;
use super::origin::Origin;
use super::parse::MAX_FILE_BYTES;
use super::passed_over::PassedOver;
use super::read;
use super::scan::{self, Listing, Seen, Stamp};
use super::settle::Folders;
use super::state::FolderState;
use super::timing::{GRACE, TICK};
use crate::problem::{Place, Problem};

#[derive(Debug)]
pub(super) struct Follower {
    root: PathBuf,
    state: FolderState,
    read: BTreeMap<PathBuf, LastRead>,
    /// Files that a program is writing.
    writing: BTreeMap<PathBuf, Writing>,
    /// Since when a file is gone, or holds nothing any more.
    gone: BTreeMap<PathBuf, Instant>,
    emptied: BTreeMap<PathBuf, Instant>,
    folders: Folders,
    watch: BTreeMap<PathBuf, (u64, u64)>,
    folder_problems: Excerpt,
    started: bool,
    counters: Counters,
}

/// Work done since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Times the whole folder was listed.
    pub scans: u64,
    /// Files whose bytes were read.
    pub reads: u64,
    /// Files whose text had changed, and was understood again or found broken.
    pub parses: u64,
}

#[derive(Debug)]
struct LastRead {
    stamp: Stamp,
    hash: u64,
    /// The stamp cannot be trusted: the file was too young.
    young: bool,
}

#[derive(Debug)]
struct Writing {
    since: Instant,
    /// What was seen then, where no event reported the writing.
    stamp: Option<Stamp>,
}

impl Follower {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            state: FolderState::new(root),
            read: BTreeMap::new(),
            writing: BTreeMap::new(),
            gone: BTreeMap::new(),
            emptied: BTreeMap::new(),
            folders: Folders::default(),
            watch: BTreeMap::new(),
            folder_problems: Excerpt::default(),
            started: false,
            counters: Counters::default(),
        }
    }

    /// Looks where the hints point, and returns the batches for the engine. The first step believes all it sees.
    /// After an error (the folder itself cannot be listed) the ways to all members are lost, and nothing else is.
    pub(super) fn step(&mut self, hints: &Hints, now: Instant) -> (Vec<Batch>, io::Result<()>) {
        self.state.follow();
        for file in &hints.writing {
            self.writing.insert(file.clone(), Writing { since: now, stamp: None });
        }
        for file in &hints.ready {
            self.writing.remove(file);
        }
        // Before anything is taken as gone, the folder around it must be seen to be there.
        let gone = self.gone.values().any(|since| now.saturating_duration_since(*since) >= GRACE);
        let result = if hints.all || !self.started || gone || self.folders.settling() {
            self.scan(&hints.ready, now)
        } else {
            self.glance(&hints.ready, now);
            Ok(())
        };
        self.started |= result.is_ok();
        (self.state.take_batches(), result)
    }

    /// A first step in which files from elsewhere count as if their objects had been applied to the hub. A member that
    /// comes so is taken for one that can be reached and holds nothing yet, or it could not be judged.
    pub(super) fn first_step_with(&mut self, add: &[PathBuf], now: Instant) -> io::Result<Vec<Batch>> {
        self.scan(&BTreeSet::new(), now)?;
        let mut folders = self.folders.present();
        for shown in add {
            // Absolute paths sort before those inside of the folder, and cannot be mistaken for them.
            let file: Arc<Path> = Arc::from(std::path::absolute(shown)?);
            let contents = match read::read(&bytes::read(shown)?, &Origin::Hub, &file, shown) {
                Ok(contents) => contents,
                Err(problem) => {
                    self.state.broken(&file, &Origin::Hub, *problem);
                    continue;
                }
            };
            let members = contents.entries.iter().filter_map(|entry| match (&entry.key, &entry.outcome) {
                (Some(Key::Member(id)), Outcome::Taken(_)) => Some(id.clone()),
                _ => None,
            });
            members.for_each(|id| _ = folders.entry(id).or_insert(Ok(())));
            self.state.put_over(&file, contents);
        }
        self.state.set_folders(folders);
        self.started = true;
        Ok(self.state.take_batches())
    }

    /// When to step again without a hint.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let files = self.gone.values().chain(self.emptied.values()).copied();
        let writing = self.writing.values().map(|writing| writing.since);
        files.chain(writing).chain(self.folders.next()).min().map(|since| since + GRACE)
    }

    /// Folders to watch for changes, as of the last listing, with their inodes.
    pub(super) fn to_watch(&self) -> &BTreeMap<PathBuf, (u64, u64)> {
        &self.watch
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    /// All that is wrong now, by whose objects it concerns.
    pub(super) fn problems(&self) -> BTreeMap<Origin, Excerpt> {
        self.state.problems(&self.folder_problems)
    }

    /// What was passed over, in the order of the files.
    pub(super) fn passed_over(&self) -> impl Iterator<Item = &PassedOver> {
        self.state.passed_over()
    }

    /// Looks at the files that were named, and at those that are waited for.
    fn glance(&mut self, ready: &BTreeSet<PathBuf>, now: Instant) {
        let waiting = self.writing.keys().chain(self.gone.keys()).chain(self.emptied.keys());
        let named: BTreeSet<PathBuf> = ready.iter().chain(waiting).cloned().collect();
        for file in named {
            if let Some(origin) = origin_of(&file) {
                let seen = scan::look(&self.root, &file);
                self.file(&file, &origin, seen.as_ref(), ready.contains(&file), now);
            }
        }
    }

    fn scan(&mut self, ready: &BTreeSet<PathBuf>, now: Instant) -> io::Result<()> {
        self.counters.scans += 1;
        let Listing { files, folders, watch, problems } = match scan::list(&self.root) {
            Ok(listing) => listing,
            Err(error) => {
                self.folders = Folders::default();
                self.state.set_folders(BTreeMap::new());
                self.writing.clear();
                self.gone.clear();
                self.emptied.clear();
                return Err(error);
            }
        };
        self.watch = watch;
        self.folder_problems = problems;
        let settled = self.folders.update(folders, &files, self.started, now);
        let missing: Vec<(PathBuf, Origin)> = self
            .state
            .files()
            .filter(|(file, _)| !files.contains_key(*file))
            .map(|(file, origin)| (file.clone(), origin.clone()))
            .collect();
        for (file, origin) in &missing {
            if matches!(origin, Origin::Member(id) if settled.contains(id)) {
                // The folder came back as a whole, without this file.
                self.forget(file);
                self.state.remove(file);
            } else {
                // One in a folder that cannot be listed any more may be there all the same.
                self.file(file, origin, scan::look(&self.root, file).as_ref(), false, now);
            }
        }
        for (file, seen) in &files {
            self.file(file, &seen.origin, Some(seen), ready.contains(file), now);
        }
        self.writing.retain(|file, _| files.contains_key(file));
        self.state.set_folders(self.folders.present());
        Ok(())
    }

    fn file(&mut self, file: &Path, origin: &Origin, seen: Option<&Seen>, ready: bool, now: Instant) {
        let Some(seen) = seen else {
            self.missing(file, origin, now);
            return;
        };
        if self.gone.remove(file).is_some() {
            self.state.unfade(file);
        }
        match &seen.stamp {
            Ok(stamp) if self.should_read(file, *stamp, ready, now) => self.read(file, origin, *stamp, now),
            Ok(_) => {}
            Err(error) => self.unreadable(file, origin, error, "a file that can be read"),
        }
    }

    fn missing(&mut self, file: &Path, origin: &Origin, now: Instant) {
        if self.state.knows(file)
            && let Some(found) = scan::in_place_of(&self.root, file)
        {
            self.unreadable(file, origin, found, "a file that can be read");
            return;
        }
        let since = self.gone.get(file).copied();
        self.forget(file);
        if !self.state.knows(file) || matches!(origin, Origin::Member(id) if !self.folders.listed(id)) {
            // If the whole folder is gone, it is the way to the cluster that is lost, not its objects.
            return;
        }
        let since = since.unwrap_or(now);
        if now.saturating_duration_since(since) >= GRACE {
            self.state.remove(file);
        } else {
            self.state.fade(file);
            self.gone.insert(file.to_owned(), since);
        }
    }

    fn forget(&mut self, file: &Path) {
        self.read.remove(file);
        self.writing.remove(file);
        self.gone.remove(file);
        self.emptied.remove(file);
    }

    fn should_read(&mut self, file: &Path, stamp: Stamp, ready: bool, now: Instant) -> bool {
        if let Some(writing) = self.writing.get_mut(file) {
            if writing.stamp.is_some_and(|before| before != stamp) {
                *writing = Writing { since: now, stamp: Some(stamp) };
            }
            let quiet = now.saturating_duration_since(writing.since) >= GRACE;
            if quiet {
                self.writing.remove(file);
            }
            return quiet;
        }
        let last = self.read.get(file);
        let changed = last.is_none_or(|last| last.stamp != stamp);
        if changed && self.started && !ready && !self.emptied.contains_key(file) {
            // No event reported the change, so none will report its end: wait until the file is left alone.
            self.writing.insert(file.to_owned(), Writing { since: now, stamp: Some(stamp) });
            return false;
        }
        ready || changed || last.is_some_and(|last| last.young)
    }

    fn read(&mut self, file: &Path, origin: &Origin, stamp: Stamp, now: Instant) {
        if stamp.len > MAX_FILE_BYTES {
            let expected = format!("at most {MAX_FILE_BYTES} bytes");
            self.unreadable(file, origin, &format!("{} bytes", stamp.len), &expected);
            return;
        }
        let young = stamp.quiet_for(SystemTime::now()) < TICK;
        self.counters.reads += 1;
        let bytes = match bytes::read(&self.root.join(file)) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unreadable(file, origin, &error.to_string(), "a file that can be read");
                return;
            }
        };
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        let last = LastRead { stamp, hash: hasher.finish(), young };
        if self.read.get(file).is_some_and(|before| before.hash == last.hash) {
            self.read.insert(file.to_owned(), last);
            self.emptied.remove(file);
            return;
        }
        self.counters.parses += 1;
        let shown = self.root.join(file);
        match read::read(&bytes, origin, &Arc::from(file), &shown) {
            Ok(contents) => {
                let empty = contents.entries.is_empty() && !contents.unclear;
                if empty && self.started && self.state.had_objects(file) {
                    let since = *self.emptied.entry(file.to_owned()).or_insert(now);
                    if now.saturating_duration_since(since) < GRACE {
                        return;
                    }
                }
                self.state.put(file, origin, contents);
            }
            Err(problem) => self.state.broken(file, origin, *problem),
        }
        self.emptied.remove(file);
        self.read.insert(file.to_owned(), last);
    }

    fn unreadable(&mut self, file: &Path, origin: &Origin, found: &str, expected: &str) {
        self.forget(file);
        let expected = format!("{expected}; what it held before stays");
        let place = Place { file: self.root.join(file), line: 1 };
        let problem = Problem::new(&file_name(file), "", found, expected).at(place);
        self.state.broken(file, origin, problem);
    }
}
