//! The body of a response: the stream's own state machine, polled by the connection as far as there is room to send.
//!
//! Nothing is passed from task to task. Requests of a client that does not read are not read either: they wait in its own
//! flow-control window, and what waits to be sent are references to resources that others share.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tonic::Status;

use super::codec::{CHUNK_LEN, Writer, Written};

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
        let mut queue = self.lock();
        let writer = queue.pop_front();
        if queue.is_empty() {
            // Most streams have nothing to send at most times, and need no memory for it.
            *queue = VecDeque::new();
        }
        writer
    }

    /// A queue, which a panic cannot leave half changed.
    fn lock(&self) -> MutexGuard<'_, VecDeque<Writer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a stream to its end.
pub(super) type Driver = Pin<Box<dyn Future<Output = Status> + Send>>;

pub(super) struct StreamBody {
    mailbox: Mailbox,
    writing: Option<Writer>,
    /// Follows the last piece.
    large: Option<Bytes>,
    /// `None` once it ended.
    driver: Option<Driver>,
    /// How it ended, until that was sent.
    ended: Option<Status>,
}

impl StreamBody {
    pub(super) fn new(mailbox: Mailbox, driver: Driver) -> Self {
        Self { mailbox, writing: None, large: None, driver: Some(driver), ended: None }
    }
}

impl StreamBody {
    /// The next piece of what is to be sent. Short responses share one, and with it a frame and a system call: a change
    /// that concerns several types is one.
    fn piece(&mut self) -> Option<Bytes> {
        if let Some(large) = self.large.take() {
            return Some(large);
        }
        let mut piece = BytesMut::new();
        while piece.len() < CHUNK_LEN
            && let Some(mut writer) = self.writing.take().or_else(|| self.mailbox.pop())
        {
            match writer.write(&mut piece) {
                Written::All => continue,
                Written::Full => {}
                Written::Large(large) => self.large = Some(large),
            }
            self.writing = Some(writer);
            break;
        }
        (!piece.is_empty()).then(|| piece.freeze())
    }
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        loop {
            if let Some(piece) = self.piece() {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use http_body::Body;
    use prost::Message;

    use super::*;
    use crate::resource::{Resource, ResourceType};
    use crate::session::{Response, Variant};

    /// A response with one resource of about so many bytes.
    fn response(nonce: u64, size: usize) -> Writer {
        let message = envoy_types::pb::google::protobuf::BytesValue { value: vec![7; size] };
        let response = Response {
            resource_type: ResourceType::Cluster,
            nonce,
            version: 1,
            resources: vec![Resource::encode(ResourceType::Cluster, "c", &message)],
            ttl: None,
            removed: Vec::new(),
            missing: Vec::new(),
        };
        Writer::new(Variant::Delta, response, Arc::from("eu/0"))
    }

    /// The sizes of the frames in which these are written, and the nonces that a client reads in them.
    fn written(sizes: &[usize]) -> (Vec<usize>, Vec<String>) {
        let mailbox = Mailbox::default();
        for (nonce, size) in (1..).zip(sizes) {
            mailbox.push(response(nonce, *size));
        }
        let mut body = StreamBody::new(mailbox, std::future::pending().boxed());
        let (mut frames, mut all) = (Vec::new(), Vec::new());
        while let Poll::Ready(Some(Ok(frame))) =
            Pin::new(&mut body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()))
        {
            let data = frame.into_data().expect("data");
            frames.push(data.len());
            all.extend_from_slice(&data);
        }
        let (mut rest, mut nonces) = (&*all, Vec::new());
        while let [0, a, b, c, d, after @ ..] = rest {
            let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let (message, after) = after.split_at(len);
            let read = envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryResponse::decode(message);
            nonces.push(read.expect("a response").nonce);
            rest = after;
        }
        assert!(rest.is_empty());
        (frames, nonces)
    }

    #[test]
    fn short_responses_share_a_frame_and_long_ones_are_cut() {
        let (frames, nonces) = written(&[100, 200, 300]);
        assert_eq!((frames.len(), nonces.len()), (1, 3));
        let (frames, nonces) = written(&[100, CHUNK_LEN - 400, 100, 100]);
        assert_eq!((frames.len(), nonces.len()), (2, 4), "{frames:?}");
        let (frames, nonces) = written(&[100, 3 * CHUNK_LEN, 100]);
        assert_eq!((frames.len(), nonces.len()), (3, 3), "{frames:?}: one is handed on as it is");
        assert_eq!(nonces, ["1", "2", "3"]);
    }
}
