//! `isthmus debug record` as a process, and what `isthmus debug replay` says of its file.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::isthmus::{MEMBERS_HERE, Source, binary, run};
use crate::testbed::eventually;
use crate::testbed::process::Process;

const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A recording that is being made.
pub struct Recording {
    process: Process,
    file: PathBuf,
    _folder: TempDir,
}

/// `(type, name)` to version; the type as `cds`, `eds`, …
pub type Versions = BTreeMap<(String, String), String>;

impl Recording {
    pub fn start(source: Source<'_>, flags: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("isthmus-recording-").tempdir().expect("make a folder");
        let file = folder.path().join("recording");
        let mut args = vec!["debug".to_owned(), "record".to_owned(), format!("--out={}", file.display())];
        args.push(MEMBERS_HERE.to_owned());
        args.extend(source.args());
        args.extend(flags.iter().map(|&flag| flag.to_owned()));
        let process = Process::spawn("record", &binary(), args, folder.path());
        Self { process, file, _folder: folder }
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// SIGTERM; panics unless it ends well, with a file that only its owner can read.
    pub async fn stop(&mut self) {
        self.process.must_run();
        self.process.terminate();
        let status = eventually("the recording ends", STOP_LIMIT, async || self.process.ended().ok_or("not yet")).await;
        assert_eq!(status.code(), Some(0), "{}", self.process.log());
        let mode = std::fs::metadata(&self.file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
    }

    /// What a replay prints as JSON.
    pub async fn replay(&self, flags: &[&str]) -> Result<String, String> {
        let file = self.file.to_string_lossy();
        let output = run(&[&["debug", "replay", &file, "-o", "json"], flags].concat()).await;
        match output.status.code() {
            Some(0) => Ok(String::from_utf8(output.stdout).expect("text")),
            _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// The resources of what a replay prints.
pub fn versions(replay: &str) -> Versions {
    let document: Value = serde_json::from_str(replay).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let list = document["resources"].as_array().expect("a list").iter();
    list.map(|one| ((text(&one["type"]), text(&one["name"])), text(&one["version"]))).collect()
}

/// The members of what a replay prints, or of `/debug/members`, without what depends on when one asks.
pub fn members(list: &Value) -> Vec<Value> {
    let mut list = list.as_array().expect("a list").clone();
    for member in &mut list {
        member.as_object_mut().expect("an object").remove("lastSeen");
    }
    list
}
