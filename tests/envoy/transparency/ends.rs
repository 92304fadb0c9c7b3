//! How exchanges over HTTP/1 end: slowly, too early, or broken off.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::stage::{HOME, HOST, HTTP, Stage, Way};
use crate::testbed::netns;

const WAYS: [Way; 3] = [Way::Direct, Way::Sidecar, Way::Egress];
const LARGE: usize = 6 << 20;
const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn exchanges_end_the_same_with_a_sidecar() {
    netns::isolated_without_clusters(async {
        let stage = Stage::start("on-demand", &[HOME]).await;
        let listener = TcpListener::bind(SocketAddr::new(HOME.pod(1), HTTP.1)).await.expect("bind");
        let _backend = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream));
            }
        });
        for way in WAYS {
            slow_reader(&stage, way).await;
            broken_off(&stage, way).await;
            early_answer(&stage, way).await;
            client_gone(&stage, way).await;
        }
    });
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    match String::from_utf8_lossy(&head).split(' ').nth(1) {
        Some("/large") => {
            stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n").as_bytes()).await?;
            stream.write_all(&vec![7; LARGE]).await?;
        }
        Some("/broken") => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhi").await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            return stream.set_zero_linger();
        }
        Some("/early") => {
            stream.write_all(b"HTTP/1.1 413 No\r\ncontent-length: 5\r\nconnection: close\r\n\r\nlarge").await?;
        }
        // Says when its client has gone.
        _ => {
            let begun = Instant::now();
            let mut rest = [0; 1024];
            while let Ok(1..) = stream.read(&mut rest).await {}
            *GONE_AFTER.lock().expect("a lock") = Some(begun.elapsed());
            return Ok(());
        }
    }
    stream.shutdown().await?;
    let mut rest = vec![0; 1 << 20];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

static GONE_AFTER: std::sync::Mutex<Option<Duration>> = std::sync::Mutex::new(None);

async fn ask(stage: &Stage, way: Way, request: &str) -> TcpStream {
    let mut stream = stage.dial(way, HTTP).await;
    stream.write_all(format!("{request} HTTP/1.1\r\nhost: {HOST}\r\n").as_bytes()).await.expect("ask");
    stream
}

/// The connection is closed after the answer, and its client pauses while it reads.
async fn slow_reader(stage: &Stage, way: Way) {
    let mut stream = ask(stage, way, "GET /large").await;
    stream.write_all(b"connection: close\r\n\r\n").await.expect("ask");
    let mut all = Vec::new();
    let mut part = vec![0; 64 << 10];
    for round in 0..96 {
        if round % 24 == 0 {
            tokio::time::sleep(Duration::from_millis(2500)).await;
        }
        let read = tokio::time::timeout(LIMIT, stream.read(&mut part)).await.expect("in time").expect("bytes");
        all.extend_from_slice(part.get(..read).unwrap_or_default());
    }
    tokio::time::timeout(LIMIT, stream.read_to_end(&mut all)).await.expect("in time").expect("an end");
    assert_eq!(all.iter().filter(|byte| **byte == 7).count(), LARGE, "{way:?}");
}

/// An answer that breaks off does so for the client as well, at once.
async fn broken_off(stage: &Stage, way: Way) {
    let mut stream = ask(stage, way, "GET /broken").await;
    stream.write_all(b"\r\n").await.expect("ask");
    let mut all = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut all)).await;
    assert!(end.is_ok(), "{way:?}: no end");
    assert!(all.ends_with(b"\r\n\r\nhi"), "{way:?}: {}", String::from_utf8_lossy(&all));
}

/// A backend may refuse an upload before it was sent; its answer arrives.
async fn early_answer(stage: &Stage, way: Way) {
    let mut stream = ask(stage, way, "POST /early").await;
    stream.write_all(format!("content-length: {LARGE}\r\n\r\n").as_bytes()).await.expect("ask");
    let (mut reader, mut writer) = stream.split();
    let send = async {
        let block = vec![7; 64 << 10];
        for _ in 0..LARGE / block.len() {
            if writer.write_all(&block).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let mut answer = vec![0; 12];
    let (_, read) = tokio::join!(send, tokio::time::timeout(LIMIT, reader.read_exact(&mut answer)));
    read.expect("in time").expect("an answer");
    assert_eq!(answer, b"HTTP/1.1 413", "{way:?}");
}

/// A client that goes away is missed by its backend at once.
async fn client_gone(stage: &Stage, way: Way) {
    *GONE_AFTER.lock().expect("a lock") = None;
    let mut stream = ask(stage, way, "GET /wait").await;
    stream.write_all(b"\r\n").await.expect("ask");
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(stream);
    crate::testbed::eventually("the backend misses its client", Duration::from_secs(10), async || {
        GONE_AFTER.lock().expect("a lock").take().ok_or("not yet")
    })
    .await;
}
