//! The smallest HTTP/1.1 client that is right: GET without a body, keep-alive, bounded. The demo's clients use it
//! through Envoy, and the demo itself to read the pages of control planes and proxies.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Longest status line or header line, and longest head in all, in bytes.
pub const MAX_HEAD: usize = 16 * 1024;
/// Longest body that is read, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("the answer is not HTTP/1.1 as expected: {0}")]
    Malformed(&'static str),
    #[error("no answer within {} ms", .0.as_millis())]
    TimedOut(Duration),
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// False if the server closes the connection after this answer.
    pub keep_alive: bool,
}

/// One connection that is used for one request after the other.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// One request on a connection of its own.
pub async fn get(address: SocketAddr, host: &str, path: &str, limit: Duration) -> Result<Reply, HttpError> {
    let exchange = async { Connection::open(address).await?.get(host, path).await };
    tokio::time::timeout(limit, exchange).await.map_err(|_| HttpError::TimedOut(limit))?
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self, HttpError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// After an error, or an answer without `keep_alive`, the connection cannot be used again.
    pub async fn get(&mut self, host: &str, path: &str) -> Result<Reply, HttpError> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: isthmus-demo\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut self.stream).await?.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let head = Head::parse(&head)?;
        let body = match head.body {
            Body::Length(length) if length > MAX_BODY => return Err(HttpError::Malformed("the body is too long")),
            Body::Length(length) => {
                let mut body = vec![0; length];
                self.stream.read_exact(&mut body).await?;
                body
            }
            Body::Chunked => self.chunks().await?,
        };
        Ok(Reply { status: head.status, body, keep_alive: head.keep_alive })
    }

    async fn chunks(&mut self) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        loop {
            let line = read_line(&mut self.stream, MAX_HEAD).await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| HttpError::Malformed("a chunk without a size"))?;
            if size > MAX_BODY.saturating_sub(body.len()) {
                return Err(HttpError::Malformed("the body is too long"));
            }
            let start = body.len();
            body.resize(start + size, 0);
            self.stream.read_exact(body.get_mut(start..).unwrap_or_default()).await?;
            // The end of the chunk's data, or of the trailers, which no server here sends.
            if !read_line(&mut self.stream, MAX_HEAD).await?.is_empty() {
                return Err(HttpError::Malformed("a chunk that does not end"));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }
}

/// The lines up to the empty one; `None` if the peer closed before the first byte.
pub async fn read_head(stream: &mut BufReader<TcpStream>) -> Result<Option<Vec<String>>, HttpError> {
    if stream.fill_buf().await?.is_empty() {
        return Ok(None);
    }
    let mut lines = Vec::new();
    let mut left = MAX_HEAD;
    loop {
        let line = read_line(stream, left).await?;
        if line.is_empty() {
            return Ok(Some(lines));
        }
        left = left.saturating_sub(line.len() + 2);
        lines.push(line);
    }
}

async fn read_line(stream: &mut BufReader<TcpStream>, limit: usize) -> Result<String, HttpError> {
    let mut line = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    stream.take(limit).read_until(b'\n', &mut line).await?;
    if line.pop() != Some(b'\n') {
        return Err(HttpError::Malformed("a line that is too long or cut"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map_err(|_| HttpError::Malformed("a header that is not UTF-8"))
}

struct Head {
    status: u16,
    body: Body,
    keep_alive: bool,
}

enum Body {
    Length(usize),
    Chunked,
}

impl Head {
    fn parse(lines: &[String]) -> Result<Self, HttpError> {
        let status = lines
            .first()
            .and_then(|line| line.strip_prefix("HTTP/1.1 "))
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or(HttpError::Malformed("no status line"))?;
        let header = |name: &str| {
            lines
                .iter()
                .skip(1)
                .filter_map(|line| line.split_once(':'))
                .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then(|| value.trim().to_ascii_lowercase()))
        };
        let body = if header("transfer-encoding").is_some_and(|value| value == "chunked") {
            Body::Chunked
        } else {
            let length = header("content-length").ok_or(HttpError::Malformed("no content-length"))?;
            Body::Length(length.parse().map_err(|_| HttpError::Malformed("a content-length that is no number"))?)
        };
        Ok(Self { status, body, keep_alive: header("connection").is_none_or(|value| value != "close") })
    }
}

#[cfg(test)]
mod tests;
