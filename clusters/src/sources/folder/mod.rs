//! The folder source: a world in files, read at start and followed live.
//!
//! ```text
//! world/**.yaml                 Region, MemberCluster, FederationPolicy
//! world/clusters/<id>/**.yaml   that cluster's Namespaces, Services, EndpointSlices, Nodes, ServiceCIDRs, ServiceExports
//! ```
//! It sends batches to the engine exactly as clusters do: objects go through [`crate::convert`], a folder that is there is a
//! cluster that is connected, a folder that is gone is a cluster that is not, and a file with a wrong content keeps
//! what it held before. Objects are gone when they are gone from the files.
//!
//! From bytes to batches: [`layout`] and [`scan`] (which files) → [`follow`] (what to believe now) → [`parse`], [`read`] and
//! [`decode`] (what it says) → [`table`] and [`state`] (what changed).

mod add;
mod bytes;
mod contents;
mod decode;
mod document;
mod entry;
mod excerpt;
mod fields;
mod follow;
mod hints;
mod layout;
mod locate;
mod objects;
mod origin;
mod parse;
mod passed_over;
mod path;
mod publish;
mod raw;
mod read;
mod scan;
mod settle;
mod split;
mod state;
mod table;
mod text;
mod timing;
mod watch;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use federation::change::Batch;

pub use add::{add_to, load_with};
pub use bytes::{MAX_STUCK, READ_TIMEOUT};
pub use follow::Counters;
pub use layout::MAX_FOLDER_DEPTH;
pub use parse::{
    MAX_ALIAS_NODES, MAX_ALIASES, MAX_BROKEN_DOCUMENTS, MAX_DEPTH, MAX_DOCUMENTS, MAX_FILE_BYTES, MAX_NODES,
};
pub use passed_over::{MAX_PASSED_OVER_PER_FILE, PassedOver};
pub use read::{MAX_LOCATE_BYTES, MAX_PROBLEMS_PER_FILE};
pub use scan::{MAX_CLUSTERS, MAX_FILES, MAX_FOLDER_PROBLEMS, MAX_FOLDERS};
pub use timing::{GRACE, MAX_SETTLE};
pub use watch::RESCAN;

use crate::problem::{Problem, ProblemBook, Problems};
use crate::sources::feed::Feed;
use follow::Follower;
use publish::Publisher;
use watch::{Signal, Watch};

/// A folder as it is at one moment.
#[derive(Debug)]
pub struct LoadedWorld {
    /// The batches for the engine, in order: the hub's objects, then each member's link and objects.
    pub batches: Vec<Batch>,
    /// The hub's first, then those of each member in the order of their files. The first ones, where there are many.
    pub problems: Vec<Problem>,
    /// Objects with problems that are not among these.
    pub unlisted: usize,
    /// All of them by origin, as a process that follows the folder has them.
    pub book: Problems,
    /// Objects of other kinds, and documents that are no objects.
    pub passed_over: Vec<PassedOver>,
}

/// Reads a folder once. An error means that the folder itself cannot be listed.
pub fn load(dir: &Path) -> io::Result<LoadedWorld> {
    load_with(dir, &[])
}

/// Follows a folder on a thread of its own, until the handle is dropped or the feed is closed.
/// An error means that the folder cannot be listed, or no thread can be started.
pub fn spawn(dir: &Path, feed: Feed, problems: ProblemBook) -> io::Result<FilesHandle> {
    dir.read_dir()?;
    // Events carry absolute paths; problems name files the way the user did.
    let absolute = std::path::absolute(dir)?;
    let (sender, signals) = channel();
    let watcher = watch::watcher(sender.clone())
        .inspect_err(|error| tracing::warn!(%error, "changes of files are noticed only every few seconds"))
        .ok();
    let counters = Arc::new(Mutex::new(Counters::default()));
    let mut publisher = Publisher::new(dir, problems);
    let shared = counters.clone();
    let watch = Watch {
        root: absolute,
        follower: Follower::new(dir),
        feed,
        signals,
        watcher,
        watched: std::collections::BTreeMap::new(),
        report: move |follower: &Follower, result: &io::Result<()>| {
            publisher.publish(follower, result);
            *shared.lock().unwrap_or_else(PoisonError::into_inner) = follower.counters();
        },
    };
    let thread = std::thread::Builder::new().name("files".into()).spawn(move || watch.run())?;
    Ok(FilesHandle { signals: sender, thread, counters })
}

/// The thread that follows a folder. Dropping it asks the thread to end.
#[derive(Debug)]
pub struct FilesHandle {
    signals: Sender<Signal>,
    thread: JoinHandle<()>,
    counters: Arc<Mutex<Counters>>,
}

impl FilesHandle {
    /// Work done so far.
    pub fn counters(&self) -> Counters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

impl Drop for FilesHandle {
    fn drop(&mut self) {
        // If there is no receiver any more, the thread has ended already.
        let _ = self.signals.send(Signal::Stop);
    }
}
