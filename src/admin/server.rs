//! The HTTP server of the pages. `axum::serve` has no deadlines and no limit of connections.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use clusters::shutdown::Shutdown;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::connections::{Connection, ConnectionCounts, Connections, HEADER_TIMEOUT, Place};

/// Largest head of a request, in bytes, and what is written at a time.
const BUFFER: usize = 64 << 10;
/// After an error of accepting, such as no descriptor left.
const PAUSE: Duration = Duration::from_millis(100);
/// How long answers may take after the shutdown signal.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Serves until the shutdown signal.
pub(super) async fn serve(listener: TcpListener, router: Router, stats: ConnectionCounts, mut shutdown: Shutdown) {
    let connections = Connections::new(stats);
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = tasks.join_next() => continue,
            () = shutdown.wait() => break,
        };
        match accepted {
            Ok((tcp, _)) => {
                // Dropping it closes it.
                if let Some(place) = connections.admit() {
                    tasks.spawn(connection(tcp, router.clone(), place, shutdown.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections to the pages; is the limit of open files too low?");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_ANSWERS, all).await; // those that do not end are cut off
}

async fn connection(tcp: TcpStream, router: Router, place: Place, mut shutdown: Shutdown) {
    let connection = &place.connection;
    let service = service_fn(|request: Request<Incoming>| {
        let answering = Answering::new(Arc::clone(connection));
        let router = router.clone();
        async move { router.oneshot(request.map(Body::new)).await.map(|answer| paced(answer, answering)) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(BUFFER);
    let mut served = std::pin::pin!(server.serve_connection(TokioIo::new(tcp), service));
    let mut ending = false;
    loop {
        tokio::select! {
            _ = &mut served => return, // what went wrong is the client's affair
            () = connection.must_close() => return,
            () = shutdown.wait(), if !ending => {
                ending = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

/// A request that is being answered, until the last byte of the answer is on its way.
struct Answering(Arc<Connection>);

impl Answering {
    fn new(connection: Arc<Connection>) -> Self {
        connection.begin();
        Self(connection)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An answer that is handed out as the client reads it, so that one who does not read is seen not to.
fn paced(answer: Response<Body>, answering: Answering) -> Response<Paced> {
    answer.map(|inner| Paced { inner, rest: Bytes::new(), _answering: answering })
}

struct Paced {
    inner: Body,
    rest: Bytes,
    _answering: Answering,
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                other => return Poll::Ready(other),
            }
        }
        let length = self.rest.len().min(BUFFER);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_counts_as_under_way_until_its_last_byte_is_taken() {
        let connections = Connections::default();
        let place = connections.admit().expect("room");
        let busy = || place.connection.idle_since().is_none();
        assert!(!busy());
        let text: Vec<u8> = (0..3 * BUFFER + 5).map(|i| (i % 251) as u8).collect();
        let answer = paced(Response::new(Body::from(text.clone())), Answering::new(Arc::clone(&place.connection)));
        let mut body = answer.into_body();
        assert_eq!(body.size_hint().exact(), Some(text.len() as u64));
        let mut read = Vec::new();
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.len() <= BUFFER && busy(), "as much at a time as is written at a time");
            read.extend_from_slice(&data);
        }
        assert!(read == text && body.is_end_stream());
        drop(body);
        assert!(!busy());
    }
}
