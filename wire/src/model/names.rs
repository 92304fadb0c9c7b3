//! Names, which the constructors of the model check again, and what consists of names.

use std::sync::Arc;

use federation::model::{
    ClusterId, ClusterUid, Labels, Namespace, NamespacePattern, Network, RegionId, Selector, ServiceKey, SliceKey,
    Time, Zone,
};
use prost::encoding::WireType;

use crate::codec::limits::MAX_ITEMS;
use crate::codec::{
    DecodeError, EncodeError, Field, Reader, Reason, Value, Writer, check, message, put_text, take_text,
};

macro_rules! name {
    ($($name:ident),*) => {$(
        impl Value for $name {
            const WIRE_TYPE: WireType = WireType::LengthDelimited;

            fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
                put_text(self.as_str(), to)
            }

            fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let start = from.clone();
                Self::new(take_text(from)?).map_err(|error| start.error(Reason::Refused(error.to_string())))
            }
        }
    )*};
}

name!(ClusterId, RegionId, Zone, Network, Namespace);

impl Value for NamespacePattern {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        put_text(&self.to_string(), to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        Self::new(take_text(from)?).map_err(|error| start.error(Reason::Refused(error.to_string())))
    }
}

impl Value for ClusterUid {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let Self(text) = self;
        text.put_body(to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Arc::<str>::take_body(from).map(Self)
    }
}

/// Milliseconds since the Unix epoch.
impl Value for Time {
    const WIRE_TYPE: WireType = WireType::Varint;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let Self { unix_ms } = self;
        unix_ms.put_body(to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        i64::take_body(from).map(Self::from_unix_ms)
    }
}

/// A namespace and a name in it.
struct Qualified {
    namespace: Arc<str>,
    name: Arc<str>,
}

message!(Qualified { 1 => namespace: Arc<str>, 2 => name: Arc<str> });

impl Value for ServiceKey {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        let Self { namespace, name } = self;
        namespace.put(1, to)?;
        name.put(2, to)
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let start = from.clone();
        let Qualified { namespace, name } = Qualified::take_body(from)?;
        Self::new(&namespace, &name).map_err(|error| {
            let text = format!("{namespace:?}/{name:?}: one of the two {error}");
            start.error(Reason::Refused(text))
        })
    }
}

message!(SliceKey { 1 => namespace: Namespace, 2 => name: Arc<str> });

message!(Selector { 1 => match_labels: Labels });

/// As a protobuf map: one entry for each label, in order of keys.
impl Value for Labels {
    const WIRE_TYPE: WireType = WireType::LengthDelimited;

    fn put_body(&self, to: &mut Writer) -> Result<(), EncodeError> {
        if self.len() > MAX_ITEMS {
            return Err(EncodeError::new(Reason::TooManyItems));
        }
        for (key, value) in self.iter() {
            to.key(1, WireType::LengthDelimited);
            to.sized(|to| {
                Arc::<str>::from(key).put(1, to)?;
                Arc::<str>::from(value).put(2, to)
            })?;
        }
        Ok(())
    }

    fn take_body(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = count(from.clone())?;
        if count > MAX_ITEMS {
            return Err(from.error(Reason::TooManyItems));
        }
        from.allocate(count * (KEPT + PASSING))?;
        let mut entries: Vec<(&str, &str)> = Vec::with_capacity(count);
        while let Some((tag, wire_type)) = from.key()? {
            if tag != 1 {
                from.skip(wire_type)?;
                continue;
            }
            check(wire_type, WireType::LengthDelimited, from)?;
            let entry = entry(from.sized()?).map_err(|error| error.within(format!("[{}]", entries.len())))?;
            entries.push(entry);
        }
        from.free(count * PASSING);
        Ok(entries.into_iter().collect())
    }
}

fn count(mut from: Reader<'_>) -> Result<usize, DecodeError> {
    let mut count = 0;
    while let Some((tag, wire_type)) = from.key()? {
        from.skip(wire_type)?;
        count += usize::from(tag == 1);
    }
    Ok(count)
}

/// Memory of a label besides its two texts.
const KEPT: usize = size_of::<(Arc<str>, Arc<str>)>();
/// Memory of a label while its object is decoded: an item of a vector, and one of a tree, whose nodes are half full at worst.
const PASSING: usize = 3 * size_of::<(&str, &str)>();

fn entry<'a>(mut from: Reader<'a>) -> Result<(&'a str, &'a str), DecodeError> {
    let (mut key, mut value) = ("", "");
    while let Some((tag, wire_type)) = from.key()? {
        let field = match tag {
            1 => &mut key,
            2 => &mut value,
            _ => {
                from.skip(wire_type)?;
                continue;
            }
        };
        check(wire_type, WireType::LengthDelimited, &from)?;
        *field = take_text(&mut from.sized()?)?;
    }
    Ok((key, value))
}
