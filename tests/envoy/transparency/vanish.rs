//! A pod whose packets are dropped, and one that leaves in good order.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::http2;
use super::stage::{HOME, HOST, HTTP, HTTP2, Stage, TCP, Tier, Way, vanish};
use crate::harness::SOON;
use crate::testbed::{Backend, eventually, netns};

const PODS: Tier = Tier { pods: 2, ..HOME };
/// Connections of each kind; both pods get some.
const CONNECTIONS: usize = 6;
/// Added to what is promised, on a busy machine.
const SLACK: Duration = Duration::from_secs(20);
const GONE: &str = "pod-2";

#[test]
fn connections_to_a_pod_that_vanished_end() {
    netns::isolated_without_clusters(async {
        let stage = Stage::start("on-demand", &[PODS]).await;
        let mut servers = Vec::new();
        for (number, address) in (1..).zip(PODS.addresses(0)) {
            let name = format!("pod-{number}");
            servers.push(streams(SocketAddr::new(address.ip(), HTTP2.1), name.clone()).await);
            servers.push(lines(SocketAddr::new(address.ip(), HTTP.1), name.clone(), true).await);
            servers.push(lines(SocketAddr::new(address.ip(), TCP.1), name, false).await);
        }
        let mut http2 = Vec::new();
        for _ in 0..CONNECTIONS {
            http2.push(quiet_stream(&stage).await);
        }
        let (http1, idle, busy) = (open(&stage, HTTP).await, open(&stage, TCP).await, open(&stage, TCP).await);

        vanish(&PODS.pod(2).to_string());
        let begun = Instant::now();
        // Once readiness says so, new calls go elsewhere at once, whatever still hangs.
        stage.not_ready(&PODS, &[2]);
        eventually("no new call waits for the pod that is gone", SOON, async || {
            for _ in 0..2 * CONNECTIONS {
                let answer = tokio::time::timeout(Duration::from_secs(2), ask(&stage)).await;
                if !answer.is_ok_and(|answer| answer.is_ok_and(|name| name == "pod-1")) {
                    return Err("one did");
                }
            }
            Ok(())
        })
        .await;
        let elsewhere = begun.elapsed();
        // What is sent from now on is not acknowledged.
        let sent = Instant::now();

        let http2 = watch(
            "HTTP/2, quiet",
            begun,
            40,
            http2.into_iter().map(|(name, stream)| (name, end_of_stream(stream))).collect(),
        );
        let http1 =
            watch("HTTP/1, waiting", begun, 70, http1.into_iter().map(|(name, s)| (name, end_of(s, false))).collect());
        let idle = watch("TCP, idle", begun, 130, idle.into_iter().map(|(name, s)| (name, end_of(s, false))).collect());
        let busy =
            watch("TCP, sending", sent, 120, busy.into_iter().map(|(name, s)| (name, end_of(s, true))).collect());
        tokio::join!(http2, http1, idle, busy);
        eprintln!("testbed: new calls go elsewhere {elsewhere:.1?} after the pod vanished");
        drop(servers);
    });
}

/// Those to the pod that is gone end in time; the others go on.
async fn watch<F>(what: &str, begun: Instant, seconds: u64, connections: Vec<(String, F)>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (gone, others): (Vec<_>, Vec<_>) = connections.into_iter().partition(|(name, _)| name == GONE);
    assert!(!gone.is_empty() && !others.is_empty(), "{what}: {} and {}", gone.len(), others.len());
    // All at once: what one of them is to send is not sent when another one has ended.
    let start =
        |all: Vec<(String, F)>| -> Vec<JoinHandle<()>> { all.into_iter().map(|(_, end)| tokio::spawn(end)).collect() };
    let (gone, others) = (start(gone), start(others));
    let limit = Duration::from_secs(seconds) + SLACK;
    for end in gone {
        let left = limit.saturating_sub(begun.elapsed());
        assert!(tokio::time::timeout(left, end).await.is_ok(), "{what}: still there after {limit:?}");
    }
    eprintln!("testbed: {what}: ended {:.1?} after the pod vanished", begun.elapsed());
    assert!(others.iter().all(|other| !other.is_finished()), "{what}: a connection to the other pod ended as well");
}

/// Requests and connections on a pod that is withdrawn finish in peace.
#[test]
fn what_runs_on_a_pod_that_leaves_finishes() {
    netns::isolated_without_clusters(async {
        let next = Tier { zone: "eu-b", net: (8, 1), ..HOME };
        let stage = Stage::start("on-demand", &[HOME, next]).await;
        let home = HOME.pod(1);
        let _streams = streams(SocketAddr::new(home, HTTP2.1), "pod-1".to_owned()).await;
        let _lines = lines(SocketAddr::new(home, HTTP.1), "pod-1".to_owned(), true).await;
        let _bytes = lines(SocketAddr::new(home, TCP.1), "pod-1".to_owned(), false).await;
        let _next = Backend::start(SocketAddr::new(next.pod(1), HTTP.1), "next").await;
        let (_, mut stream) = quiet_stream(&stage).await;
        let (mut http1, mut tcp) = (stage.dial(Way::Sidecar, HTTP).await, stage.dial(Way::Sidecar, TCP).await);
        assert_eq!(greeting(&mut http1, true).await, "pod-1");
        assert_eq!(greeting(&mut tcp, false).await, "pod-1");

        stage.withdraw(&HOME);
        eventually("new requests go to the next zone", SOON, async || {
            let mut client = stage.dial(Way::Sidecar, HTTP).await;
            let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
            client.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
            let mut answer = String::new();
            let read = tokio::time::timeout(Duration::from_secs(1), client.read_to_string(&mut answer)).await;
            match read {
                Ok(Ok(_)) if answer.ends_with("next") => Ok(()),
                other => Err(format!("{other:?} {answer}")),
            }
        })
        .await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        for connection in [&mut http1, &mut tcp] {
            connection.write_all(b"still there?").await.expect("say");
            let mut answer = [0; 12];
            let read = tokio::time::timeout(SOON, connection.read_exact(&mut answer)).await;
            read.expect("in time").expect("an answer on a connection that was there before");
            assert_eq!(&answer, b"still there?");
        }
        let quiet = tokio::time::timeout(Duration::from_secs(1), stream.data()).await;
        assert!(quiet.is_err(), "the stream goes on: {quiet:?}");
    });
}

/// A stream to one of the pods: its name, and what comes after it, which is nothing.
async fn quiet_stream(stage: &Stage) -> (String, RecvStream) {
    let mut body = http2::get(stage.dial(Way::Sidecar, HTTP2).await, "/hold").await.expect("an answer");
    let name = body.data().await.expect("a name").expect("bytes");
    (String::from_utf8_lossy(&name).into_owned(), body)
}

async fn end_of_stream(mut stream: RecvStream) {
    while let Some(Ok(_)) = stream.data().await {}
}

async fn end_of(mut stream: TcpStream, saying: bool) {
    if saying {
        let _ = stream.write_all(b"still there?").await;
    }
    let mut rest = [0; 64];
    while let Ok(1..) = stream.read(&mut rest).await {}
}

async fn ask(stage: &Stage) -> Result<String, h2::Error> {
    let mut body = http2::get(stage.dial(Way::Sidecar, HTTP2).await, "/").await?;
    let name = body.data().await.transpose()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&name).into_owned())
}

/// Connections to the pods, each with the name that greeted it.
async fn open(stage: &Stage, port: (u16, u16)) -> Vec<(String, TcpStream)> {
    let mut all = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = stage.dial(Way::Sidecar, port).await;
        let name = greeting(&mut stream, port == HTTP).await;
        all.push((name, stream));
    }
    all
}

async fn greeting(stream: &mut TcpStream, http: bool) -> String {
    if http {
        let upgrade = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
        stream.write_all(upgrade.as_bytes()).await.expect("ask");
    }
    let mut received = Vec::new();
    while !received.ends_with(b"\n")
        || (http && !received.windows(4).any(|four| four == b"\r\n\r\n"))
        || !received.ends_with(b"!\n")
    {
        let read = tokio::time::timeout(SOON, stream.read_buf(&mut received)).await;
        assert!(matches!(read, Ok(Ok(1..))), "{read:?}: {}", String::from_utf8_lossy(&received));
    }
    let text = String::from_utf8_lossy(&received).into_owned();
    text.lines().last().unwrap_or_default().trim_end_matches('!').to_owned()
}

/// Calls its client by `name`, and holds `/hold` forever.
async fn streams(at: SocketAddr, name: String) -> JoinHandle<()> {
    let handle = move |request: Request<RecvStream>, mut respond: SendResponse<Bytes>| {
        let name = name.clone();
        async move {
            let mut sender = respond.send_response(Response::new(()), false)?;
            let hold = request.uri().path() == "/hold";
            sender.send_data(name.into(), !hold)?;
            if hold {
                std::future::poll_fn(|context| sender.poll_reset(context)).await?;
            }
            Ok(())
        }
    };
    http2::server(at, handle).await
}

/// Greets, over an upgraded HTTP/1 connection or as it is, and then repeats what it hears.
async fn lines(at: SocketAddr, name: String, http: bool) -> JoinHandle<()> {
    let listener = TcpListener::bind(at).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(repeat(stream, name.clone(), http));
        }
    })
}

async fn repeat(mut stream: TcpStream, name: String, http: bool) -> std::io::Result<()> {
    if http {
        let mut head = Vec::new();
        while !head.windows(4).any(|four| four == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n")
            .await?;
    }
    stream.write_all(format!("{name}!\n").as_bytes()).await?;
    let (mut reader, mut writer) = stream.split();
    tokio::io::copy(&mut reader, &mut writer).await.map(|_| ())
}
