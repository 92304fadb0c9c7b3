//! How versions are written: as 16 hexadecimal digits.

pub(super) const VERSION_LEN: usize = 16;

/// A version as text, as clients and people see it.
pub fn version_text(version: u64) -> String {
    format!("{version:016x}")
}

/// The version that a client sent as this text. `None`: it is none that Isthmus makes.
pub fn parse_version(text: &str) -> Option<u64> {
    (text.len() == VERSION_LEN).then(|| u64::from_str_radix(text, 16).ok()).flatten()
}
