//! Services.

use std::net::IpAddr;
use std::sync::Arc;

use federation::model::{
    Affinity, ClusterId, Digest, Families, Family, HelmRelease, Labels, Mark, Owner, Protocol, Service, ServiceKey,
    ServiceKind, ServicePort, Time, product,
};
use prost::encoding::WireType;

use crate::codec::{
    DecodeError, EncodeError, Field, Reader, Reason, Value, Writer, enumeration, message, put_text, take_text,
};

message!(Service {
    1 => key: ServiceKey,
    2 => uid: Arc<str>,
    3 => resource_version: Arc<str>,
    4 => created: Time,
    5 => labels: Labels,
    6 => kind: ServiceKind,
    7 => cluster_ips: Vec<IpAddr>,
    8 => families: Option<Families>,
    9 => ports: Vec<ServicePort>,
    10 => affinity: Affinity,
    11 => owner: Owner,
    12 => node_local: bool,
    13 => derived_by: Option<&'static str>,
    14 => hint: Option<Arc<str>>,
    15 => helm: Option<Arc<HelmRelease>>,
});

enumeration!(ServiceKind { 0 => ClusterIp, 1 => Headless, 2 => ExternalName });

message!(ServicePort {
    1 => name: Arc<str>,
    2 => port: u16,
    3 => protocol: Protocol,
    4 => app_protocol: Option<Arc<str>>,
});

enumeration!(Protocol { 0 => Tcp, 1 => Udp, 2 => Sctp });

/// One number for each combination.
impl Value for Families {
    const WIRE_TYPE: WireType = WireType::Varint;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.varint(match self {
            Self::Only(Family::V4) => 0,
            Self::Only(Family::V6) => 1,
            Self::Both(Family::V4) => 2,
            Self::Both(Family::V6) => 3,
        });
        Ok(())
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        match u64::take_body(from)? {
            0 => Ok(Self::Only(Family::V4)),
            1 => Ok(Self::Only(Family::V6)),
            2 => Ok(Self::Both(Family::V4)),
            3 => Ok(Self::Both(Family::V6)),
            found => {
                let expected = "one of 0 (IPv4), 1 (IPv6), 2 (IPv4 and IPv6), 3 (IPv6 and IPv4)".to_owned();
                Err(start.error(Reason::Value { found: found.to_string(), expected }))
            }
        }
    }
}

struct EncodedAffinity {
    client_ip: Option<u32>,
}

message!(EncodedAffinity { 1 => client_ip: Option<u32> });

/// Field 1 is the timeout of `ClientIP`, in seconds; without it there is no affinity.
impl Value for Affinity {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let client_ip = match self {
            Self::None => None,
            Self::ClientIp { timeout_s } => Some(*timeout_s),
        };
        EncodedAffinity { client_ip }.put_body(to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let EncodedAffinity { client_ip } = EncodedAffinity::take_body(from)?;
        Ok(client_ip.map_or(Self::None, |timeout_s| Self::ClientIp { timeout_s }))
    }
}

struct EncodedOwner {
    kind: OwnerKind,
    mark: Option<Box<Mark>>,
}

enum OwnerKind {
    User,
    Mirror,
    Restored,
    Lookalike,
    Adopted,
}

message!(EncodedOwner { 1 => kind: OwnerKind, 2 => mark: Option<Box<Mark>> });
enumeration!(OwnerKind { 0 => User, 1 => Mirror, 2 => Restored, 3 => Lookalike, 4 => Adopted });

/// Which kind of owner, and the mark of a mirror.
impl Value for Owner {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let (kind, mark) = match self {
            Self::User => (OwnerKind::User, None),
            Self::Mirror(mark) => (OwnerKind::Mirror, Some(mark)),
            Self::Restored(mark) => (OwnerKind::Restored, Some(mark)),
            Self::Lookalike => (OwnerKind::Lookalike, None),
            Self::Adopted => (OwnerKind::Adopted, None),
        };
        kind.put(1, to)?;
        mark.map_or(Ok(()), |mark| mark.put_always(2, to))
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let EncodedOwner { kind, mark } = EncodedOwner::take_body(from)?;
        let missing = || {
            let (found, expected) = ("a mirror without a mark".to_owned(), "field 2, the mark".to_owned());
            start.error(Reason::Value { found, expected })
        };
        Ok(match kind {
            OwnerKind::User => Self::User,
            OwnerKind::Mirror => Self::Mirror(mark.ok_or_else(missing)?),
            OwnerKind::Restored => Self::Restored(mark.ok_or_else(missing)?),
            OwnerKind::Lookalike => Self::Lookalike,
            OwnerKind::Adopted => Self::Adopted,
        })
    }
}

message!(Mark {
    1 => sources: Vec<ClusterId>,
    2 => hub: Digest,
    3 => helm: Digest,
    4 => helm_claimed: bool,
});

impl Value for Digest {
    const WIRE_TYPE: WireType = WireType::SixtyFourBit;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.bytes(&self.to_bits().to_le_bytes());
        Ok(())
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_bits(from.eight_bytes()?))
    }
}

/// The name of a product, so that an older version can read what a newer one writes: a product that it does not know is
/// [`product::OTHER`].
impl Value for &'static str {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        put_text(self, to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        take_text(from).map(product::named)
    }
}
