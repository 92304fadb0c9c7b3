//! Encodings as tables: a tag, a name, a type. A tag is never used again for anything else.

/// How a struct is encoded. The struct is taken apart and put together without `..`, so that a new field does not compile
/// until it has a tag.
macro_rules! message {
    ($type:ty { $($tag:literal => $field:ident: $kind:ty),* $(,)? }) => {
        impl $crate::codec::Value for $type {
            const WIRE_TYPE: ::prost::encoding::WireType = ::prost::encoding::WireType::LengthDelimited;

            fn put_body(&self, to: &mut $crate::codec::Writer) -> Result<(), $crate::codec::EncodeError> {
                let Self { $($field),* } = self;
                $(
                    <$kind as $crate::codec::Field>::put($field, $tag, to)
                        .map_err(|error| error.within(stringify!($field)))?;
                )*
                Ok(())
            }

            fn take_body(from: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::DecodeError> {
                $(let mut $field = <$kind as $crate::codec::Field>::Slot::default();)*
                while let Some((tag, wire_type)) = from.key()? {
                    match tag {
                        $(
                            $tag => <$kind as $crate::codec::Field>::take(&mut $field, wire_type, from)
                                .map_err(|error| error.within(stringify!($field)))?,
                        )*
                        _ => from.skip(wire_type)?,
                    }
                }
                Ok(Self {
                    $(
                        $field: <$kind as $crate::codec::Field>::finish($field, from)
                            .map_err(|error| error.within(stringify!($field)))?,
                    )*
                })
            }
        }
    };
}

/// How an enum without fields is encoded: 0 is the value of a field that is absent.
macro_rules! enumeration {
    ($type:ty { $($number:literal => $variant:ident),* $(,)? }) => {
        impl $crate::codec::Value for $type {
            const WIRE_TYPE: ::prost::encoding::WireType = ::prost::encoding::WireType::Varint;

            fn put_body(&self, to: &mut $crate::codec::Writer) -> Result<(), $crate::codec::EncodeError> {
                to.varint(match self {
                    $(Self::$variant => $number,)*
                });
                Ok(())
            }

            fn take_body(from: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::DecodeError> {
                let start = from.clone();
                match u64::take_body(from)? {
                    $($number => Ok(Self::$variant),)*
                    found => {
                        let known = [$(concat!(stringify!($number), " (", stringify!($variant), ")")),*];
                        let (found, expected) = (found.to_string(), format!("one of {}", known.join(", ")));
                        Err(start.error($crate::codec::Reason::Value { found, expected }))
                    }
                }
            }
        }
    };
}

pub(crate) use {enumeration, message};
