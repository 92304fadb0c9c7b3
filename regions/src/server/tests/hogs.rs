//! Clients that hold what others need, and do nothing with it: slots, connections, memory. Beside each of them a well-behaved
//! client opens streams and is served.

use std::net::IpAddr;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpSocket;

use super::*;

/// Far more than a well-behaved client needs, and far less than it waited before slots were shared.
const SERVED: Duration = Duration::from_secs(5);
const INNOCENTS: usize = 20;

/// How many times as long and as large: `ISTHMUS_ATTACK_SCALE=10` is what docs/security.md shows.
fn scale() -> usize {
    std::env::var("ISTHMUS_ATTACK_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

fn others() -> usize {
    INNOCENTS * scale()
}

type Body = BoxBody<Bytes, std::convert::Infallible>;

/// A connection with streams that are held open.
struct Hog {
    sender: http2::SendRequest<Body>,
    /// Open requests, and what answers them.
    held: Vec<(mpsc::UnboundedSender<Bytes>, tokio::task::JoinHandle<()>)>,
}

impl Hog {
    /// From an address of this machine; `window`: what it takes of an answer before it stops, in bytes.
    async fn connect(at: SocketAddr, from: [u8; 4], window: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((IpAddr::from(from), 0).into()).expect("a loopback address");
        let io = TokioIo::new(socket.connect(at).await.expect("connected"));
        let mut builder = http2::Builder::new(TokioExecutor::new());
        if let Some(window) = window {
            builder.initial_stream_window_size(window).initial_connection_window_size(window.max(65_535));
        }
        let (sender, connection) = builder.handshake(io).await.expect("HTTP/2");
        tokio::spawn(connection);
        Self { sender, held: Vec::new() }
    }

    /// Opens a stream, sends these bytes, and neither ends it nor reads on.
    fn open(&mut self, sent: Option<Bytes>) {
        let (pieces, receiver) = mpsc::unbounded_channel::<Bytes>();
        sent.into_iter().for_each(|sent| pieces.send(sent).expect("open"));
        let frames = futures::StreamExt::map(tokio_stream::wrappers::UnboundedReceiverStream::new(receiver), |piece| {
            Ok(http_body::Frame::data(piece))
        });
        let request =
            http::Request::post("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources")
                .header("content-type", "application/grpc")
                .body(http_body_util::BodyExt::boxed(StreamBody::new(frames)));
        let answer = self.sender.send_request(request.expect("a request"));
        let task = tokio::spawn(async move {
            // The answer's head; its body is held and never read.
            let _answer = answer.await;
            std::future::pending::<()>().await;
        });
        self.held.push((pieces, task));
    }
}

impl Drop for Hog {
    fn drop(&mut self) {
        self.held.iter().for_each(|(_, task)| task.abort());
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(message.len() + 5);
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).expect("short"));
    out.put_slice(message);
    out.freeze()
}

fn first_request() -> Bytes {
    let ask = xds::DeltaDiscoveryRequest { node: node("hog"), type_url: url(ResourceType::Cluster), ..<_>::default() };
    framed(&ask.encode_to_vec())
}

/// Opens streams one after another, each on a connection of its own, and returns how long they took.
async fn innocents_are_served(server: &Server, beside: &str) {
    let mut took = Vec::new();
    for _ in 0..others() {
        let begun = Instant::now();
        let served = async {
            let mut talk = server.delta().await;
            let ask = xds::DeltaDiscoveryRequest {
                node: node("other"),
                type_url: url(ResourceType::Cluster),
                ..<_>::default()
            };
            talk.send(ask).await;
            talk.response().await;
        };
        tokio::time::timeout(SERVED, served)
            .await
            .unwrap_or_else(|_| panic!("beside {beside}: not served in {SERVED:?}"));
        took.push(begun.elapsed());
    }
    let fresh = spread(took);
    let changes = spread(changes_arrive(server, beside).await);
    let count = others();
    eprintln!("beside {beside}: of {count} fresh streams {fresh}, of {count} changes {changes}");
}

/// Changes an endpoint again and again, and returns how long each change took to a client that follows it.
async fn changes_arrive(server: &Server, beside: &str) -> Vec<Duration> {
    let mut talk = server.delta().await;
    let ask = xds::DeltaDiscoveryRequest {
        node: node("other"),
        type_url: url(ResourceType::Assignment),
        resource_names_subscribe: vec![WEB.to_owned()],
        ..<_>::default()
    };
    talk.send(ask).await;
    let mut took = Vec::new();
    let mut known = talk.response().await;
    for i in 0..others() {
        let ack =
            xds::DeltaDiscoveryRequest { type_url: known.type_url, response_nonce: known.nonce, ..<_>::default() };
        talk.send(ack).await;
        let begun = Instant::now();
        server
            .effects
            .send(services(vec![web("shop/web", &[&*format!("10.8.{}.{}:80", 1 + i / 250, i % 250)])]))
            .await
            .expect("sent");
        let next = tokio::time::timeout(SERVED, talk.response()).await;
        known = next.unwrap_or_else(|_| panic!("beside {beside}: a change did not arrive in {SERVED:?}"));
        assert_eq!(names(&known), [WEB]);
        took.push(begun.elapsed());
    }
    took
}

fn spread(mut took: Vec<Duration>) -> String {
    took.sort_unstable();
    let (half, most, last) = (took[took.len() / 2], took[took.len() * 99 / 100], took[took.len() - 1]);
    format!("half took {half:.1?}, 99 % {most:.1?} and all {last:.1?} at most")
}

async fn server() -> Server {
    Server::start(services(vec![web("shop/web", &["10.8.0.1:80"])])).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_hold_a_slot_and_do_nothing_block_no_other() {
    const EVERY_PLACE_TWICE: usize = 128;
    // Name, window, what they send, connections, the address they connect from: also that of the well-behaved clients.
    let kinds = [
        ("streams that never ask", None, None, 1, [127, 0, 0, 1]),
        ("streams that ask and read nothing", Some(0), Some(first_request()), 1, [127, 0, 0, 1]),
        ("streams that ask for part of what they sent", None, Some(first_request().slice(..20)), 1, [127, 0, 0, 1]),
        ("a thousand streams that never acknowledge", None, Some(first_request()), 10, [127, 0, 0, 1]),
        ("a thousand streams of another address that read nothing", Some(0), Some(first_request()), 10, [127, 0, 0, 2]),
    ];
    for (name, window, sent, connections, from) in kinds {
        let server = server().await;
        let mut hogs = Vec::new();
        let connections = connections * scale();
        for _ in 0..connections {
            let mut hog = Hog::connect(server.at, from, window).await;
            (0..EVERY_PLACE_TWICE).for_each(|_| hog.open(sent.clone()));
            hogs.push(hog);
        }
        let open = u64::try_from(connections * EVERY_PLACE_TWICE).expect("few");
        server.until("all of them are there", |server| server.stats.streams.accepted.get() >= open).await;
        innocents_are_served(&server, name).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_never_finished_cost_a_bounded_amount_of_memory() {
    const ANNOUNCED: usize = 2 << 20;
    // Each announces the longest request that is allowed, sends a part, and stops.
    let mut begun = BytesMut::with_capacity(ANNOUNCED);
    begun.put_u8(0);
    begun.put_u32(u32::try_from(MAX_REQUEST_LEN).expect("it fits"));
    begun.resize(ANNOUNCED, 0);
    let begun = begun.freeze();
    let server = server().await;
    let before = resident();
    let mut hogs = Vec::new();
    for _ in 0..4 * scale() {
        let mut hog = Hog::connect(server.at, [127, 0, 0, 2], None).await;
        (0..64).for_each(|_| hog.open(Some(begun.clone())));
        hogs.push(hog);
    }
    innocents_are_served(&server, "requests that are never finished").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    innocents_are_served(&server, "the same after three seconds").await;
    let grown = resident().saturating_sub(before) >> 20;
    eprintln!("{} unfinished requests of {} MiB each: the process grew by {grown} MiB", 256 * scale(), ANNOUNCED >> 20);
    let bound = (crate::server::MAX_PARTIAL_BYTES >> 20) + 128;
    assert!(grown <= bound, "grew by {grown} MiB; expected at most {bound}");
}

/// Of this process, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().expect("a number") << 10
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_mean_nothing_are_bounded_in_bytes_on_all_types_together() {
    let server = server().await;
    let mut talk = server.delta().await;
    let names = |prefix: &str| (0..9_000).map(|i| format!("{prefix}-{i:0>900}")).collect::<Vec<_>>();
    let mut status = None;
    for t in ResourceType::ALL {
        let ask = xds::DeltaDiscoveryRequest {
            node: node("many"),
            type_url: url(t),
            resource_names_subscribe: names(t.label()),
            ..<_>::default()
        };
        talk.send(ask).await;
        // Not every type has an answer to that.
        if let Ok(Err(refusal)) = tokio::time::timeout(Duration::from_secs(2), talk.responses.message()).await {
            status = Some(refusal);
            break;
        }
    }
    let status = status.expect("refused in the end");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains("16777216 bytes"), "{status:?}");
}
