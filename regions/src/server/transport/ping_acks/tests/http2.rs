//! Below the HTTP/2 that is used: an acknowledgement joins another write, and does not need one.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::stream;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;

use super::*;

/// Counts writes.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, SeqCst);
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, SeqCst);
        Pin::new(&mut self.0).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A served connection with one open stream.
struct Served {
    client: DuplexStream,
    writes: Arc<AtomicUsize>,
    responses: mpsc::UnboundedSender<Bytes>,
}

impl Served {
    /// `hold`: with [`PingAcks`] in between.
    async fn start(hold: bool) -> Self {
        let (mut client, server) = duplex(1 << 16);
        let writes = Arc::new(AtomicUsize::new(0));
        let counted = Counted(server, Arc::clone(&writes));
        let (responses, receiver) = mpsc::unbounded_channel::<Bytes>();
        let body = stream::unfold(receiver, |mut receiver| async {
            let data = receiver.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(data)), receiver))
        });
        let body = Mutex::new(Some(StreamBody::new(body)));
        let service = hyper::service::service_fn(move |_: http::Request<Incoming>| {
            std::future::ready(Ok::<_, Infallible>(http::Response::new(body.lock().unwrap().take().unwrap())))
        });
        if hold {
            tokio::spawn(serve(PingAcks::new(counted), service));
        } else {
            tokio::spawn(serve(counted, service));
        }
        // The preface, empty SETTINGS, their acknowledgement, and `POST http://a/` (RFC 7541 §6.1).
        let headers = frame(1, 4, &[0x83, 0x86, 0x84, 0x01, 1, b'a']);
        let on_stream = [&headers[..8], &[1], &headers[9..]].concat();
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &*frame(4, 0, &[]), &frame(4, 1, &[]), &on_stream].concat();
        client.write_all(&preface).await.unwrap();
        let mut served = Self { client, writes, responses };
        served.read(|frame| frame[3] == 1).await;
        served.writes();
        served
    }

    async fn ping(&mut self) {
        self.client.write_all(&frame(PING, 0, &[9; 8])).await.unwrap();
    }

    fn respond(&self) {
        self.responses.send(Bytes::from_static(&[7; 400])).unwrap();
    }

    /// Reads frames up to this one.
    async fn read(&mut self, last: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        loop {
            let mut bytes = vec![0; 9];
            self.client.read_exact(&mut bytes).await.unwrap();
            bytes.resize(9 + u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]) as usize, 0);
            self.client.read_exact(&mut bytes[9..]).await.unwrap();
            frames.push(bytes);
            if last(&frames[frames.len() - 1]) {
                return frames;
            }
        }
    }

    /// How many writes there were since this was asked last.
    fn writes(&self) -> usize {
        self.writes.swap(0, SeqCst)
    }
}

async fn serve<I, S, B>(io: I, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
    S: hyper::service::Service<http::Request<Incoming>, Response = http::Response<B>, Error = Infallible>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let builder = http2::Builder::new(TokioExecutor::new()).timer(TokioTimer::new()).clone();
    builder.serve_connection(TokioIo::new(io), service).await.unwrap();
}

/// Lets all tasks do what they can do now, without time passing.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_costs_no_write_of_its_own_if_something_is_written_soon() {
    let mut counts = [0, 0];
    for hold in [false, true] {
        let mut served = Served::start(hold).await;
        settle().await;
        served.respond();
        served.read(|frame| frame[3] == DATA).await;
        settle().await;
        served.writes();
        for _ in 0..10 {
            served.ping().await;
            settle().await;
            served.respond();
            let frames = served.read(|frame| frame[3] == DATA).await;
            let kinds: Vec<u8> = frames.iter().map(|frame| frame[3]).collect();
            assert_eq!(kinds, [PING, DATA]);
        }
        counts[usize::from(hold)] = served.writes();
    }
    assert_eq!(counts, [20, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_ping_on_a_quiet_connection_is_answered_at_once_and_one_after_data_within_the_hold() {
    let mut served = Served::start(true).await;
    for _ in 0..3 {
        sleep(Duration::from_secs(10)).await;
        let asked = Instant::now();
        served.ping().await;
        let frames = served.read(|frame| frame[3] == PING).await;
        assert_eq!(frames.last().unwrap()[4..], ack(9)[4..]);
        assert_eq!(asked.elapsed(), Duration::ZERO);

        served.respond();
        served.read(|frame| frame[3] == DATA).await;
        let asked = Instant::now();
        served.ping().await;
        served.read(|frame| frame[3] == PING).await;
        assert!(asked.elapsed() >= HOLD, "{:?}", asked.elapsed());
        assert_late(asked.elapsed());
    }
}
