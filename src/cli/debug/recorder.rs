//! The file of a recording.

use std::fs::{File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use federation::change::Batch;
use federation::model::Time;
use wire::recording::{EndReason, Start, Writer};

use crate::outcome::BadUsage;

/// Only the owner may read names and addresses.
const MODE: u32 = 0o600;

/// A recording that is being written into a file.
pub(super) struct Recorder {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
}

impl Recorder {
    /// Creates the file, which must not exist.
    pub(super) fn create(path: &Path, max_bytes: u64, start: &Start) -> anyhow::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path).map_err(|error| {
            BadUsage(format!(
                "--out: {} cannot be created: {error}; expected a file that does not exist",
                path.display()
            ))
        })?;
        let writer = Writer::new(BufWriter::new(file), max_bytes, start);
        Ok(Self { path: path.to_owned(), writer: writer.with_context(|| unwritten(path))? })
    }

    /// Appends one round. `Some`: the recording has ended because of it.
    pub(super) fn round(&mut self, at: Time, batches: &[Batch]) -> anyhow::Result<Option<EndReason>> {
        self.writer.round(at, batches).with_context(|| unwritten(&self.path))
    }

    /// Completes the file.
    pub(super) fn end(&mut self, at: Time, reason: EndReason) -> anyhow::Result<()> {
        self.writer.end(at, reason).with_context(|| unwritten(&self.path))?;
        Ok(())
    }

    pub(super) fn entries(&self) -> u64 {
        self.writer.entries()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.writer.bytes()
    }
}

fn unwritten(path: &Path) -> String {
    format!("the recording {} cannot be written", path.display())
}
