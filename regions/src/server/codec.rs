//! Requests are decoded by prost; responses are written by hand, because almost all of their bytes exist already.

use std::marker::PhantomData;
use std::sync::Arc;

use bytes::{Buf, BufMut};
use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::resource::{Resource, field_len, put_field, put_head, version_text};
use crate::session::{Response, Variant, nonce_text};

/// Largest request, in bytes. Envoy names everything it knows when it reconnects: tens of bytes for each resource.
pub const MAX_REQUEST_LEN: usize = 64 << 20;

/// A response and who says so.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) response: Response,
    pub(super) identifier: Arc<str>,
}

#[derive(Debug)]
pub(super) struct XdsCodec<Req> {
    variant: Variant,
    request: PhantomData<fn() -> Req>,
}

impl<Req> XdsCodec<Req> {
    pub(super) fn new(variant: Variant) -> Self {
        Self { variant, request: PhantomData }
    }
}

impl<Req: Message + Default + 'static> Codec for XdsCodec<Req> {
    type Encode = Outgoing;
    type Decode = Req;
    type Encoder = SplicingEncoder;
    type Decoder = RequestDecoder<Req>;

    fn encoder(&mut self) -> Self::Encoder {
        SplicingEncoder(self.variant)
    }

    fn decoder(&mut self) -> Self::Decoder {
        RequestDecoder(PhantomData)
    }
}

pub(super) struct RequestDecoder<Req>(PhantomData<fn() -> Req>);

impl<Req: Message + Default> Decoder for RequestDecoder<Req> {
    type Item = Req;
    type Error = Status;

    fn decode(&mut self, src: &mut DecodeBuf<'_>) -> Result<Option<Req>, Status> {
        let length = src.remaining();
        Req::decode(src).map(Some).map_err(|error| {
            Status::invalid_argument(format!("a request of {length} bytes is not a discovery request: {error}"))
        })
    }
}

pub(super) struct SplicingEncoder(Variant);

impl Encoder for SplicingEncoder {
    type Item = Outgoing;
    type Error = Status;

    fn encode(&mut self, item: Outgoing, dst: &mut EncodeBuf<'_>) -> Result<(), Status> {
        dst.reserve(encoded_len(self.0, &item));
        write(self.0, &item, dst);
        Ok(())
    }
}

// Field numbers shared by DiscoveryResponse and DeltaDiscoveryResponse, unless said otherwise.
const VERSION: u32 = 1;
const RESOURCES: u32 = 2;
const TYPE_URL: u32 = 4;
const NONCE: u32 = 5;
const CONTROL_PLANE_SOTW: u32 = 6;
const REMOVED_DELTA: u32 = 6;
const CONTROL_PLANE_DELTA: u32 = 7;
/// Of `ControlPlane`.
const IDENTIFIER: u32 = 1;

fn body(variant: Variant, resource: &Resource) -> &[u8] {
    match variant {
        Variant::Sotw => resource.any_bytes(),
        Variant::Delta => resource.delta_bytes(),
    }
}

pub(super) fn encoded_len(variant: Variant, item: &Outgoing) -> usize {
    let response = &item.response;
    let resources = response.resources.iter().map(|r| field_len(RESOURCES, body(variant, r).len()));
    let removed = response.removed.iter().map(|name| field_len(REMOVED_DELTA, name.len()));
    field_len(VERSION, version_text(response.version).len())
        + resources.sum::<usize>()
        + field_len(TYPE_URL, response.resource_type.url().len())
        + field_len(NONCE, nonce_text(response.nonce).len())
        + if variant == Variant::Delta { removed.sum::<usize>() } else { 0 }
        + field_len(CONTROL_PLANE_DELTA, field_len(IDENTIFIER, item.identifier.len()))
}

fn write(variant: Variant, item: &Outgoing, to: &mut impl BufMut) {
    let response = &item.response;
    put_field(VERSION, version_text(response.version).as_bytes(), to);
    for resource in &response.resources {
        put_field(RESOURCES, body(variant, resource), to);
    }
    put_field(TYPE_URL, response.resource_type.url().as_bytes(), to);
    put_field(NONCE, nonce_text(response.nonce).as_bytes(), to);
    let control_plane = match variant {
        Variant::Sotw => CONTROL_PLANE_SOTW,
        Variant::Delta => {
            for name in &response.removed {
                put_field(REMOVED_DELTA, name.as_bytes(), to);
            }
            CONTROL_PLANE_DELTA
        }
    };
    put_head(control_plane, field_len(IDENTIFIER, item.identifier.len()), to);
    put_field(IDENTIFIER, item.identifier.as_bytes(), to);
}

#[cfg(test)]
mod tests;
