//! Responses are written by hand, because almost all of their bytes exist already.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use envoy_types::pb::envoy::service::discovery::v3::{ResourceError, ResourceName};
use envoy_types::pb::google::{protobuf, rpc};
use prost::Message;
use tonic::Code;

use crate::resource::{Resource, field_len, put_field, put_head, version_text};
use crate::session::{Response, Variant, nonce_text};

/// A response is written in pieces of about this size, so that a client that stops reading costs no more than one of them,
/// however large the response is.
pub const CHUNK_LEN: usize = 32 << 10;
/// The head of a gRPC message: a flag for compression, and the length (gRPC over HTTP/2, "Length-Prefixed-Message").
pub(super) const GRPC_HEAD_LEN: usize = 5;

// Field numbers shared by DiscoveryResponse and DeltaDiscoveryResponse, unless noted otherwise.
const VERSION: u32 = 1;
const RESOURCES: u32 = 2;
const TYPE_URL: u32 = 4;
const NONCE: u32 = 5;
const CONTROL_PLANE_SOTW: u32 = 6;
const REMOVED_DELTA: u32 = 6;
const ERRORS_SOTW: u32 = 7;
const CONTROL_PLANE_DELTA: u32 = 7;
/// Of `ControlPlane`.
const IDENTIFIER: u32 = 1;
/// Of `Resource`.
const TTL: u32 = 6;
// Of `google.protobuf.Any`.
const ANY_TYPE_URL: u32 = 1;
const ANY_VALUE: u32 = 2;
const WRAPPER_URL: &str = "type.googleapis.com/envoy.service.discovery.v3.Resource";

/// A response that is being written. It holds references to the resources' bytes, not copies.
pub(super) struct Writer {
    variant: Variant,
    response: Response,
    identifier: Arc<str>,
    /// Of the message, in bytes.
    len: usize,
    /// Resources written so far; `None`: not even the head.
    written: Option<usize>,
    /// The end of a large resource is still to be written.
    after_large: bool,
    /// What each resource ends with; empty if it may be used forever.
    ttl: Bytes,
}

/// How far a [`Writer`] came.
#[derive(Debug)]
pub(super) enum Written {
    /// Everything was written.
    All,
    /// The piece is full.
    Full,
    /// This is next, as it is: a resource too large to be copied into a piece.
    Large(Bytes),
}

impl Writer {
    pub(super) fn new(variant: Variant, response: Response, identifier: Arc<str>) -> Self {
        let ttl = response.ttl.map(ttl_field).unwrap_or_default();
        let mut writer = Self { variant, response, identifier, len: 0, written: None, after_large: false, ttl };
        writer.len = writer.count();
        writer
    }

    /// Bytes of the message, without the head that gRPC puts before it.
    pub(super) fn message_len(&self) -> usize {
        self.len
    }

    fn count(&self) -> usize {
        let Response { resource_type, nonce, resources, removed, .. } = &self.response;
        let resources = resources.iter().map(|r| field_len(RESOURCES, self.body_len(r)));
        let removed = removed.iter().map(|name| field_len(REMOVED_DELTA, name.len()));
        let errors: usize = self.errors().map(|error| field_len(ERRORS_SOTW, error.encoded_len())).sum();
        self.version().map_or(0, |version| field_len(VERSION, version.len()))
            + resources.sum::<usize>()
            + field_len(TYPE_URL, resource_type.url().len())
            + field_len(NONCE, nonce_text(*nonce).len())
            + if self.variant == Variant::Delta { removed.sum::<usize>() } else { 0 }
            + field_len(CONTROL_PLANE_DELTA, field_len(IDENTIFIER, self.identifier.len()))
            + errors
    }

    /// In incremental xDS each resource has its own, and no client reads that of the whole.
    fn version(&self) -> Option<String> {
        (self.variant == Variant::Sotw).then(|| version_text(self.response.version))
    }

    /// Goes on writing, behind what is in the piece already. Not to be called again once everything was written.
    pub(super) fn write(&mut self, to: &mut BytesMut) -> Written {
        let room = CHUNK_LEN.saturating_sub(to.len());
        if self.written.is_none() {
            to.reserve((GRPC_HEAD_LEN + self.len).min(room));
            to.put_u8(0);
            to.put_u32(u32::try_from(self.len).unwrap_or(u32::MAX));
            if let Some(version) = self.version() {
                put_field(VERSION, version.as_bytes(), to);
            }
        } else {
            to.reserve(room);
        }
        if std::mem::take(&mut self.after_large) {
            to.put_slice(&self.ttl);
        }
        let mut at = self.written.unwrap_or(0);
        while let Some(resource) = self.response.resources.get(at) {
            let len = self.body_len(resource);
            if len >= CHUNK_LEN {
                put_head(RESOURCES, len, to);
                self.put_wrapper(resource, to);
                let large = self.body(resource);
                (self.written, self.after_large) = (Some(at + 1), true);
                return Written::Large(large);
            }
            if !to.is_empty() && to.len() + len > CHUNK_LEN {
                self.written = Some(at);
                return Written::Full;
            }
            put_head(RESOURCES, len, to);
            self.put_wrapper(resource, to);
            if self.is_plain() {
                to.put_slice(&resource.any_bytes());
            } else {
                to.put_slice(resource.delta_bytes());
            }
            to.put_slice(&self.ttl);
            at += 1;
        }
        self.put_tail(to);
        Written::All
    }

    /// Whether resources are in the response as themselves, not as `Resource` messages that hold them.
    fn is_plain(&self) -> bool {
        self.variant == Variant::Sotw && self.ttl.is_empty()
    }

    /// What is written before a resource: in state of the world, one with a time to live is itself an `Any` that holds a
    /// `Resource`.
    fn put_wrapper(&self, resource: &Resource, to: &mut impl BufMut) {
        if self.variant == Variant::Sotw && !self.ttl.is_empty() {
            put_field(ANY_TYPE_URL, WRAPPER_URL.as_bytes(), to);
            put_head(ANY_VALUE, resource.delta_bytes().len() + self.ttl.len(), to);
        }
    }

    /// Without what is written before and after it.
    fn body(&self, resource: &Resource) -> Bytes {
        if self.is_plain() { resource.any_bytes() } else { resource.delta_bytes().clone() }
    }

    /// With both.
    fn body_len(&self, resource: &Resource) -> usize {
        let whole = resource.delta_bytes().len() + self.ttl.len();
        match self.variant {
            Variant::Delta => whole,
            Variant::Sotw if self.is_plain() => resource.any_len(),
            Variant::Sotw => field_len(ANY_TYPE_URL, WRAPPER_URL.len()) + field_len(ANY_VALUE, whole),
        }
    }

    fn put_tail(&self, to: &mut impl BufMut) {
        let response = &self.response;
        put_field(TYPE_URL, response.resource_type.url().as_bytes(), to);
        put_field(NONCE, nonce_text(response.nonce).as_bytes(), to);
        let control_plane = match self.variant {
            Variant::Sotw => CONTROL_PLANE_SOTW,
            Variant::Delta => {
                for name in &response.removed {
                    put_field(REMOVED_DELTA, name.as_bytes(), to);
                }
                CONTROL_PLANE_DELTA
            }
        };
        put_head(control_plane, field_len(IDENTIFIER, self.identifier.len()), to);
        put_field(IDENTIFIER, self.identifier.as_bytes(), to);
        for error in self.errors() {
            put_field(ERRORS_SOTW, &error.encode_to_vec(), to);
        }
    }

    /// One "not found" for each name that was asked for and does not exist.
    fn errors(&self) -> impl Iterator<Item = ResourceError> {
        self.response.missing.iter().map(|name| ResourceError {
            resource_name: Some(ResourceName { name: name.to_string(), ..ResourceName::default() }),
            error_detail: Some(rpc::Status {
                code: Code::NotFound.into(),
                message: format!("{name:?} is not served here; expected the name of a federated service"),
                details: Vec::new(),
            }),
        })
    }
}

fn ttl_field(ttl: Duration) -> Bytes {
    let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    let duration = protobuf::Duration { seconds, nanos: 0 }.encode_to_vec();
    let mut field = BytesMut::new();
    put_field(TTL, &duration, &mut field);
    field.freeze()
}

#[cfg(test)]
mod tests;
