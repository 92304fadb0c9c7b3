//! Bytes: which side sends first, which ends first, how long either may be silent, and how slowly it may read.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::stage::{HOME, Stage, TCP, Way};
use crate::testbed::netns;

const LIMIT: Duration = Duration::from_secs(30);
const LARGE: usize = 20 << 20;
const WAYS: [Way; 2] = [Way::Direct, Way::Sidecar];
/// In no member's ranges: it passes through.
const FOREIGN: [u8; 4] = [10, 250, 0, 9];

#[test]
fn bytes_are_the_same_with_a_sidecar() {
    netns::isolated_without_clusters(async {
        for clusters in ["on-demand"] {
            let stage = Stage::start(clusters, &[HOME]).await;
            let at = SocketAddr::new(HOME.pod(1), TCP.1);
            for way in WAYS {
                server_first(&stage, at, way).await;
                half_close(&stage, at, way).await;
                reset(&stage, at, way).await;
                slow_reader(&stage, at, way).await;
            }
            passed_through().await;
        }
    });
}

/// Runs `serve` for one connection.
async fn backend<F: Future<Output = ()> + Send + 'static>(
    at: SocketAddr,
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) {
    let listener = crate::testbed::eventually("the port is free", LIMIT, async || TcpListener::bind(at).await).await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        drop(listener);
        serve(stream).await;
    });
}

async fn server_first(stage: &Stage, at: SocketAddr, way: Way) {
    backend(at, |mut stream| async move {
        stream.write_all(b"220 ready\r\n").await.expect("greet");
        let mut received = [0; 4];
        stream.read_exact(&mut received).await.expect("receive");
        stream.write_all(&received).await.expect("repeat");
    })
    .await;
    let mut client = stage.dial(way, TCP).await;
    let mut greeting = [0; 11];
    tokio::time::timeout(LIMIT, client.read_exact(&mut greeting)).await.expect("in time").expect("a greeting");
    client.write_all(b"QUIT").await.expect("say");
    let mut rest = Vec::new();
    tokio::time::timeout(LIMIT, client.read_to_end(&mut rest)).await.expect("in time").expect("an end");
    assert_eq!((&greeting[..], &rest[..]), (&b"220 ready\r\n"[..], &b"QUIT"[..]), "{way:?}");
}

/// Each side may end its own direction first, and the other goes on.
async fn half_close(stage: &Stage, at: SocketAddr, way: Way) {
    backend(at, |mut stream| async move {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.expect("to the client's end");
        tokio::time::sleep(Duration::from_secs(1)).await;
        stream.write_all(format!("{} bytes", all.len()).as_bytes()).await.expect("answer after it");
    })
    .await;
    let mut client = stage.dial(way, TCP).await;
    client.write_all(&[7; 1000]).await.expect("say");
    client.shutdown().await.expect("end");
    let mut rest = String::new();
    tokio::time::timeout(LIMIT, client.read_to_string(&mut rest)).await.expect("in time").expect("an answer");
    assert_eq!(rest, "1000 bytes", "{way:?}: the client ended first");

    let (report, reported) = tokio::sync::oneshot::channel();
    backend(at, |mut stream| async move {
        stream.write_all(b"done").await.expect("say");
        stream.shutdown().await.expect("end");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.expect("to the client's end");
        report.send(all.len()).expect("the test waits");
    })
    .await;
    let mut client = stage.dial(way, TCP).await;
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.expect("an end");
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.write_all(&[7; 500]).await.expect("say after it");
    client.shutdown().await.expect("end");
    let length = tokio::time::timeout(LIMIT, reported).await.expect("in time").expect("a length");
    assert_eq!((&*rest, length), ("done", 500), "{way:?}: the backend ended first");
}

/// A reset stays one: it tells a client that something broke off.
async fn reset(stage: &Stage, at: SocketAddr, way: Way) {
    backend(at, |mut stream| async move {
        let mut received = [0; 1];
        stream.read_exact(&mut received).await.expect("receive");
        stream.set_zero_linger().expect("reset");
    })
    .await;
    let mut client = stage.dial(way, TCP).await;
    client.write_all(b"x").await.expect("say");
    let mut rest = Vec::new();
    let end = tokio::time::timeout(LIMIT, client.read_to_end(&mut rest)).await.expect("in time");
    assert!(end.is_err(), "{way:?}: a reset came as a plain end");
}

/// A client that pauses gets all, also when its backend is done long before.
async fn slow_reader(stage: &Stage, at: SocketAddr, way: Way) {
    backend(at, |mut stream| async move {
        stream.write_all(&vec![7; LARGE]).await.expect("say all");
    })
    .await;
    let mut client = stage.dial(way, TCP).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let mut all = Vec::new();
    tokio::time::timeout(LIMIT, client.read_to_end(&mut all)).await.expect("in time").expect("an end");
    assert_eq!(all.len(), LARGE, "{way:?}");
}

/// The same for what is not federated.
async fn passed_through() {
    let at = SocketAddr::from((FOREIGN, 82));
    backend(at, |mut stream| async move {
        stream.write_all(b"220 ready\r\n").await.expect("greet");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.expect("to the client's end");
        stream.write_all(format!("{} bytes", all.len()).as_bytes()).await.expect("answer after it");
    })
    .await;
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::new(crate::envoy::client::CLIENT.into(), 0)).expect("bind");
    let mut client = socket.connect(at).await.expect("connect");
    client.write_all(&[7; 100]).await.expect("say");
    client.shutdown().await.expect("end");
    let mut all = String::new();
    tokio::time::timeout(LIMIT, client.read_to_string(&mut all)).await.expect("in time").expect("an end");
    assert_eq!(all, "220 ready\r\n100 bytes");
}
