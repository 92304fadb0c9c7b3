//! One HTTP/1.1 request over one connection, for admin pages and traffic.
//!
//! A library client would reuse connections and retry; tests of failover must
//! see each request's own fate.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// More than any page read here; a runaway answer is an error.
const MAX_BYTES: u64 = 64 << 20;

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Longest head that [`read_head`] takes, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// For scripted servers: the head of the next request, up to the empty line; `None` when the client is gone.
pub fn read_head(stream: &mut impl std::io::Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > MAX_HEAD_BYTES || stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// `GET`, whole within `limit`.
pub async fn get(address: SocketAddr, host: &str, path: &str, limit: Duration) -> Result<Answer, String> {
    request("GET", address, host, path, limit).await
}

/// A request without a body. The error says at which step it failed.
pub async fn request(
    method: &str,
    address: SocketAddr,
    host: &str,
    path: &str,
    limit: Duration,
) -> Result<Answer, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(|error| format!("send: {error}"))?;
        let mut bytes = Vec::new();
        let read = stream.take(MAX_BYTES).read_to_end(&mut bytes).await;
        read.map_err(|error| format!("receive: {error}"))?;
        parse(&bytes)
    };
    tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
}

fn parse(bytes: &[u8]) -> Result<Answer, String> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or("the connection ended before an answer")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let body = &bytes[end + 4..];
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or("no status line")?;
    let header = |wanted: &str| {
        let mut pairs = head.lines().filter_map(|line| line.split_once(':'));
        pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim().to_owned())
    };
    let body = if header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        dechunk(body)?
    } else {
        let whole = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(body.len());
        body.get(..whole).ok_or("the connection ended within the body")?.to_vec()
    };
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

fn dechunk(mut rest: &[u8]) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n").ok_or("the connection ended between chunks")?;
        let size = String::from_utf8_lossy(&rest[..line]);
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| format!("a chunk of size {size:?}"))?;
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest.get(line + 2..line + 2 + size).ok_or("the connection ended within a chunk")?;
        body.extend_from_slice(chunk);
        rest = rest.get(line + 4 + size..).ok_or("the connection ended after a chunk")?;
    }
}
