//! Resources as people read them: canonical proto JSON, with every `Any` expanded to what it holds.
//!
//! The descriptions of the messages are checked in, because the crate that has the messages publishes theirs as a file
//! only, not as part of its interface. They are cut down to what is served and what that refers to; a test compares them
//! with the crate's, and can write them again.

use envoy_types::pb::google::protobuf::Any;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::resource::{Resource, ResourceType};

static DESCRIPTORS: &[u8] = include_bytes!("json/descriptors.bin");

#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("the descriptions of the messages cannot be read")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    #[error("{name}: expected a message of type {expected}")]
    Decode { name: String, expected: &'static str, source: prost::DecodeError },
    #[error("{name}: {expected} is not described")]
    Undescribed { name: String, expected: &'static str },
    #[error("{name}")]
    Encode { name: String, source: serde_json::Error },
}

/// Knows the messages. Made when something is to be shown, and not kept: it takes some megabytes.
pub struct Reader(DescriptorPool);

impl Reader {
    pub fn new() -> Result<Self, JsonError> {
        Ok(Self(DescriptorPool::decode(DESCRIPTORS)?))
    }

    /// The resource itself, without the `Any` around it.
    pub fn json(&self, resource_type: ResourceType, resource: &Resource) -> Result<Box<RawValue>, JsonError> {
        let name = || resource.name().to_string();
        let expected = resource_type.message();
        let message = self.0.get_message_by_name(expected);
        let message = message.ok_or_else(|| JsonError::Undescribed { name: name(), expected })?;
        let message = Any::decode(resource.any_bytes()).and_then(|any| DynamicMessage::decode(message, &*any.value));
        let message = message.map_err(|source| JsonError::Decode { name: name(), expected, source })?;
        to_raw_value(&Shown(&message)).map_err(|source| JsonError::Encode { name: name(), source })
    }
}

/// Canonical, without fields that have their default.
struct Shown<'a>(&'a DynamicMessage);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize_with_options(serializer, &SerializeOptions::new())
    }
}

#[cfg(test)]
mod tests;
