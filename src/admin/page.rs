//! Pages as JSON, and how many large ones are made at a time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{Request, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::foreign;

/// Pages of `/debug` that are made or read at a time: each is in memory as a whole until it has been read.
pub const MAX_PAGES: usize = 4;
/// How long a request waits for its turn.
pub const TURN_TIMEOUT: Duration = Duration::from_secs(10);

/// A page for programs. Hidden characters in it are escaped, for those who read it in a terminal.
pub(super) fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], foreign::json(text)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot write the page: {error}\n")).into_response(),
    }
}

/// Turns for pages that may be large.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_PAGES)))
    }
}

/// Waits for a turn, which lasts until the page has been read.
pub(super) async fn take_turn(State(Turns(turns)): State<Turns>, request: Request<Body>, next: Next) -> Response {
    match tokio::time::timeout(TURN_TIMEOUT, turns.acquire_owned()).await {
        Ok(Ok(turn)) => next.run(request).await.map(|inner| Body::new(Turn { inner, _turn: turn })),
        Ok(Err(_)) | Err(_) => {
            let text = format!("{MAX_PAGES} pages are being read already; try again\n");
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
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
            .layer(middleware::from_fn_with_state(Turns::default(), take_turn));
        let ask = async || {
            let request = Request::get("/page").body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap()
        };
        let mut unread = Vec::new();
        for _ in 0..MAX_PAGES {
            unread.push(ask().await);
        }
        assert!(unread.iter().all(|answer| answer.status() == StatusCode::OK));
        assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE, "after waiting, and not for ever");
        let read = axum::body::to_bytes(unread.pop().unwrap().into_body(), 100).await.unwrap();
        assert_eq!(&read[..], b"page");
        assert_eq!(ask().await.status(), StatusCode::OK, "a page that was read frees its turn");
    }
}
