//! Many requests in little time: a few connections that stay open, and a count of who answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 16;
const LIMIT: Duration = Duration::from_secs(120);
const MAX_ANSWER: usize = 16 << 10;

/// Sends `requests` requests for `host` and counts the answers by their body, or by `status` if that is not 200.
pub(super) async fn send(target: SocketAddr, host: &str, requests: usize) -> BTreeMap<String, usize> {
    let each = requests.div_ceil(CONNECTIONS);
    let clients: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(client(target, host.to_owned(), each))).collect();
    let mut all = BTreeMap::new();
    let joined = tokio::time::timeout(LIMIT, futures::future::join_all(clients)).await;
    for answers in joined.unwrap_or_else(|_| panic!("{requests} requests for {host} took more than {LIMIT:?}")) {
        for (answer, count) in answers.expect("a client's task") {
            *all.entry(answer).or_insert(0) += count;
        }
    }
    all
}

async fn client(target: SocketAddr, host: String, requests: usize) -> BTreeMap<String, usize> {
    let mut stream = TcpStream::connect(target).await.unwrap_or_else(|error| panic!("connect to {target}: {error}"));
    stream.set_nodelay(true).expect("set TCP_NODELAY");
    let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let mut answers = BTreeMap::new();
    let mut bytes = Vec::new();
    for _ in 0..requests {
        stream.write_all(request.as_bytes()).await.unwrap_or_else(|error| panic!("send to {target}: {error}"));
        let answer = loop {
            if let Some((answer, length)) = parse(&bytes) {
                bytes.drain(..length);
                break answer;
            }
            let read = stream.read_buf(&mut bytes).await.unwrap_or_else(|error| panic!("read from {target}: {error}"));
            assert!(read > 0 && bytes.len() < MAX_ANSWER, "no end: {:?}", String::from_utf8_lossy(&bytes));
        };
        *answers.entry(answer).or_insert(0) += 1;
    }
    answers
}

/// The first answer and its length, once it is whole.
fn parse(bytes: &[u8]) -> Option<(String, usize)> {
    let head_end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end]).to_ascii_lowercase();
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let body = bytes.get(head_end..head_end + length)?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    let answer = if status == "200" { String::from_utf8_lossy(body).into_owned() } else { status.to_owned() };
    Some((answer, head_end + length))
}
