//! Requests of both variants, read from their bytes and reduced to what is used.

use envoy_types::pb::envoy::config::core::v3::Node;

use super::known::Known;
use super::status::MAX_ERROR_LEN;
use super::{MAX_NAMES, Refusal, Variant};
use crate::class::{self, cut};
use crate::resource::{ResourceType, parse_version};
use crate::wire::{Malformed, Value, fields};

/// A request for one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub resource_type: ResourceType,
    /// Of the response that this one answers; empty if none.
    pub nonce: String,
    /// Set if that response was rejected. Nothing else makes a NACK.
    pub error: Option<String>,
    pub ask: Ask,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// All names that are wanted; `returning`: the client has something of the type, with a version.
    Sotw { names: Vec<String>, returning: bool },
    /// What changed about the names that are wanted; `known`: name and version of what the client has from before.
    Delta { subscribe: Vec<String>, unsubscribe: Vec<String>, known: Known },
}

/// A request that was not checked yet.
#[derive(Clone, Debug, PartialEq)]
pub struct RawRequest {
    /// Reduced to what [`class::Client`] is made from.
    pub node: Option<Node>,
    pub type_url: String,
    nonce: String,
    error: Option<String>,
    ask: Ask,
}

impl RawRequest {
    /// Reads a `DiscoveryRequest` or a `DeltaDiscoveryRequest`. It takes at most 16 times the message's bytes of memory,
    /// whatever is in it; what is not used is not decoded.
    pub fn read(variant: Variant, message: &[u8]) -> Result<Self, Malformed> {
        let number = Numbers::of(variant);
        let (mut node, mut type_url, mut nonce, mut error) = (None, "", "", None);
        let mut returning = false;
        for field in fields(message) {
            match field? {
                (found, value) if found == number.node => node = Some(class::read_node(value.bytes()?)?),
                (found, value) if found == number.type_url => type_url = value.text()?,
                (found, value) if found == number.nonce => nonce = value.text()?,
                (found, value) if found == number.error => error = Some(error_text(value.bytes()?)?),
                (1, value) if variant == Variant::Sotw => returning = !value.text()?.is_empty(),
                _ => {}
            }
        }
        let ask = match variant {
            Variant::Sotw => Ask::Sotw { names: names(message, number.subscribe)?, returning },
            Variant::Delta => Ask::Delta {
                subscribe: names(message, number.subscribe)?,
                unsubscribe: names(message, UNSUBSCRIBE)?,
                known: known(message)?,
            },
        };
        Ok(Self { node, type_url: type_url.to_owned(), nonce: nonce.to_owned(), error, ask })
    }

    /// `Ok(None)`: a type that is not served here. The stream stays open for the others.
    pub fn into_request(self) -> Result<Option<Request>, Refusal> {
        let Self { type_url, nonce, error, ask, .. } = self;
        if type_url.is_empty() {
            return Err(Refusal::NoType);
        }
        Ok(ResourceType::from_url(&type_url).map(|resource_type| Request { resource_type, nonce, error, ask }))
    }
}

/// Field numbers of the two kinds of requests (`discovery.proto`).
struct Numbers {
    node: u32,
    type_url: u32,
    subscribe: u32,
    nonce: u32,
    error: u32,
}

const UNSUBSCRIBE: u32 = 4;
const INITIAL_VERSIONS: u32 = 5;

impl Numbers {
    fn of(variant: Variant) -> Self {
        match variant {
            Variant::Sotw => Self { node: 2, type_url: 4, subscribe: 3, nonce: 5, error: 6 },
            Variant::Delta => Self { node: 1, type_url: 2, subscribe: 3, nonce: 6, error: 7 },
        }
    }
}

/// The strings of a repeated field, in a list that was made as long as it has to be: one more than allowed at most, which is
/// enough to be refused.
fn names(message: &[u8], number: u32) -> Result<Vec<String>, Malformed> {
    let found = || fields(message).filter_map(Result::ok).filter(|(found, _)| *found == number).take(MAX_NAMES + 1);
    let mut names = Vec::with_capacity(found().count());
    for (_, value) in found() {
        names.push(value.text()?.to_owned());
    }
    Ok(names)
}

/// `initial_resource_versions`: a map, that is pairs of a name (1) and a version (2).
fn known(message: &[u8]) -> Result<Known, Malformed> {
    let entries =
        || fields(message).filter_map(Result::ok).filter(|(found, _)| *found == INITIAL_VERSIONS).take(MAX_NAMES + 1);
    for (_, entry) in entries() {
        pair(entry)?;
    }
    Ok(Known::new(entries().map(|(_, entry)| pair(entry).unwrap_or_default())))
}

fn pair(entry: Value<'_>) -> Result<(&str, Option<u64>), Malformed> {
    let (mut name, mut version) = ("", "");
    for field in fields(entry.bytes()?) {
        match field? {
            (1, value) => name = value.text()?,
            (2, value) => version = value.text()?,
            _ => {}
        }
    }
    Ok((name, parse_version(version)))
}

/// The message (2) of a `google.rpc.Status`, as much of it as is kept.
fn error_text(status: &[u8]) -> Result<String, Malformed> {
    let mut text = "";
    for field in fields(status) {
        if let (2, value) = field? {
            text = value.text()?;
        }
    }
    Ok(cut(text, MAX_ERROR_LEN))
}

impl Request {
    /// Whether it may be more than an answer. State of the world names everything again in each.
    pub(super) fn asks(&self) -> bool {
        match &self.ask {
            Ask::Sotw { .. } => true,
            Ask::Delta { subscribe, unsubscribe, known } => {
                !(subscribe.is_empty() && unsubscribe.is_empty() && known.is_empty())
            }
        }
    }
}

#[cfg(test)]
impl Request {
    /// A request that was written by a client that knows the whole protocol.
    pub(crate) fn sotw(
        request: envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest,
    ) -> Result<Option<Self>, Refusal> {
        let bytes = prost::Message::encode_to_vec(&request);
        RawRequest::read(Variant::Sotw, &bytes).expect("a message").into_request()
    }

    /// See [`Request::sotw`].
    pub(crate) fn delta(
        request: envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest,
    ) -> Result<Option<Self>, Refusal> {
        let bytes = prost::Message::encode_to_vec(&request);
        RawRequest::read(Variant::Delta, &bytes).expect("a message").into_request()
    }
}

#[cfg(test)]
mod tests;
