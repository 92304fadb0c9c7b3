//! Requests of a stream: gRPC's framing, and nothing that outlives a message. A proxy that connects again names everything it
//! knows in a few hundred kilobytes, once; a buffer that stayed that large would be most of what a stream costs.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;
use tonic::Status;

use super::budget::{Charge, OverShare};
use super::codec::GRPC_HEAD_LEN;
use super::slots::{Entering, Slot};
use super::start_limits::StartLimits;
use super::transport::Peer;
use crate::session::{RawRequest, Variant};
use crate::wire::Malformed;

/// Largest request, in bytes. Envoy names everything it knows when it reconnects: tens of bytes for each resource.
pub const MAX_REQUEST_LEN: usize = 64 << 20;
/// Requests beyond this many bytes are read a few at a time; meanwhile the others wait in their clients. Everything that
/// is sent in normal operation is shorter.
pub const LONG_REQUEST_LEN: usize = 128 << 10;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What a client sends, one after another.
pub(super) struct Requests {
    body: Pin<Box<dyn Body<Data = Bytes, Error = Error> + Send>>,
    variant: Variant,
    partial: Partial,
    charge: Charge,
    peer: Peer,
    start_limits: StartLimits,
    turn: Turn,
}

/// Whether a long request may be read now, beside those of other streams.
enum Turn {
    /// It is not long.
    Free,
    Awaited(Entering),
    /// It is read now. A client that takes too long to send it loses its slot, but is still read.
    Taken(#[expect(dead_code, reason = "held until the request is whole")] Slot),
}

/// A message of which some bytes are there.
#[derive(Default)]
struct Partial {
    head: BytesMut,
    /// The length that the head announced, once it is whole.
    expected: Option<usize>,
    pieces: BytesMut,
    /// Bytes that came behind the last whole message.
    rest: Bytes,
}

/// Why no further request can be read, if the client should know it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum ReadError {
    #[error("a request is compressed (flag {0}); expected 0, since no encoding was offered")]
    Compressed(u8),
    #[error("a request has {0} bytes; expected at most {MAX_REQUEST_LEN}")]
    TooLong(usize),
    #[error("a request of {len} bytes is not a discovery request: {error}")]
    Malformed { len: usize, error: Malformed },
    #[error(transparent)]
    OverShare(#[from] OverShare),
}

impl From<ReadError> for Status {
    fn from(error: ReadError) -> Self {
        let text = error.to_string();
        match error {
            ReadError::Compressed(_) => Self::unimplemented(text),
            ReadError::TooLong(_) => Self::out_of_range(text),
            ReadError::Malformed { .. } => Self::invalid_argument(text),
            ReadError::OverShare(_) => Self::resource_exhausted(text),
        }
    }
}

impl Requests {
    pub(super) fn new<B>(body: B, variant: Variant, peer: Peer, start_limits: StartLimits) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Error>,
    {
        let (body, charge) = (Box::pin(Boxed(Box::pin(body))), start_limits.charge(&peer));
        Self { body, variant, partial: Partial::default(), charge, peer, start_limits, turn: Turn::Free }
    }

    /// Waits until something of the first request is there. `false`: the client is gone. What arrived is in HTTP/2's own
    /// buffers already, and no more than its flow-control window.
    pub(super) async fn begun(&mut self) -> bool {
        while self.partial.rest.is_empty() {
            match poll_fn(|cx| self.body.as_mut().poll_frame(cx)).await {
                Some(Ok(frame)) => self.partial.rest = frame.into_data().unwrap_or_default(),
                Some(Err(_)) | None => return false,
            }
        }
        true
    }

    /// The next request; `None` when the client has closed the stream, or is gone.
    pub(super) async fn next(&mut self) -> Result<Option<RawRequest>, ReadError> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<RawRequest>, ReadError>> {
        loop {
            let pieces = self.partial.pieces.len();
            if let Some(message) = self.partial.message()? {
                self.charge.clear();
                let len = message.len();
                let read = RawRequest::read(self.variant, &message);
                return Poll::Ready(read.map(Some).map_err(|error| ReadError::Malformed { len, error }));
            }
            self.charge.add(self.partial.pieces.len().saturating_sub(pieces))?;
            // What was read last has been used.
            if self.partial.expected.is_none_or(|len| len <= LONG_REQUEST_LEN) {
                self.turn = Turn::Free;
            } else {
                ready!(self.poll_turn(cx));
            }
            match ready!(self.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => self.partial.rest = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => {
                    tracing::debug!(error = &*error, "the client is gone");
                    return Poll::Ready(Ok(None));
                }
                None => return Poll::Ready(Ok(None)),
            }
        }
    }
}

impl Requests {
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut self.turn {
                Turn::Free => self.turn = Turn::Awaited(self.start_limits.enter_long(&self.peer)),
                Turn::Awaited(slot) => self.turn = Turn::Taken(ready!(slot.as_mut().poll(cx))),
                Turn::Taken(_) => return Poll::Ready(()),
            }
        }
    }
}

impl Partial {
    /// Takes from what came behind the last message, until a message is complete or nothing is left.
    fn message(&mut self) -> Result<Option<Bytes>, ReadError> {
        let expected = match self.expected {
            Some(expected) => expected,
            None => {
                let missing = GRPC_HEAD_LEN.saturating_sub(self.head.len()).min(self.rest.len());
                self.head.extend_from_slice(&self.rest.split_to(missing));
                if self.head.len() < GRPC_HEAD_LEN {
                    return Ok(None);
                }
                let (flag, len) = (self.head.get_u8(), self.head.get_u32() as usize);
                self.head = BytesMut::new();
                if flag != 0 {
                    return Err(ReadError::Compressed(flag));
                }
                if len > MAX_REQUEST_LEN {
                    return Err(ReadError::TooLong(len));
                }
                self.expected = Some(len);
                len
            }
        };
        if self.pieces.is_empty() && self.rest.len() >= expected {
            // The usual case: all in one frame, and nothing is copied.
            self.expected = None;
            return Ok(Some(self.rest.split_to(expected)));
        }
        let missing = expected.saturating_sub(self.pieces.len()).min(self.rest.len());
        self.pieces.extend_from_slice(&self.rest.split_to(missing));
        if self.pieces.len() < expected {
            return Ok(None);
        }
        self.expected = None;
        Ok(Some(std::mem::take(&mut self.pieces).freeze()))
    }
}

/// A body with its error boxed.
struct Boxed<B>(Pin<Box<B>>);

impl<B> Body for Boxed<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        self.0.as_mut().poll_frame(cx).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }
}

#[cfg(test)]
mod tests;
