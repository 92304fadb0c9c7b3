//! A socket that times out. HTTP/2 PINGs detect peers that are gone, but not before HTTP/2 has begun, and not when the peer
//! stopped reading, because then no PING can be written.

use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Length of the connection preface that every HTTP/2 client sends first, in bytes: RFC 9113 §3.4.
const PREFACE_LEN: usize = 24;

/// Fails with [`ErrorKind::TimedOut`] if the preface is not received in time, or if nothing can be written for too long.
pub(super) struct Guard<I> {
    io: I,
    preface: Preface,
    /// How long a write may wait.
    silence: Duration,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

enum Preface {
    Awaited { missing: usize, deadline: Pin<Box<Sleep>> },
    Read,
}

impl<I> Guard<I> {
    pub(super) fn new(io: I, preface_timeout: Duration, silence: Duration) -> Self {
        let preface = Preface::Awaited { missing: PREFACE_LEN, deadline: Box::pin(sleep(preface_timeout)) };
        Self { io, preface, silence, stalled: None }
    }

    /// Returns the result of a write, or an error if none has succeeded for too long.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let silence = self.silence;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(silence)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Guard<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = &mut *self;
        let before = buffer.filled().len();
        let read = Pin::new(&mut me.io).poll_read(cx, buffer);
        if let Preface::Awaited { missing, deadline } = &mut me.preface {
            *missing = missing.saturating_sub(buffer.filled().len() - before);
            if *missing == 0 {
                me.preface = Preface::Read;
            } else if deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the peer does not use HTTP/2")));
            }
        }
        read
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Guard<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bytes);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.io).poll_flush(cx);
        self.watch(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = Pin::new(&mut self.io).poll_shutdown(cx);
        self.watch(cx, closed)
    }
}
