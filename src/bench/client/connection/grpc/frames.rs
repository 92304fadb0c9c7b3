//! HTTP/2 frames (RFC 9113 §4 and §6): those that a connection with one gRPC stream needs.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::super::broken::Broken;

/// The one stream that there is: a client's first.
pub const STREAM: u32 = 1;
/// The payload of a frame unless a peer allows more (SETTINGS_MAX_FRAME_SIZE), in bytes.
pub const MAX_PAYLOAD: usize = 16_384;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
/// Of SETTINGS and PING.
const ACK: u8 = 1;
/// Of DATA and HEADERS.
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const INITIAL_WINDOW_SIZE: u16 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    Data { payload: Bytes, ends: bool },
    Headers { ends: bool },
    Reset,
    Settings { initial_window: Option<u32> },
    Ping { payload: [u8; 8] },
    PingAck { payload: [u8; 8] },
    WindowUpdate { stream: u32, increment: u32 },
    Other,
}

/// The first frame of the buffer, once all of it is there.
pub fn cut(buffer: &mut BytesMut) -> Result<Option<Frame>, Broken> {
    let Some(header) = buffer.first_chunk::<HEADER>() else { return Ok(None) };
    let [a, b, c, kind, flags, stream @ ..] = *header;
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
    if length > MAX_PAYLOAD {
        return Err(Broken::Frame("a frame is longer than this client allows"));
    }
    if buffer.len() < HEADER + length {
        return Ok(None);
    }
    buffer.advance(HEADER);
    let payload = buffer.split_to(length).freeze();
    frame(kind, flags, u32::from_be_bytes(stream), payload).map(Some)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: Bytes) -> Result<Frame, Broken> {
    let has = |flag: u8| flags & flag != 0;
    let wrong = Broken::Frame("a frame of the wrong length");
    Ok(match kind {
        DATA if has(PADDED) => return Err(Broken::Frame("padded data, which this client does not read")),
        DATA => Frame::Data { payload, ends: has(END_STREAM) },
        HEADERS => Frame::Headers { ends: has(END_STREAM) },
        RST_STREAM => Frame::Reset,
        SETTINGS if has(ACK) => Frame::Other,
        SETTINGS => Frame::Settings { initial_window: initial_window(&payload) },
        PING => {
            let payload = <[u8; 8]>::try_from(&*payload).map_err(|_| wrong)?;
            if has(ACK) { Frame::PingAck { payload } } else { Frame::Ping { payload } }
        }
        WINDOW_UPDATE => {
            let increment = <[u8; 4]>::try_from(&*payload).map_err(|_| wrong)?;
            Frame::WindowUpdate { stream, increment: u32::from_be_bytes(increment) }
        }
        _ => Frame::Other,
    })
}

fn initial_window(settings: &[u8]) -> Option<u32> {
    let (settings, _) = settings.as_chunks::<6>();
    let mut found = settings.iter().filter(|[a, b, ..]| u16::from_be_bytes([*a, *b]) == INITIAL_WINDOW_SIZE);
    found.next_back().map(|[_, _, value @ ..]| u32::from_be_bytes(*value))
}

/// The connection preface: a fixed text, and SETTINGS that change nothing.
pub fn put_preface(out: &mut BytesMut) {
    out.put_slice(PREFACE);
    put_header(0, SETTINGS, 0, 0, out);
}

/// Initial window size of streams, in bytes.
pub fn put_settings(initial_window: u32, out: &mut BytesMut) {
    put_header(6, SETTINGS, 0, 0, out);
    out.put_u16(INITIAL_WINDOW_SIZE);
    out.put_u32(initial_window);
}

pub fn put_settings_ack(out: &mut BytesMut) {
    put_header(0, SETTINGS, ACK, 0, out);
}

pub fn put_ping(ack: bool, payload: [u8; 8], out: &mut BytesMut) {
    put_header(payload.len(), PING, if ack { ACK } else { 0 }, 0, out);
    out.put_slice(&payload);
}

/// Nothing if the increment is 0, which RFC 9113 §6.9 forbids.
pub fn put_window_update(stream: u32, increment: u32, out: &mut BytesMut) {
    if increment > 0 {
        put_header(4, WINDOW_UPDATE, 0, stream, out);
        out.put_u32(increment);
    }
}

pub fn put_data(payload: &[u8], out: &mut BytesMut) {
    put_header(payload.len(), DATA, 0, STREAM, out);
    out.put_slice(payload);
}

/// A gRPC request's headers, each a literal without indexing or an entry of the static table (RFC 7541 §6.1 and §6.2.2).
pub fn put_headers(authority: &str, path: &str, out: &mut BytesMut) {
    const METHOD_POST: u8 = 0x83;
    const SCHEME_HTTP: u8 = 0x86;
    let mut block = BytesMut::new();
    block.put_slice(&[METHOD_POST, SCHEME_HTTP]);
    let mut literal = |name: &[u8], value: &str| {
        block.put_slice(name);
        block.put_u8(u8::try_from(value.len()).unwrap_or_default()); // below 127: one byte, not Huffman-coded
        block.put_slice(value.as_bytes());
    };
    literal(&[0x04], path); // :path
    literal(&[0x01], authority); // :authority
    literal(&[0x0f, 0x10], "application/grpc"); // content-type
    literal(&[0x0f, 0x2b], "grpc-go/1.76.0"); // user-agent
    literal(b"\x00\x02te", "trailers");
    put_header(block.len(), HEADERS, END_HEADERS, STREAM, out);
    out.put_slice(&block);
}

fn put_header(length: usize, kind: u8, flags: u8, stream: u32, out: &mut BytesMut) {
    out.put_uint(length as u64, 3);
    out.put_u8(kind);
    out.put_u8(flags);
    out.put_u32(stream);
}

#[cfg(test)]
mod tests;
