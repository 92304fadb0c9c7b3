//! Fetches official Kubernetes release binaries instead of building them.
//!
//! Only on request, because a test run that reaches out to the internet by
//! itself would surprise people, and only what the release publishes as plain
//! files with a checksum beside them. etcd and our cut of CoreDNS are built.

use std::path::Path;
use std::process::Command;

use super::{Tool, build};
use crate::testbed::hash;

/// `1` for the official place, or the base address of a mirror with its layout.
pub const DOWNLOAD_VAR: &str = "ISTHMUS_TESTBED_DOWNLOAD";

const OFFICIAL: &str = "https://dl.k8s.io/release";
const CONNECT_SECONDS: &str = "3";
const TOTAL_SECONDS: &str = "600";

/// Whether `part` now holds the official binary. Says in one line why not if it
/// was wanted and could not be had.
pub(super) fn wanted(tool: Tool, part: &Path) -> bool {
    let base = match std::env::var(DOWNLOAD_VAR).ok().filter(|value| !value.is_empty()) {
        None => return false,
        Some(value) if value == "1" => OFFICIAL.to_owned(),
        Some(mirror) => mirror,
    };
    match fetch(tool, &base, part) {
        Ok(()) => true,
        Err(reason) => {
            eprintln!("testbed: no download of {}: {reason}", tool.name());
            false
        }
    }
}

/// Downloads `tool` from `base` into `part` and checks it against the SHA-256
/// published beside it.
pub(in crate::testbed) fn fetch(tool: Tool, base: &str, part: &Path) -> Result<(), String> {
    if matches!(tool, Tool::Etcd | Tool::CoreDns | Tool::GrpcPeer) {
        return Err("it has no official release as a plain file".to_owned());
    }
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => return Err(format!("no official release for {other}")),
    };
    let url = format!("{base}/{}/bin/linux/{arch}/{}", build::kubernetes_version(), tool.name());
    let published = curl(&[&format!("{url}.sha256")])?;
    let published = String::from_utf8_lossy(&published).trim().to_ascii_lowercase();
    eprintln!("testbed: downloading {url}");
    let file = part.to_str().ok_or("the cache's path is not UTF-8")?;
    curl(&["--output", file, &url])?;
    let found = hash::sha256_hex(&std::fs::read(part).map_err(|error| error.to_string())?);
    if found != published {
        let _ = std::fs::remove_file(part);
        return Err(format!("{url} has SHA-256 {found}, its release says {published}"));
    }
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(part, std::fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())
}

fn curl(args: &[&str]) -> Result<Vec<u8>, String> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--fail", "--location"]);
    command.args(["--connect-timeout", CONNECT_SECONDS, "--max-time", TOTAL_SECONDS]).args(args);
    let output = command.output().map_err(|error| format!("curl: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}
