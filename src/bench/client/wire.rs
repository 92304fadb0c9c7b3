//! Requests as bytes, preceded by gRPC's length. Encoded by hand, to be cheap: clients share the cores with the server that they
//! measure.

use bytes::{BufMut, Bytes, BytesMut};
use regions::resource::ResourceType;
use regions::session::Variant;

use super::super::synthetic::SyntheticFederation;

/// Extensions that Envoy 1.40 lists in every first request of a stream.
const EXTENSIONS: usize = 516;
/// gRPC's flag and length before each message.
pub const PREFIX: usize = 5;
const LENGTH_DELIMITED: u32 = 2;
const VARINT: u32 = 0;
/// A field that no message here has.
const UNUSED: u32 = 15;

/// The identity that a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: String,
    pub cluster: usize,
    pub region: usize,
    pub zone: usize,
    pub on_demand: bool,
    /// Endpoints one by one.
    pub leds: bool,
}

/// A request of either variant. Fields that a variant does not have are ignored.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// An encoded node; empty in all but the first request.
    pub node: &'a [u8],
    /// Delta: names to subscribe to. State of the world: the complete subscription.
    pub names: &'a [&'a str],
    pub unsubscribe: &'a [&'a str],
    /// What the client has, with its version.
    pub known: &'a [(&'a str, u64)],
    /// Of the last response; state of the world only.
    pub version: &'a str,
    pub nonce: &'a str,
    /// Set to reject.
    pub error: Option<&'a str>,
}

impl Request<'_> {
    pub fn encode(&self, variant: Variant, resource_type: ResourceType) -> Bytes {
        let mut out = BytesMut::with_capacity(PREFIX + self.node.len() + 128);
        out.put_bytes(0, PREFIX);
        let url = resource_type.url();
        match variant {
            Variant::Delta => {
                field(1, self.node, &mut out);
                field(2, url.as_bytes(), &mut out);
                self.names.iter().for_each(|name| field(3, name.as_bytes(), &mut out));
                self.unsubscribe.iter().for_each(|name| field(4, name.as_bytes(), &mut out));
                for (name, version) in self.known {
                    pair(5, name.as_bytes(), version_text(*version).as_bytes(), &mut out);
                }
                field(6, self.nonce.as_bytes(), &mut out);
                self.put_error(7, &mut out);
            }
            Variant::Sotw => {
                field(1, self.version.as_bytes(), &mut out);
                field(2, self.node, &mut out);
                self.names.iter().for_each(|name| field(3, name.as_bytes(), &mut out));
                field(4, url.as_bytes(), &mut out);
                field(5, self.nonce.as_bytes(), &mut out);
                self.put_error(6, &mut out);
            }
        }
        finish(out)
    }

    /// A `google.rpc.Status`.
    fn put_error(&self, tag: u32, out: &mut BytesMut) {
        const INVALID_ARGUMENT: u64 = 3;
        let Some(text) = self.error else { return };
        let mut status = BytesMut::new();
        number(1, INVALID_ARGUMENT, &mut status);
        field(2, text.as_bytes(), &mut status);
        field(tag, &status, out);
    }
}

impl Node {
    /// An `envoy.config.core.v3.Node`, of about the size that Envoy's has.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        field(1, self.id.as_bytes(), &mut out);
        field(2, b"bench", &mut out);
        let clusters = if self.on_demand { "on-demand" } else { "eager" };
        let cluster = SyntheticFederation::cluster_name(self.cluster);
        let endpoints = if self.leds { "single" } else { "whole" };
        let mut metadata = BytesMut::new();
        for (key, text) in [
            ("CLUSTER_ID", &*cluster),
            ("NAMESPACE", "ns-000"),
            ("CLUSTERS", clusters),
            ("ENDPOINTS", endpoints),
            ("INTERCEPTION_MODE", "REDIRECT"),
        ] {
            let mut value = BytesMut::new();
            field(3, text.as_bytes(), &mut value);
            pair(1, key.as_bytes(), &value, &mut metadata);
        }
        field(3, &metadata, &mut out);
        let mut locality = BytesMut::new();
        field(1, SyntheticFederation::region_name(self.region).as_bytes(), &mut locality);
        field(2, SyntheticFederation::zone_name(self.region, self.zone).as_bytes(), &mut locality);
        field(4, &locality, &mut out);
        field(6, b"envoy", &mut out);
        for i in 0..EXTENSIONS {
            let mut extension = BytesMut::new();
            field(1, format!("envoy.made_up.an_extension_{i:03}").as_bytes(), &mut extension);
            field(2, b"envoy.filters.made_up.category", &mut extension);
            field(6, format!("envoy.extensions.made_up.category.v3.Extension{i:03}").as_bytes(), &mut extension);
            field(9, &extension, &mut out);
        }
        out.freeze()
    }
}

/// A whole delta response that holds one resource, of about so many bytes.
pub fn pushed(resource_type: ResourceType, name: &str, version: u64, bytes: usize) -> Bytes {
    let url = resource_type.url().as_bytes();
    let text = version_text(version);
    let known = 2 * url.len() + name.len() + 2 * text.len() + 28;
    // A valid message all the same: clients read it.
    let mut value = BytesMut::new();
    field(UNUSED, &vec![0; bytes.saturating_sub(known)], &mut value);
    let mut any = BytesMut::new();
    field(1, url, &mut any);
    field(2, &value, &mut any);
    let mut resource = BytesMut::new();
    field(1, text.as_bytes(), &mut resource);
    field(2, &any, &mut resource);
    field(3, name.as_bytes(), &mut resource);
    let mut out = BytesMut::new();
    out.put_bytes(0, PREFIX);
    field(2, &resource, &mut out);
    field(4, url, &mut out);
    field(5, text.as_bytes(), &mut out);
    finish(out)
}

fn version_text(version: u64) -> String {
    regions::resource::version_text(version)
}

/// Writes the length into the room that was left for it.
fn finish(mut message: BytesMut) -> Bytes {
    let length = u32::try_from(message.len().saturating_sub(PREFIX)).unwrap_or(u32::MAX);
    if let Some(place) = message.get_mut(1..PREFIX) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    message.freeze()
}

/// An empty field is left out, as proto3 does.
fn field(tag: u32, bytes: &[u8], out: &mut BytesMut) {
    if !bytes.is_empty() {
        varint(u64::from(tag << 3 | LENGTH_DELIMITED), out);
        varint(bytes.len() as u64, out);
        out.put_slice(bytes);
    }
}

fn number(tag: u32, value: u64, out: &mut BytesMut) {
    varint(u64::from(tag << 3 | VARINT), out);
    varint(value, out);
}

/// An entry of a map.
fn pair(tag: u32, key: &[u8], value: &[u8], out: &mut BytesMut) {
    let mut entry = BytesMut::with_capacity(key.len() + value.len() + 8);
    field(1, key, &mut entry);
    field(2, value, &mut entry);
    field(tag, &entry, out);
}

fn varint(mut value: u64, out: &mut BytesMut) {
    while value >= 0x80 {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

#[cfg(test)]
mod tests;
