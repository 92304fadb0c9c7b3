//! Bounds on what is encoded and decoded. The encoder refuses what the decoder would refuse.

/// Bytes of a frame's payload. The largest batch is a complete list of one kind of one member. With 150,000 EndpointSlices
/// and ten endpoints in each, it has about 40 MB; this is three times as much.
pub const MAX_PAYLOAD_BYTES: usize = 128 << 20;
/// Objects, or keys, or changes, of one list in a batch: above the 300,000 objects of one list that a member may send.
pub const MAX_OBJECTS: usize = 1_000_000;
/// Items of a list inside an object, such as ports, endpoints and labels. Sources reject objects with more than 1,000 ports
/// or endpoints; the other lists are bounded by the size of a Kubernetes object.
pub const MAX_ITEMS: usize = 65_536;
/// Bytes of a text. No text of a Kubernetes object is longer: all annotations of an object together have 256 KiB at most.
pub const MAX_TEXT_BYTES: usize = 256 << 10;
/// Memory that decoding may take for each byte of the payload. The most that the encoder can cause is about 30: a port
/// without a name has 5 bytes encoded and takes 152 in a growing vector. A payload that would take more was not made by it.
pub const MAX_EXPANSION: usize = 32;
/// Memory that decoding may take besides, so that payloads of a few bytes can be decoded.
pub const BASE_MEMORY: usize = 64 << 10;
