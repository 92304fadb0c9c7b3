//! References to images, and when nodes pull them.

use std::str::FromStr;

/// Longest reference: a registry's name, a path and a digest.
const MAX_LEN: usize = 512;

/// A reference such as `registry.example/mesh/isthmus:1.2.3` or `…@sha256:…`. It holds no character that means something in
/// YAML or in a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a reference to an image, such as registry.example/mesh/isthmus:1.2.3")]
pub struct NotAnImage;

impl Image {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the same reference may name another image tomorrow, as `latest` does.
    fn moves(&self) -> bool {
        if self.0.contains('@') {
            return false;
        }
        // A colon before the last slash belongs to a registry's port.
        let last = self.0.rsplit('/').next().unwrap_or_default();
        last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
    }
}

impl FromStr for Image {
    type Err = NotAnImage;

    fn from_str(text: &str) -> Result<Self, NotAnImage> {
        let known = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
        let ends = |c: char| c.is_ascii_alphanumeric();
        let fits = text.len() <= MAX_LEN
            && text.chars().all(known)
            && text.starts_with(ends)
            && text.ends_with(ends)
            && !text.contains("//");
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAnImage) }
    }
}

/// When a node asks the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    IfNotPresent,
    Always,
    Never,
}

impl PullPolicy {
    /// What a node has of a tag that does not move is right; of one that moves it may be old.
    pub fn of(image: &Image) -> Self {
        if image.moves() { Self::Always } else { Self::IfNotPresent }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}
