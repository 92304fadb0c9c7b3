//! Fuzz targets: requests of both variants, as bytes.

use fuzzing::{any_bytes, run, spliced};
use proptest::prelude::*;
use prost::Message;

use super::hostile_bytes::{KEYS, delta, framed, read, sotw};
use crate::session::Variant;

/// What requests consist of: names of fields and types, and lengths that are too large.
fn words() -> Vec<&'static str> {
    let urls = crate::resource::ResourceType::ALL.map(crate::resource::ResourceType::url);
    KEYS.into_iter().chain(urls).chain(["*", "REDIRECT", "eager", "\u{0}\u{0}\u{0}\u{7f}", "\n\u{7f}"]).collect()
}

/// Inside gRPC's frames, so that it arrives, and with its frames.
fn tried(variant: Variant, message: &[u8], body: Vec<u8>) {
    read(variant, framed(message));
    read(variant, body);
}

#[test]
fn fuzz_xds_incremental() {
    let message = spliced(delta().prop_map(|request| request.encode_to_vec()), &words());
    let body = prop::collection::vec(delta().prop_map(|request| framed(&request.encode_to_vec())), 0..4);
    let body = spliced(body.prop_map(|frames| frames.concat()), &words());
    let inputs = prop_oneof![8 => (message, body), 1 => (any_bytes(600), any_bytes(600))];
    run("xDS, incremental", inputs, |(message, body)| tried(Variant::Delta, &message, body));
}

#[test]
fn fuzz_xds_state_of_the_world() {
    let message = spliced(sotw().prop_map(|request| request.encode_to_vec()), &words());
    let body = prop::collection::vec(sotw().prop_map(|request| framed(&request.encode_to_vec())), 0..4);
    let body = spliced(body.prop_map(|frames| frames.concat()), &words());
    let inputs = prop_oneof![8 => (message, body), 1 => (any_bytes(600), any_bytes(600))];
    run("xDS, state of the world", inputs, |(message, body)| tried(Variant::Sotw, &message, body));
}
