//! Text is cut where it enters, so that nothing that keeps or repeats it has to ask how long it is.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use xxhash_rust::xxh3::xxh3_64;

/// What is left of a name that was cut, in bytes, besides its length and hash.
const NAME_HEAD: usize = 64;

/// The first `max` bytes at most, with the length of the whole if it was longer.
pub fn cut(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{}… ({} bytes)", head(text, max), text.len()))
}

/// As [`cut`], for a name: two names that begin alike stay two names, because the hash of the whole is part of what is left.
pub fn cut_name(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let hash = xxh3_64(text.as_bytes());
    Cow::Owned(format!("{}… ({} bytes, {hash:016x})", head(text, NAME_HEAD.min(max)), text.len()))
}

fn head(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// Takes what is written to it, keeps the beginning, and counts the rest: something of a megabyte is never held twice.
#[derive(Debug)]
pub struct Bounded {
    kept: String,
    max: usize,
    written: usize,
}

impl Bounded {
    /// What `text` displays, cut to `max` bytes.
    pub fn text(text: impl fmt::Display, max: usize) -> String {
        let mut bounded = Self { kept: String::new(), max, written: 0 };
        let _ = write!(bounded, "{text}"); // it takes everything
        if bounded.written > max {
            let _ = write!(bounded.kept, "… ({} bytes)", bounded.written);
        }
        bounded.kept
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // After the first piece that does not fit, nothing more is kept.
        if self.written < self.max {
            self.kept.push_str(head(text, self.max - self.written));
        }
        self.written += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: usize = 1 << 20;

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "longe… (6 bytes)");
        assert_eq!(cut("ééé", 3), "é… (6 bytes)", "never inside of a character");
        assert_eq!(Bounded::text("short", 5), "short");
        assert_eq!(Bounded::text("longer", 5), "longe… (6 bytes)");
        assert_eq!(Bounded::text(format_args!("{}{}{}", "ab", "ééé", "c"), 5), "abé… (9 bytes)");
        let text = Bounded::text("x".repeat(LONG), 120);
        assert!(text.len() < 160 && text.contains("1048576 bytes"), "{text}");
    }

    #[test]
    fn names_that_begin_alike_stay_apart() {
        let [one, other] = ["1", "2"].map(|end| "n".repeat(LONG) + end);
        let [a, b] = [cut_name(&one, 253), cut_name(&other, 253)];
        assert!(a != b && a.len() < 128 && a.contains("1048577 bytes"), "{a} {b}");
        assert_eq!(cut_name(&one, 253), a, "and one name stays one");
        assert_eq!(cut_name("web", 253), "web");
    }
}
