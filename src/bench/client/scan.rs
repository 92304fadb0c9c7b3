//! Responses, read without decoding them: a client of the bench keeps only names and versions.

use std::collections::BTreeSet;

use regions::resource::ResourceType;
use regions::session::Variant;
use xxhash_rust::xxh3::xxh3_64;

/// A response that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    #[error("a response is no protobuf message: {0}")]
    Malformed(&'static str),
    #[error("a resource's version is {0:?}; expected up to 16 hexadecimal digits, as Isthmus makes them")]
    Version(String),
    #[error("a response is of type {0:?}, which no client asked for")]
    Type(String),
}

use ScanError::Malformed;

/// A response whose resources were not read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    pub resource_type: ResourceType,
    pub version: &'a str,
    pub nonce: &'a str,
    variant: Variant,
    message: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    pub name: &'a str,
    pub version: u64,
    /// The encoded message.
    pub body: &'a [u8],
}

const RESOURCES: u32 = 2;
const REMOVED: u32 = 6;

impl<'a> Response<'a> {
    pub fn scan(variant: Variant, message: &'a [u8]) -> Result<Self, ScanError> {
        let (mut version, mut url, mut nonce) = ("", "", "");
        for field in Fields(message) {
            match field? {
                (1, Value::Bytes(bytes)) => version = text(bytes)?,
                (4, Value::Bytes(bytes)) => url = text(bytes)?,
                (5, Value::Bytes(bytes)) => nonce = text(bytes)?,
                _ => {}
            }
        }
        let resource_type = ResourceType::from_url(url).ok_or_else(|| ScanError::Type(url.to_owned()))?;
        Ok(Self { resource_type, version, nonce, variant, message })
    }

    pub fn resources(&self) -> impl Iterator<Item = Result<Found<'a>, ScanError>> + use<'a> {
        let variant = self.variant;
        bytes_of(self.message, RESOURCES).map(move |bytes| match variant {
            Variant::Delta => resource(bytes?),
            Variant::Sotw => whole(bytes?),
        })
    }

    /// Delta only.
    pub fn removed(&self) -> impl Iterator<Item = Result<&'a str, ScanError>> + use<'a> {
        let message = if self.variant == Variant::Delta { self.message } else { &[] };
        bytes_of(message, REMOVED).map(|bytes| text(bytes?))
    }
}

/// The load assignment that a Cluster refers to, if it does (`type: EDS`): its `service_name`, else its own name.
pub fn load_of<'a>(cluster: &Found<'a>) -> Result<Option<&'a str>, ScanError> {
    const TYPE: u32 = 2;
    const EDS: u64 = 3;
    const EDS_CONFIG: u32 = 3;
    const SERVICE_NAME: u32 = 2;
    let (mut is_eds, mut load) = (false, cluster.name);
    for field in Fields(cluster.body) {
        match field? {
            (TYPE, Value::Number(kind)) => is_eds = kind == EDS,
            (EDS_CONFIG, Value::Bytes(config)) => {
                if let Some(name) = bytes_of(config, SERVICE_NAME).last() {
                    load = text(name?)?;
                }
            }
            _ => {}
        }
    }
    Ok(is_eds.then_some(load))
}

/// The collections that a ClusterLoadAssignment names for its endpoints (LEDS); none if it holds them itself.
pub fn collections(assignment: &[u8]) -> Result<BTreeSet<String>, ScanError> {
    const LOCALITIES: u32 = 2;
    const LEDS_CONFIG: u32 = 8;
    const COLLECTION_NAME: u32 = 2;
    let mut names = BTreeSet::new();
    for locality in bytes_of(assignment, LOCALITIES) {
        for config in bytes_of(locality?, LEDS_CONFIG) {
            for name in bytes_of(config?, COLLECTION_NAME) {
                names.insert(text(name?)?.to_owned());
            }
        }
    }
    Ok(names)
}

/// A delta `Resource`.
fn resource(bytes: &[u8]) -> Result<Found<'_>, ScanError> {
    let (mut name, mut version, mut body) = ("", "", &[][..]);
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(bytes)) => version = text(bytes)?,
            (2, Value::Bytes(any)) => body = value_of(any)?,
            (3, Value::Bytes(bytes)) => name = text(bytes)?,
            _ => {}
        }
    }
    let number = u64::from_str_radix(version, 16).map_err(|_| ScanError::Version(version.to_owned()))?;
    Ok(Found { name, version: number, body })
}

/// An `Any`. All types that are served here begin with their name, and a version is the hash of the content.
fn whole(any: &[u8]) -> Result<Found<'_>, ScanError> {
    const NAME: u32 = 1;
    let body = value_of(any)?;
    for field in Fields(body) {
        if let (NAME, Value::Bytes(name)) = field? {
            return Ok(Found { name: text(name)?, version: xxh3_64(body), body });
        }
    }
    Err(Malformed("a resource without a name"))
}

fn value_of(any: &[u8]) -> Result<&[u8], ScanError> {
    const VALUE: u32 = 2;
    bytes_of(any, VALUE).last().unwrap_or(Ok(&[]))
}

fn bytes_of(message: &[u8], wanted: u32) -> impl Iterator<Item = Result<&[u8], ScanError>> {
    Fields(message).filter_map(move |field| match field {
        Ok((tag, Value::Bytes(bytes))) if tag == wanted => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    })
}

fn text(bytes: &[u8]) -> Result<&str, ScanError> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("a text that is not UTF-8"))
}

/// The fields of one message, not of those inside it.
struct Fields<'a>(&'a [u8]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), ScanError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[]; // where the next field begins is unknown
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u32, Value<'a>), ScanError> {
        let key = self.varint()?;
        let tag = u32::try_from(key >> 3).map_err(|_| Malformed("a tag beyond all tags"))?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return Err(Malformed("an unknown wire type")),
        };
        Ok((tag, value))
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], ScanError> {
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let (taken, rest) = split.ok_or(Malformed("a field that ends after its message"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, ScanError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(Malformed("a number that is cut off"))?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number of more than ten bytes"))
    }
}

#[cfg(test)]
mod tests;
