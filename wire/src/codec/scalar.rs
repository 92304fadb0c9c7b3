//! Numbers, texts and addresses.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use prost::encoding::WireType;

use super::error::{DecodeError, EncodeError, Reason};
use super::limits::MAX_TEXT_BYTES;
use super::{Reader, Value, Writer};

impl Value for u64 {
    const WIRE_TYPE: WireType = WireType::Varint;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        to.varint(*self);
        Ok(())
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if from.is_empty() { Ok(0) } else { from.varint() }
    }
}

macro_rules! smaller {
    ($($number:ty),*) => {$(
        impl Value for $number {
            const WIRE_TYPE: WireType = WireType::Varint;

            fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
                u64::from(*self).put_body(to)
            }

            fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let start = from.clone();
                let found = u64::take_body(from)?;
                Self::try_from(found).map_err(|_| start.error(Reason::Value {
                    found: found.to_string(),
                    expected: format!("at most {}", Self::MAX),
                }))
            }
        }
    )*};
}

smaller!(u16, u32);

impl Value for bool {
    const WIRE_TYPE: WireType = WireType::Varint;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        u64::from(*self).put_body(to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        match u64::take_body(from)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(start.error(Reason::Value { found: found.to_string(), expected: "0 or 1".to_owned() })),
        }
    }
}

/// As protobuf's `sint64`: small numbers of either sign are short.
impl Value for i64 {
    const WIRE_TYPE: WireType = WireType::Varint;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        ((self << 1) ^ (self >> 63)).cast_unsigned().put_body(to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = u64::take_body(from)?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

/// Text that no constructor of the model checks.
impl Value for Arc<str> {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        put_text(self, to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        take_text(from).map(Arc::from)
    }
}

pub(crate) fn put_text(text: &str, to: &mut Writer) -> Result<(), EncodeError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(EncodeError::new(Reason::TextTooLong { found: text.len() }));
    }
    to.bytes(text.as_bytes());
    Ok(())
}

/// All of the reader as text, which the caller is about to copy.
pub(crate) fn take_text<'a>(from: &mut Reader<'a>) -> Result<&'a str, DecodeError> {
    let bytes = from.rest();
    if bytes.len() > MAX_TEXT_BYTES {
        return Err(from.error(Reason::TextTooLong { found: bytes.len() }));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| from.error(Reason::NotText))?;
    // With the two counters of an `Arc`.
    from.allocate(text.len() + 2 * size_of::<usize>())?;
    from.end();
    Ok(text)
}

/// 4 or 16 bytes in network order.
impl Value for IpAddr {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        match self {
            Self::V4(ip) => to.bytes(&ip.octets()),
            Self::V6(ip) => to.bytes(&ip.octets()),
        }
        Ok(())
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let address = address(from.rest()).ok_or_else(|| {
            let found = format!("of {} bytes", from.rest().len());
            from.error(Reason::Value { found, expected: "an address of 4 or 16 bytes".to_owned() })
        })?;
        from.end();
        Ok(address)
    }
}

/// The address, and a byte with the length of the prefix.
impl Value for IpNet {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        self.addr().put_body(to)?;
        to.bytes(&[self.prefix_len()]);
        Ok(())
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let range = from.rest().split_last().and_then(|(length, ip)| Self::new(address(ip)?, *length).ok());
        let range = range.ok_or_else(|| {
            let found = format!("{:?}", from.rest().get(..17.min(from.rest().len())).unwrap_or_default());
            let expected = "an address of 4 or 16 bytes and a prefix length of at most 32 or 128".to_owned();
            from.error(Reason::Value { found, expected })
        })?;
        from.end();
        Ok(range)
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    <[u8; 16]>::try_from(bytes).map(IpAddr::from).or_else(|_| v4()).ok()
}
