//! Pages as JSON: how many large ones are in memory at a time, and the thread that makes them.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use clusters::foreign;
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pages of `/debug` that are made or read at a time: each is in memory as a whole until it has been read.
pub const MAX_PAGES: usize = 4;
/// How long a request waits for its turn.
pub const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// Of the thread that makes pages, as in nice(1).
const NICENESS: i32 = 10;

/// A page for programs. Hidden characters in it are escaped, for those who read it in a terminal.
pub(super) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], foreign::json(text)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot write the page: {error}\n")).into_response(),
    }
}

/// Turns for pages that may be large.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    turns: Arc<Semaphore>,
    maker: Arc<Maker>,
}

impl Turns {
    /// Starts the thread that makes pages.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { turns: Arc::new(Semaphore::new(MAX_PAGES)), maker: Arc::new(Maker::start()?) })
    }
}

/// Waits for a turn, which lasts until the page has been read.
pub(super) async fn take_turn(
    State(Turns { turns, maker }): State<Turns>,
    request: Request<Body>,
    next: Next,
) -> Response {
    match tokio::time::timeout(TURN_TIMEOUT, turns.acquire_owned()).await {
        // The turn goes along: a page is made to its end although its client has gone.
        Ok(Ok(turn)) => {
            let page = async { next.run(request).await.map(|inner| Body::new(Turn { inner, _turn: turn })) };
            maker.make(page).await
        }
        Ok(Err(_)) | Err(_) => {
            let text = format!("{MAX_PAGES} pages are being read already; try again\n");
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

/// A thread of its own for making pages, which takes turns with no stream of a proxy and gives way to them where there are
/// more threads than cores.
#[derive(Debug)]
struct Maker(Option<Runtime>);

impl Maker {
    fn start() -> std::io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("pages").enable_all().on_thread_start(give_way);
        builder.build().map(|runtime| Self(Some(runtime)))
    }

    async fn make(&self, page: impl Future<Output = Response> + Send + 'static) -> Response {
        let Some(runtime) = &self.0 else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
        let text = "the page could not be made\n";
        runtime.spawn(page).await.unwrap_or_else(|_| (StatusCode::INTERNAL_SERVER_ERROR, text).into_response())
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        // A runtime waits for its thread when it is dropped, which the thread that drops it may not.
        self.0.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

fn give_way() {
    // Linux takes this for the calling thread alone. Where it is not possible, pages are made all the same.
    let _ = rustix::process::setpriority_process(None, NICENESS);
}

struct Turn {
    inner: Body,
    _turn: OwnedSemaphorePermit,
}

impl HttpBody for Turn {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_page_that_is_not_read_keeps_its_turn_and_others_are_answered_in_the_end() {
        let router: Router = Router::new()
            .route("/page", get(async || "page"))
            .layer(middleware::from_fn_with_state(Turns::new().unwrap(), take_turn));
        let ask = async || {
            let request = Request::get("/page").body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        let mut unread = Vec::new();
        for _ in 0..MAX_PAGES {
            unread.push(ask().await);
        }
        assert!(unread.iter().all(|answer| answer.status() == StatusCode::OK));
        assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE, "after waiting, and not forever");
        let read = axum::body::to_bytes(unread.pop().unwrap().into_body(), 100).await.unwrap();
        assert_eq!(&read[..], b"page");
        assert_eq!(ask().await.status(), StatusCode::OK, "a page that was read frees its turn");
    }
}
