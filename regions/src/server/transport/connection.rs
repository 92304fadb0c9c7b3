//! One connection, from its first byte to its last.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt;
use tower::util::Oneshot;

use super::accept::Accepted;
use super::guard::Guard;
use super::handle::Handle;
use super::limits::Limits;
use super::one_task::{OneTask, Spawner};
use super::peer::Peer;
use super::ping_acks::PingAcks;
use super::rarely::Rarely;
use super::served::Served;
use super::tls;
use crate::server::slots::{Claim, Slots};
use crate::stats::Stats;

/// What all connections share.
pub(super) struct Common<S> {
    service: S,
    pub(super) limits: Limits,
    pub(super) stats: Arc<Stats>,
    handshakes: Slots,
    failed_handshakes: Rarely,
}

impl<S> Common<S> {
    pub(super) fn new(service: S, limits: Limits, stats: Arc<Stats>) -> Self {
        let handshakes =
            Slots::new(limits.max_handshakes, limits.handshake_hold, stats.connections.places_passed_on.clone());
        Self { service, limits, stats, handshakes, failed_handshakes: Rarely::default() }
    }
}

/// Runs until the client disconnects, or until the streams have ended after the connection became too old or `end` was sent.
pub(super) async fn run<S: Served>(
    accepted: Accepted,
    handle: Arc<Handle>,
    common: Arc<Common<S>>,
    mut end: oneshot::Receiver<()>,
) {
    let Accepted { tcp, peer: address, tls } = accepted;
    let claim = Claim { address: address.ip().to_canonical(), connection: handle.id() };
    let _open = Open::new(Arc::clone(&common.stats));
    let old_at = Instant::now() + common.limits.age();
    // Small responses must not wait for the acknowledgement of the one before.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%address, %error, "the client is gone already");
        return;
    }
    let (drain, draining) = watch::channel(false);
    let connection = |certificates| Connection {
        peer: Peer { address, certificates, draining, connection: handle },
        drain,
        old_at,
        common: Arc::clone(&common),
    };
    let Some(source) = tls else {
        return connection(None).serve(tcp, end).await;
    };
    // Boxed, like the future that serves: an idle connection should take only the memory that waiting needs.
    let handshake = Box::pin(tls::accept(tcp, &source, &common.handshakes, claim, &common.limits));
    let stream = tokio::select! {
        biased;
        _ = &mut end => return,
        stream = handshake => stream,
    };
    match stream {
        Ok(stream) => {
            let certificates = tls::certificates(&stream);
            connection(certificates).serve(stream, end).await;
        }
        Err(error) => {
            common.stats.connections.handshakes_failed.inc();
            if let Some(omitted) = common.failed_handshakes.due() {
                tracing::warn!(peer = %address, %error, omitted, "TLS handshake failed");
            }
        }
    }
}

struct Connection<S> {
    peer: Peer,
    drain: watch::Sender<bool>,
    old_at: Instant,
    common: Arc<Common<S>>,
}

impl<S: Served> Connection<S> {
    fn serve<I>(self, io: I, end: oneshot::Receiver<()>) -> impl Future<Output = ()> + Send
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, drain, old_at, common } = self;
        let (address, handle, limits) = (peer.address, peer.connection.clone(), &common.limits);
        let io = TokioIo::new(PingAcks::new(Guard::new(io, limits.handshake_timeout, limits.silence())));
        let service = WithPeer { service: common.service.clone(), peer };
        let spawner = Spawner::default();
        let http2 = builder(limits, spawner.clone()).serve_connection(io, service);
        let mut serving = Box::new(OneTask::new(http2, spawner));
        async move {
            let stats = &common.stats.connections;
            tokio::select! {
                biased;
                ended = &mut serving => return account(ended, address, stats),
                () = sleep_until(old_at) => {
                    stats.aged.inc();
                    tracing::debug!(%address, "connection is old enough: ending it");
                }
                () = handle.when_cut() => {
                    stats.cut_off.inc();
                    return;
                }
                _ = end => {}
            }
            drain.send_replace(true);
            serving.connection().graceful_shutdown();
            match timeout(common.limits.drain, &mut serving).await {
                Ok(ended) => account(ended, address, stats),
                Err(_) => {
                    stats.cut_off.inc();
                    tracing::debug!(%address, "connection cut off: it did not end in time");
                }
            }
        }
    }
}

fn builder(limits: &Limits, spawner: Spawner) -> http2::Builder<Spawner> {
    let mut builder = http2::Builder::new(spawner);
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keepalive_interval)
        .keep_alive_timeout(limits.keepalive_timeout)
        .max_concurrent_streams(limits.max_streams_per_connection)
        .max_send_buf_size(limits.max_send_buffer)
        .initial_stream_window_size(limits.initial_stream_window)
        .initial_connection_window_size(limits.initial_connection_window);
    builder
}

fn account(ended: hyper::Result<()>, address: SocketAddr, stats: &crate::stats::ConnectionStats) {
    let Err(error) = ended else { return };
    if timed_out(&error) {
        stats.silent.inc();
        tracing::info!(%address, "connection closed: the client does not answer");
    } else {
        tracing::debug!(%address, error = &error as &dyn Error, "connection broke");
    }
}

/// Whether pings were not answered, or nothing could be written, for too long.
fn timed_out(error: &hyper::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let io = std::iter::from_fn(|| {
        let this = cause?;
        cause = this.source();
        Some(this)
    });
    let mut io = io.filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    error.is_timeout() || io.any(|io| io.kind() == std::io::ErrorKind::TimedOut)
}

/// Adds the [`Peer`] to each request.
struct WithPeer<S> {
    service: S,
    peer: Peer,
}

impl<S: Served> hyper::service::Service<http::Request<Incoming>> for WithPeer<S> {
    type Response = http::Response<S::Body>;
    type Error = std::convert::Infallible;
    type Future = Oneshot<S, http::Request<Incoming>>;

    fn call(&self, mut request: http::Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer.clone());
        self.service.clone().oneshot(request)
    }
}

/// Counts an open connection.
struct Open(Arc<Stats>);

impl Open {
    fn new(stats: Arc<Stats>) -> Self {
        stats.connections.open.add(1);
        Self(stats)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.open.add(-1);
    }
}
