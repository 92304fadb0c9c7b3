//! The connection to a member, and kinds that cannot be read.

use std::sync::Arc;

use federation::change::{LinkChange, LinkFailure, MemberKind};
use federation::model::ClusterUid;
use prost::encoding::WireType;

use crate::codec::{DecodeError, EncodeError, Reader, Reason, Value, Writer, enumeration, message};

const UP: u32 = 1;
const DOWN: u32 = 2;

struct Up {
    uid: ClusterUid,
    version: Arc<str>,
}

struct Down {
    reason: LinkFailure,
    message: Arc<str>,
}

message!(Up { 1 => uid: ClusterUid, 2 => version: Arc<str> });
message!(Down { 1 => reason: LinkFailure, 2 => message: Arc<str> });

enumeration!(LinkFailure { 0 => SecretMissing, 1 => KubeconfigInvalid, 2 => CredentialRefused, 3 => Unreachable });

impl Value for LinkChange {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::Up { uid, version } => Up { uid: uid.clone(), version: Arc::clone(version) }.put_always(UP, to),
            Self::Down { reason, message } => {
                Down { reason: *reason, message: Arc::clone(message) }.put_always(DOWN, to)
            }
        }
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let mut found = None;
        while let Some((tag, wire_type)) = from.key()? {
            match tag {
                UP => {
                    let Up { uid, version } = Up::take_one(wire_type, from).map_err(|error| error.within("up"))?;
                    found = Some(Self::Up { uid, version });
                }
                DOWN => {
                    let down = Down::take_one(wire_type, from).map_err(|error| error.within("down"))?;
                    let Down { reason, message } = down;
                    found = Some(Self::Down { reason, message });
                }
                _ => from.skip(wire_type)?,
            }
        }
        found.ok_or_else(|| start.error(Reason::NoneOf("up (1), down (2)")))
    }
}

/// See [`federation::change::MemberChanges::Unreadable`].
pub(super) struct Unreadable {
    pub kind: MemberKind,
    pub message: Arc<str>,
    pub partly: bool,
}

message!(Unreadable { 1 => kind: MemberKind, 2 => message: Arc<str>, 3 => partly: bool });

enumeration!(MemberKind {
    0 => Namespaces,
    1 => Services,
    2 => Slices,
    3 => Exports,
    4 => Nodes,
    5 => ServiceCidrs,
});
