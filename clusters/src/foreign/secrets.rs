//! Credentials in texts: a server that was sent one may send it back, as a name, in a message or in pieces, to have it
//! shown to people who may read statuses but not Secrets.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Pieces of a credential that are this long are taken out, in bytes. Less gives nothing away and could be any word.
const PIECE: usize = 12;
const REDACTED: &str = "[redacted]";
/// Credentials of one member that are recognised, the newest first: one that was exchanged may still be sent back.
const MAX_REMEMBERED: usize = 4;

/// One key for the process, so that hashes can be compared and reveal nothing outside of it.
static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Recognises the credentials of one member in texts. It holds hashes of their pieces, not the credentials; `Default` knows
/// none.
#[derive(Clone, Default)]
pub struct Secrets {
    known: Vec<Arc<Known>>,
}

/// Hashes of pieces by the length of a piece: shorter than [`PIECE`] only for a credential that is shorter itself.
#[derive(Default, PartialEq, Eq)]
struct Known {
    pieces: BTreeMap<usize, HashSet<u64>>,
}

impl Secrets {
    /// Knows these credentials, as they are, in base64 (of either alphabet, and inside of something longer), and in
    /// hexadecimal; all of it in whatever case.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut known = Known::default();
        for secret in secrets.into_iter().filter(|secret| !secret.is_empty()) {
            known.learn(secret);
            for shift in 0..3 {
                known.learn(&inside_base64(secret, shift));
            }
            let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
            known.learn(hex.as_bytes());
        }
        Self { known: vec![Arc::new(known)] }
    }

    /// Knows the last ones of `before` as well.
    #[must_use]
    pub fn after(mut self, before: &Self) -> Self {
        for known in &before.known {
            if self.known.len() < MAX_REMEMBERED && !self.known.contains(known) {
                self.known.push(Arc::clone(known));
            }
        }
        self
    }

    /// The text without any credential, or any piece of one.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        for Range { start, end } in found {
            // What is found is ASCII, so it begins and ends between characters.
            out.push_str(text.get(at..start).unwrap_or_default());
            out.push_str(REDACTED);
            at = end;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        Cow::Owned(out)
    }

    pub fn are_in(&self, text: &str) -> bool {
        !self.find(text).is_empty()
    }

    /// Where pieces of credentials are: sorted, apart from each other.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let folded = fold(text.as_bytes());
        let mut found: Vec<Range<usize>> = Vec::new();
        for (length, hashes) in self.known.iter().flat_map(|known| &known.pieces) {
            for (start, piece) in folded.windows(*length).enumerate() {
                if hashes.contains(&KEYS.hash_one(piece)) {
                    found.push(start..start + length);
                }
            }
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in found {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        joined
    }
}

impl Known {
    fn learn(&mut self, secret: &[u8]) {
        let folded = fold(secret);
        let length = PIECE.min(folded.len());
        if length == 0 {
            return;
        }
        let hashes: Vec<u64> = folded.windows(length).map(|piece| KEYS.hash_one(piece)).collect();
        self.pieces.entry(length).or_default().extend(hashes);
    }
}

/// Without what differs between two ways to write the same: case, and the two alphabets of base64.
fn fold(text: &[u8]) -> Vec<u8> {
    text.iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte.to_ascii_lowercase(),
        })
        .collect()
}

/// How the secret looks in the base64 of something in which `shift` bytes, modulo three, come before it, without the
/// digits that its neighbours have a share in.
fn inside_base64(secret: &[u8], shift: usize) -> Vec<u8> {
    let mut padded = vec![0; shift];
    padded.extend_from_slice(secret);
    let digits = STANDARD_NO_PAD.encode(&padded).into_bytes();
    let (first, last) = ((shift * 8).div_ceil(6), padded.len() * 8 / 6);
    digits.get(first..last).unwrap_or_default().to_vec()
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    /// Like that of a ServiceAccount, with characters in which the alphabets of base64 differ.
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ii1fPz4.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl-_ik~Zz";

    fn scrubbed(text: &str) -> String {
        Secrets::new([TOKEN.as_bytes()]).scrub(text).into_owned()
    }

    #[test]
    fn a_credential_is_taken_out_in_every_form() {
        assert_eq!(scrubbed(&format!("found \"{TOKEN}\"!")), "found \"[redacted]\"!");
        for inner in [TOKEN.to_owned(), format!("user:{TOKEN}"), format!("Bearer {TOKEN} x")] {
            for written in [
                STANDARD.encode(&inner),
                URL_SAFE.encode(&inner),
                inner.bytes().map(|byte| format!("{byte:02X}")).collect(),
                inner.to_lowercase(),
            ] {
                let text = scrubbed(&format!("<{written}>"));
                assert!(text.contains(REDACTED) && text.len() < 60, "{written}: {text}");
            }
        }
    }

    #[test]
    fn pieces_are_taken_out() {
        for piece in TOKEN.as_bytes().chunks(PIECE).filter(|piece| piece.len() == PIECE) {
            let piece = std::str::from_utf8(piece).unwrap();
            assert_eq!(scrubbed(&format!("é{piece}é")), "é[redacted]é");
        }
        let cut = &TOKEN[..40];
        assert_eq!(scrubbed(&format!("{cut}… (84 bytes)")), "[redacted]… (84 bytes)");
    }

    #[test]
    fn other_text_stays() {
        for text in ["shop/web: found \"Odd\"; expected ClusterIP", "", "é", "eyJhbGciOiJ"] {
            assert_eq!(scrubbed(text), text);
        }
        assert_eq!(Secrets::default().scrub(TOKEN), TOKEN, "nothing is known");
        assert_eq!(Secrets::new([&b""[..]]).scrub("text"), "text");
        assert_eq!(Secrets::new([&b"s3cr3t"[..]]).scrub("my s3cr3t!"), "my [redacted]!");
        let both = Secrets::new([&b"the-new-token-2"[..]]).after(&Secrets::new([&b"the-old-token-1"[..]]));
        assert_eq!(both.scrub("the-new-token-2, the-old-token-1"), "[redacted], [redacted]");
        let mut many = Secrets::default();
        for i in 0..9 {
            let token = format!("rotated-token-{i}");
            many = Secrets::new([token.as_bytes()]).after(&many.clone().after(&many));
        }
        assert_eq!(many.known.len(), MAX_REMEMBERED);
        assert!(!format!("{:?}", Secrets::new([TOKEN.as_bytes()])).contains("ey"));
    }
}
