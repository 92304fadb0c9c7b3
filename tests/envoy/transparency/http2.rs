//! HTTP/2: many streams, large headers, small frames, slow readers, and which version a backend is spoken to in.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::stage::{HOME, HTTP, HTTP2, Stage, Way};
use crate::testbed::{eventually, netns};

const LIMIT: Duration = Duration::from_secs(60);
const WAYS: [Way; 3] = [Way::Direct, Way::Sidecar, Way::Egress];
const HEADERS_BYTES: u32 = 16 << 20;
/// More than Envoy's default of 1,024.
const STREAMS: usize = 1500;
/// More frames than the 10,000 that Envoy lets wait by default.
const SMALL_FRAMES: usize = 60_000;

#[test]
fn http2_is_the_same_with_an_on_demand_sidecar() {
    netns::isolated_without_clusters(compare("on-demand"));
}

#[test]
fn http2_is_the_same_with_an_eager_sidecar() {
    netns::isolated_without_clusters(compare("eager"));
}

async fn compare(clusters: &str) {
    let stage = Stage::start(clusters, &[HOME]).await;
    let (held, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let handle = {
        let (held, go) = (Arc::clone(&held), Arc::clone(&go));
        move |request: Request<RecvStream>, respond: SendResponse<Bytes>| {
            let (held, go) = (Arc::clone(&held), Arc::clone(&go));
            async move {
                match request.uri().path() {
                    "/hold" => {
                        held.fetch_add(1, Ordering::SeqCst);
                        go.notified().await;
                        count_bytes(request, respond).await
                    }
                    "/small" => small_frames(respond).await,
                    _ => count_bytes(request, respond).await,
                }
            }
        }
    };
    let _declared = server(SocketAddr::new(HOME.pod(1), HTTP2.1), handle.clone()).await;
    let _plain = server(SocketAddr::new(HOME.pod(1), HTTP.1), handle).await;
    for way in WAYS {
        // On the port that is declared `grpc`, and by prior knowledge on the one called `http`.
        for port in [HTTP2, HTTP] {
            large_headers(&stage, way, port).await;
            empty_frames(&stage, way, port).await;
            slow_reader(&stage, way, port).await;
        }
        held.store(0, Ordering::SeqCst);
        many_streams(&stage, way, &held, &go).await;
    }
    stage.nothing_was_rejected().await;
}

async fn many_streams(stage: &Stage, way: Way, held: &AtomicUsize, go: &Notify) {
    let mut client = connect(stage.dial(way, HTTP2).await).await;
    let mut answers = Vec::new();
    for _ in 0..STREAMS {
        client = client.ready().await.expect("ready for one more stream");
        let (answer, _) = client.send_request(request(HTTP2, "/hold"), true).expect("a stream");
        answers.push(answer);
    }
    eventually(&format!("{way:?}: {STREAMS} streams at the backend"), LIMIT, async || {
        match held.load(Ordering::SeqCst) {
            STREAMS => Ok(()),
            fewer => Err(fewer.to_string()),
        }
    })
    .await;
    go.notify_waiters();
    for answer in answers {
        let answer = tokio::time::timeout(LIMIT, answer).await.expect("in time").expect("an answer");
        assert_eq!(answer.status(), 200, "{way:?}");
        // To its end: a client that lets go of more than a thousand answers in the middle gives the connection up itself.
        let mut body = answer.into_body();
        while let Some(Ok(_)) = body.data().await {}
    }
}

async fn large_headers(stage: &Stage, way: Way, port: (u16, u16)) {
    let mut client = connect(stage.dial(way, port).await).await;
    let mut request = request(port, "/");
    for i in 0..1000 {
        let name = http::HeaderName::try_from(format!("x-{i}")).expect("a name");
        request.headers_mut().insert(name, "value".parse().expect("a value"));
    }
    request.headers_mut().insert("x-large", "a".repeat(150_000).parse().expect("a value"));
    client = client.ready().await.expect("ready");
    let (answer, _) = client.send_request(request, true).expect("a stream");
    let answer = tokio::time::timeout(LIMIT, answer).await.expect("in time");
    let answer = answer.unwrap_or_else(|error| panic!("{way:?} {port:?}: {error}"));
    assert_eq!(answer.status(), 200, "{way:?} {port:?}");
    assert_eq!(answer.headers().get("x-back").map(http::HeaderValue::len), Some(150_000), "{way:?} {port:?}");
    assert!(
        answer.headers().keys().all(|name| !name.as_str().starts_with("x-envoy")),
        "{way:?} {:?}",
        answer.headers()
    );
    let (_, trailers) = all(answer.into_body()).await.expect("a body");
    assert_eq!(trailers.and_then(|all| all.get("grpc-status").cloned()).expect("trailers"), "0");
}

/// Two DATA frames without bytes in a row end the connection by default.
async fn empty_frames(stage: &Stage, way: Way, port: (u16, u16)) {
    let mut client = connect(stage.dial(way, port).await).await.ready().await.expect("ready");
    let (answer, mut body) = client.send_request(request(port, "/"), false).expect("a stream");
    for _ in 0..20 {
        body.send_data(Bytes::new(), false).expect("an empty frame");
    }
    body.send_data(Bytes::from_static(b"ab"), true).expect("the end");
    let answer = tokio::time::timeout(LIMIT, answer).await.expect("in time");
    let answer = answer.unwrap_or_else(|error| panic!("{way:?} {port:?}: {error}"));
    let (text, _) = all(answer.into_body()).await.expect("a body");
    assert_eq!(text, "2 bytes", "{way:?} {port:?}");
}

/// A stream of small messages to a client that pauses.
async fn slow_reader(stage: &Stage, way: Way, port: (u16, u16)) {
    let gate = Arc::new(AtomicBool::new(true));
    let stream = Gated { stream: stage.dial(way, port).await, open: Arc::clone(&gate) };
    let mut client = connect(stream).await.ready().await.expect("ready");
    let (answer, _) = client.send_request(request(port, "/small"), true).expect("a stream");
    gate.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(4)).await;
    gate.store(true, Ordering::SeqCst);
    let answer = tokio::time::timeout(LIMIT, answer).await.expect("in time");
    let answer = answer.unwrap_or_else(|error| panic!("{way:?} {port:?}: {error}"));
    let body = tokio::time::timeout(LIMIT, all(answer.into_body())).await.expect("in time");
    let (text, _) = body.unwrap_or_else(|error| panic!("{way:?} {port:?}: {error}"));
    assert_eq!(text.len(), SMALL_FRAMES * 10, "{way:?} {port:?}");
}

fn request(port: (u16, u16), path: &str) -> Request<()> {
    // The whole name with its port, so that the plain port finds it.
    let uri = format!("http://web.shop.svc:{}{path}", port.0);
    Request::post(uri).body(()).expect("a request")
}

async fn connect<T>(stream: T) -> SendRequest<Bytes>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1 << 28).initial_connection_window_size(1 << 28).max_header_list_size(HEADERS_BYTES);
    builder.initial_max_send_streams(STREAMS).max_send_buffer_size(64 << 20);
    let (client, connection) = builder.handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    client
}

/// One call with this body: the status and the text of the answer.
pub async fn call(stream: TcpStream, body: Bytes) -> Result<(u16, String), String> {
    let exchange = async {
        let mut client = connect(stream).await.ready().await?;
        let (answer, sender) = client.send_request(request(HTTP2, "/"), false)?;
        let (_, answer) = tokio::join!(send(sender, body), answer);
        let answer = answer?;
        let status = answer.status().as_u16();
        let (text, _) = all(answer.into_body()).await?;
        Ok((status, text))
    };
    let done: Result<Result<_, h2::Error>, _> = tokio::time::timeout(LIMIT, exchange).await;
    done.map_err(|_| "no end in time".to_owned())?.map_err(|error| error.to_string())
}

/// One call without a body: what comes of it.
pub async fn get(stream: TcpStream, path: &str) -> Result<RecvStream, h2::Error> {
    let mut client = connect(stream).await.ready().await?;
    let (answer, _) = client.send_request(request(HTTP2, path), true)?;
    Ok(answer.await?.into_body())
}

/// As fast as the other side lets it.
async fn send(mut sender: SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        sender.reserve_capacity(body.len().min(1 << 20));
        match std::future::poll_fn(|context| sender.poll_capacity(context)).await {
            Some(room) => sender.send_data(body.split_to(room?.min(body.len())), false)?,
            None => return Ok(()),
        }
    }
    sender.send_data(Bytes::new(), true)
}

async fn all(mut body: RecvStream) -> Result<(String, Option<HeaderMap>), h2::Error> {
    let mut text = Vec::new();
    while let Some(part) = body.data().await {
        let part = part?;
        text.extend_from_slice(&part);
        body.flow_control().release_capacity(part.len())?;
    }
    Ok((String::from_utf8_lossy(&text).into_owned(), body.trailers().await?))
}

/// Serves until the handle is dropped with the test.
pub async fn server<H, F>(at: SocketAddr, handle: H) -> JoinHandle<()>
where
    H: Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), h2::Error>> + Send + 'static,
{
    let listener = TcpListener::bind(at).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let handle = handle.clone();
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                builder.max_header_list_size(HEADERS_BYTES).initial_window_size(1 << 24).max_send_buffer_size(64 << 20);
                builder.initial_connection_window_size(1 << 24);
                let Ok(mut connection) = builder.handshake(stream).await else { return };
                while let Some(Ok((request, respond))) = connection.accept().await {
                    tokio::spawn(handle(request, respond));
                }
            });
        }
    })
}

/// Answers with the size of the body, a large header that was sent, and trailers.
pub async fn count_bytes(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let (parts, mut body) = request.into_parts();
    let mut size = 0;
    while let Some(part) = body.data().await {
        let part = part?;
        size += part.len();
        body.flow_control().release_capacity(part.len())?;
    }
    let mut answer = Response::new(());
    if let Some(large) = parts.headers.get("x-large") {
        answer.headers_mut().insert("x-back", large.clone());
    }
    let mut sender = respond.send_response(answer, false)?;
    sender.send_data(format!("{size} bytes").into(), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    sender.send_trailers(trailers)
}

async fn small_frames(mut respond: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let mut sender = respond.send_response(Response::new(()), false)?;
    for _ in 0..SMALL_FRAMES {
        sender.send_data(Bytes::from_static(b"0123456789"), false)?;
    }
    sender.send_data(Bytes::new(), true)
}

/// Reads nothing while it is not open.
struct Gated {
    stream: TcpStream,
    open: Arc<AtomicBool>,
}

impl AsyncRead for Gated {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if self.open.load(Ordering::SeqCst) {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let waker = cx.waker().clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            waker.wake();
        });
        Poll::Pending
    }
}

impl AsyncWrite for Gated {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
