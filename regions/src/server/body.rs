//! The body of a response: the stream's own state machine, polled by the connection as far as there is room to send.
//!
//! Nothing is handed from task to task. A client that does not read is not listened to either: its requests wait in its
//! own flow-control window, and what it was to be sent are references to resources that others share.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use tonic::Status;

use super::codec::Writer;

/// Responses that wait to be written. The driver fills it, the body empties it, and both run in one task.
#[derive(Clone, Default)]
pub(super) struct Mailbox(Arc<Mutex<VecDeque<Writer>>>);

impl Mailbox {
    pub(super) fn push(&self, writer: Writer) {
        self.lock().push_back(writer);
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn pop(&self) -> Option<Writer> {
        self.lock().pop_front()
    }

    /// A queue: one left by a panicking task is as good as any.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Writer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a stream to its end.
pub(super) type Driver = Pin<Box<dyn Future<Output = Status> + Send>>;

pub(super) struct StreamBody {
    mailbox: Mailbox,
    writing: Option<Writer>,
    /// `None` once it ended.
    driver: Option<Driver>,
    /// How it ended, until that was said.
    ended: Option<Status>,
}

impl StreamBody {
    pub(super) fn new(mailbox: Mailbox, driver: Driver) -> Self {
        Self { mailbox, writing: None, driver: Some(driver), ended: None }
    }
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(writer) = &mut self.writing {
                if let Some(piece) = writer.next() {
                    return Poll::Ready(Some(Ok(Frame::data(piece))));
                }
                self.writing = None;
            }
            if let Some(next) = self.mailbox.pop() {
                self.writing = Some(next);
                continue;
            }
            let Some(driver) = &mut self.driver else {
                return Poll::Ready(self.ended.take().map(|status| Ok(Frame::trailers(trailers(&status)))));
            };
            match driver.as_mut().poll(cx) {
                Poll::Ready(status) => {
                    self.driver = None;
                    self.ended = Some(status);
                }
                Poll::Pending if self.mailbox.len() == 0 => return Poll::Pending,
                Poll::Pending => {}
            }
        }
    }
}

fn trailers(status: &Status) -> http::HeaderMap {
    let mut trailers = http::HeaderMap::new();
    // What is not fit for a header is left out; the code alone always is.
    if status.add_header(&mut trailers).is_err() {
        trailers.clear();
        trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from(i32::from(status.code())));
    }
    trailers
}
