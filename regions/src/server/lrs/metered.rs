//! A body of gRPC messages that counts how much of an incomplete message it holds.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};
use tonic::Status;

use crate::server::budget::Charge;
use crate::server::codec::GRPC_HEAD_LEN;

pub(super) struct Metered<B> {
    body: Pin<Box<B>>,
    charge: Charge,
    head: Vec<u8>,
    /// Bytes of the present message that are missing.
    missing: usize,
}

impl<B> Metered<B> {
    pub(super) fn new(body: B, charge: Charge) -> Self {
        Self { body: Box::pin(body), charge, head: Vec::new(), missing: 0 }
    }

    /// Follows gRPC's framing; what it holds is charged until its message is whole.
    fn follow(&mut self, mut data: Bytes) -> Result<(), Status> {
        while !data.is_empty() {
            if self.missing > 0 {
                let taken = self.missing.min(data.len());
                data.advance(taken);
                self.missing -= taken;
                let charged = self.charge.add(taken);
                charged.map_err(|error| Status::resource_exhausted(error.to_string()))?;
            } else {
                let taken = GRPC_HEAD_LEN.saturating_sub(self.head.len()).min(data.len());
                self.head.extend_from_slice(&data.split_to(taken));
                let [_, a, b, c, d] = *self.head else { continue };
                self.missing = u32::from_be_bytes([a, b, c, d]) as usize;
                self.head.clear();
            }
            if self.missing == 0 {
                self.charge.clear();
            }
        }
        Ok(())
    }
}

impl<B> Body for Metered<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(frame) = ready!(self.body.as_mut().poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.map_err(Into::into)?;
        if let Some(data) = frame.data_ref() {
            let data = data.clone();
            self.follow(data)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }
}
