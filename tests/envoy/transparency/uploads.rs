//! Uploads whose first host is dead: a connection that was never made has sent nothing, so another host may have it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::stage::{HOME, HOST, HTTP, HTTP2, Stage, Tier, Way, vanish};
use crate::testbed::netns;

const MIB: usize = 1 << 20;
const SIZES: [usize; 5] = [MIB - 1, MIB + 1, 5 * MIB, 20 * MIB, 31 * MIB];
const LIMIT: Duration = Duration::from_secs(60);
/// Its pod is dead, and still listed as healthy.
const DEAD: Tier = HOME;
const NEXT: Tier = Tier { zone: "eu-b", net: (8, 1), ..HOME };

#[test]
fn uploads_survive_a_host_that_refuses() {
    netns::isolated_without_clusters(async {
        let stage = Stage::start("on-demand", &[DEAD, NEXT]).await;
        upload_all(&stage).await;
    });
}

#[test]
fn uploads_survive_a_host_that_is_silent() {
    netns::isolated_without_clusters(async {
        let stage = Stage::start("on-demand", &[DEAD, NEXT]).await;
        vanish(&DEAD.pod(1).to_string());
        upload_all(&stage).await;
    });
}

async fn upload_all(stage: &Stage) {
    let _http1 = http1_server(SocketAddr::new(NEXT.pod(1), HTTP.1)).await;
    let _http2 = super::http2::server(SocketAddr::new(NEXT.pod(1), HTTP2.1), super::http2::count_bytes).await;
    for way in [Way::Sidecar, Way::Egress] {
        for size in SIZES {
            for how in [How::Length, How::Chunks, How::Expect] {
                let answer = http1(stage, way, size, how).await;
                assert!(answer.ends_with(&format!("\r\n\r\n{size} bytes")), "{way:?} {size} {how:?}: {answer}");
            }
        }
    }
    // A large one needs the client's patience: it is sent once its backend answered 100 Continue.
    let answer = http1(stage, Way::Sidecar, 100 * MIB, How::Expect).await;
    assert!(answer.ends_with("104857600 bytes"), "{answer}");
    for size in SIZES {
        let body = Bytes::from(vec![7; size]);
        let answer = super::http2::call(stage.dial(Way::Sidecar, HTTP2).await, body).await;
        assert_eq!(answer, Ok((200, format!("{size} bytes"))), "HTTP/2 {size}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Length,
    Chunks,
    Expect,
}

async fn http1(stage: &Stage, way: Way, size: usize, how: How) -> String {
    let mut stream = stage.dial(way, HTTP).await;
    let framing = match how {
        How::Length => format!("content-length: {size}"),
        How::Chunks => "transfer-encoding: chunked".to_owned(),
        How::Expect => format!("content-length: {size}\r\nexpect: 100-continue"),
    };
    let head = format!("POST / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n{framing}\r\n\r\n");
    let exchange = async {
        stream.write_all(head.as_bytes()).await?;
        if how == How::Expect {
            let mut interim = [0; 25];
            stream.read_exact(&mut interim).await?;
            if interim != *b"HTTP/1.1 100 Continue\r\n\r\n" {
                return Ok(String::from_utf8_lossy(&interim).into_owned());
            }
        }
        let (mut reader, mut writer) = stream.split();
        let send = async {
            let block = vec![7; 64 << 10];
            let mut left = size;
            while left > 0 {
                let now = left.min(block.len());
                let part = block.get(..now).unwrap_or_default();
                if how == How::Chunks {
                    writer.write_all(format!("{now:x}\r\n").as_bytes()).await?;
                    writer.write_all(part).await?;
                    writer.write_all(b"\r\n").await?;
                } else {
                    writer.write_all(part).await?;
                }
                left -= now;
            }
            if how == How::Chunks { writer.write_all(b"0\r\n\r\n").await } else { Ok(()) }
        };
        let mut answer = String::new();
        let (_, read) = tokio::join!(send, reader.read_to_string(&mut answer));
        read.map(|_| answer)
    };
    let answer: std::io::Result<String> = tokio::time::timeout(LIMIT, exchange).await.expect("in time");
    answer.unwrap_or_else(|error| error.to_string())
}

/// Answers each request with the size of its body, and ends.
async fn http1_server(at: SocketAddr) -> tokio::task::JoinHandle<()> {
    let listener = TcpListener::bind(at).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(count(stream));
        }
    })
}

async fn count(mut stream: TcpStream) -> std::io::Result<()> {
    let mut received = Vec::new();
    let end = loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if stream.read_buf(&mut received).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(received.get(..end).unwrap_or_default()).to_ascii_lowercase();
    if head.contains("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let mut body = received.split_off(end);
    let whole = |body: &[u8]| match length {
        Some(length) => body.len() >= length,
        None => body.ends_with(b"\r\n0\r\n\r\n"),
    };
    while !whole(&body) {
        body.reserve(MIB);
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(());
        }
    }
    let size = length.unwrap_or_else(|| body.iter().filter(|byte| **byte == 7).count());
    let text = format!("{size} bytes");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    stream.write_all((head + &text).as_bytes()).await?;
    stream.shutdown().await
}
