//! UIDs and resourceVersions.

use std::num::NonZeroU64;
use std::sync::Arc;

/// UID and resourceVersion of an object, as texts that only an API server understands. In 24 bytes if they are as API servers make them:
/// an RFC 9562 UUID, and a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity(Packed);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Packed {
    Usual { uid: [u8; 16], version: NonZeroU64 },
    Other(Box<(Arc<str>, Arc<str>)>),
}

impl Identity {
    pub fn pack(uid: Arc<str>, version: Arc<str>) -> Self {
        Self(match (parse_uid(&uid), parse_version(&version)) {
            (Some(uid), Some(version)) => Packed::Usual { uid: uid.to_be_bytes(), version },
            _ => Packed::Other(Box::new((uid, version))),
        })
    }

    pub fn uid(&self) -> Arc<str> {
        match &self.0 {
            Packed::Usual { uid, .. } => uid_text(u128::from_be_bytes(*uid)).into(),
            Packed::Other(texts) => Arc::clone(&texts.0),
        }
    }

    pub fn resource_version(&self) -> Arc<str> {
        match &self.0 {
            Packed::Usual { version, .. } => version.to_string().into(),
            Packed::Other(texts) => Arc::clone(&texts.1),
        }
    }

    /// Whether it was made of these two. Allocates nothing.
    pub fn is(&self, uid: &str, version: &str) -> bool {
        match &self.0 {
            Packed::Usual { uid: mine, version: my_version } => {
                parse_uid(uid) == Some(u128::from_be_bytes(*mine)) && parse_version(version) == Some(*my_version)
            }
            Packed::Other(texts) => (&*texts.0, &*texts.1) == (uid, version),
        }
    }
}

/// Only of the text that [`uid_text`] makes of the same number.
fn parse_uid(text: &str) -> Option<u128> {
    let digit = |uid: u128, (at, byte): (usize, u8)| match (at, byte) {
        (8 | 13 | 18 | 23, b'-') => Some(uid),
        (8 | 13 | 18 | 23, _) => None,
        (_, b'0'..=b'9') => Some(uid << 4 | u128::from(byte - b'0')),
        (_, b'a'..=b'f') => Some(uid << 4 | u128::from(byte - b'a' + 10)),
        _ => None,
    };
    (text.len() == 36).then(|| text.bytes().enumerate().try_fold(0, digit))?
}

fn uid_text(uid: u128) -> String {
    let part = |from: u32, digits: u32| uid >> (from * 4) & ((1 << (digits * 4)) - 1);
    let [a, b, c, d, e] = [part(24, 8), part(20, 4), part(16, 4), part(12, 4), part(0, 12)];
    format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
}

/// Only of a number as it is printed: without a sign and without zeros in front.
fn parse_version(text: &str) -> Option<NonZeroU64> {
    if text.starts_with(['+', '0']) { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(uid: &str, version: &str, usual: bool) {
        let packed = Identity::pack(uid.into(), version.into());
        assert_eq!((&*packed.uid(), &*packed.resource_version()), (uid, version));
        assert!(packed.is(uid, version));
        assert!(!packed.is(uid, &format!("{version}1")) && !packed.is(&format!("{uid}1"), version));
        assert_eq!(matches!(packed.0, Packed::Usual { .. }), usual, "{uid} {version}");
    }

    #[test]
    fn only_what_can_be_printed_again_is_packed() {
        const UID: &str = "0f0c12ab-3b1d-4c7e-9a52-00005e8d9b7a";
        for version in ["1", "184467440", "18446744073709551615"] {
            check(UID, version, true);
        }
        for version in ["", "0", "01", "+1", "-1", " 1", "1a", "18446744073709551616", "é"] {
            check(UID, version, false);
        }
        let wrong = [
            "",
            "uid-shop/web",
            "0F0c12ab-3b1d-4c7e-9a52-00005e8d9b7a",
            "0g0c12ab-3b1d-4c7e-9a52-00005e8d9b7a",
            "0f0c12ab03b1d-4c7e-9a52-00005e8d9b7a",
            "-f0c12ab-3b1d-4c7e-9a52-00005e8d9b7a",
            "0f0c12ab-3b1d-4c7e-9a52-00005e8d9b7",
            "0f0c12ab3b1d4c7e9a5200005e8d9b7a",
            "éf0c12ab-3b1d-4c7e-9a52-00005e8d9b7",
        ];
        for uid in wrong {
            check(uid, "1", false);
        }
        assert_eq!(size_of::<Identity>(), 24);
    }

    proptest! {
        #[test]
        fn what_is_packed_is_what_is_read(
            uid in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", version in 1..=u64::MAX
        ) {
            check(&uid, &version.to_string(), true);
        }

        #[test]
        fn whatever_is_packed_is_what_is_read(uid in "[0-9a-fA-F-]{36}|.{0,40}", version in "[+0-9]{0,3}|.{0,20}") {
            let packed = Identity::pack(uid.as_str().into(), version.as_str().into());
            prop_assert_eq!((&*packed.uid(), &*packed.resource_version()), (uid.as_str(), version.as_str()));
        }

        #[test]
        fn only_equal_ones_are_equal(
            one in "(0|1)-?", other in "(0|1)-?", (mine, theirs) in (0..3_u64, 0..3_u64), usual in any::<bool>()
        ) {
            let uid = |text: &str| if usual { format!("{}0000000-0000-0000-0000-000000000000", &text[..1]) } else { text.to_owned() };
            let pack = |text: &str, version: u64| Identity::pack(uid(text).into(), version.to_string().into());
            let same = uid(&one) == uid(&other) && mine == theirs;
            prop_assert_eq!(pack(&one, mine) == pack(&other, theirs), same);
            prop_assert_eq!(pack(&one, mine).is(&uid(&other), &theirs.to_string()), same);
        }
    }
}
