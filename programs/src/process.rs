//! A child process: started with a log file, watched, and never left behind.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::tied::tied_to_us;

/// How long the system is given to hand back a killed child.
const REAP_LIMIT: Duration = Duration::from_secs(2);
/// Enough of a log to see what went wrong.
const LAST_LINES: usize = 4;
const LAST_BYTES: usize = 1_200;

/// A process that could not be started, or that ended.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("cannot make the log {}: {source}", path.display())]
    Log { path: PathBuf, source: io::Error },
    #[error("cannot start {name}: {source}")]
    Start { name: String, source: io::Error },
    #[error("{name} ended by itself ({status}); its last words: {words}")]
    Ended { name: String, status: String, words: String },
}

#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with both of its outputs going to `log`. It is killed when this is dropped.
    pub fn start<A: AsRef<OsStr>>(name: &str, program: &Path, args: &[A], log: PathBuf) -> Result<Self, ProcessError> {
        let open = || {
            let out = File::create(&log)?;
            Ok((out.try_clone()?, out))
        };
        let (out, err) = open().map_err(|source| ProcessError::Log { path: log.clone(), source })?;
        // To be called on a thread that lasts: see [`crate::tied`].
        let mut command = Command::from(tied_to_us(program));
        command.args(args).stdin(Stdio::null()).stdout(out).stderr(err).kill_on_drop(true);
        let child = command.spawn().map_err(|source| ProcessError::Start { name: name.to_owned(), source })?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// An error if it has ended, which none of them should by itself.
    pub fn check(&mut self) -> Result<(), ProcessError> {
        match self.child.try_wait() {
            Ok(Some(status)) => Err(ProcessError::Ended {
                name: self.name.clone(),
                status: status.to_string(),
                words: self.last_words(),
            }),
            // Not being able to ask is no sign of an end.
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Kills it and waits until the system says it is gone.
    pub async fn stop(mut self) {
        if self.child.start_kill().is_ok() {
            let _ = tokio::time::timeout(REAP_LIMIT, self.child.wait()).await;
        }
    }

    /// The end of its log, on one line.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let tail = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join(" / ");
        match tail.len().checked_sub(LAST_BYTES) {
            None if tail.is_empty() => "none".to_owned(),
            None => tail,
            Some(cut) => {
                let start = (cut..tail.len()).find(|at| tail.is_char_boundary(*at)).unwrap_or(tail.len());
                format!("…{}", tail.get(start..).unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_that_ends_is_noticed_with_its_last_words() -> Result<(), ProcessError> {
        let scratch = tempfile::tempdir().unwrap();
        let script = ["-c", "echo one; echo two; echo three; echo four; echo five; exit 7"];
        let mut child = Process::start("a child", Path::new("sh"), &script, scratch.path().join("log"))?;
        let mut seen = Ok(());
        for _ in 0..500 {
            seen = child.check();
            if seen.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let text = seen.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(
            text.contains("a child") && text.contains('7') && text.ends_with("two / three / four / five"),
            "{text}"
        );
        Ok(())
    }

    #[tokio::test]
    async fn a_dropped_or_stopped_child_is_gone() -> Result<(), ProcessError> {
        let scratch = tempfile::tempdir().unwrap();
        let start = |log: &str| Process::start("sleeper", Path::new("sleep"), &["60"], scratch.path().join(log));
        let stopped = start("a")?;
        let dropped = start("b")?;
        let ids = [stopped.child.id(), dropped.child.id()];
        stopped.stop().await;
        drop(dropped);
        for id in ids.into_iter().flatten() {
            let stat = PathBuf::from(format!("/proc/{id}/stat"));
            // The runtime reaps a dropped child in its own time; until then it is a zombie (state Z), not a process.
            let alive = || std::fs::read_to_string(&stat).is_ok_and(|text| !text.contains(") Z "));
            for _ in 0..200 {
                if !alive() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            assert!(!alive(), "{id} is still there");
        }
        Ok(())
    }
}
