//! Acknowledgements of PINGs, written together with what is written next. gRPC's clients send a PING for the data that they
//! receive, to estimate the bandwidth, and HTTP/2 implementations write its acknowledgement at once: a system call of its
//! own for each response. RFC 9113 §6.7 wants prompt answers and allows other frames in between.

mod boundary;
mod held;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use self::boundary::Boundary;
use self::held::Held;

/// How long an acknowledgement waits for a write that it can join. Long enough that changes which follow each other join, and
/// short compared to the timeouts of PINGs, which are counted in seconds (gRFC A8: 20 s).
const HOLD: Duration = Duration::from_millis(100);
/// A PING that is received so soon after a write estimates the bandwidth. PINGs that find out whether the connection is alive
/// come after 10 s or more without data (gRFC A8), and are answered at once.
const RECENT: Duration = Duration::from_secs(1);
/// Pieces that are passed to one vectored write, the held acknowledgements included. HTTP/2 hands over two.
const PIECES: usize = 8;

/// Passes on what is written, but holds writes that are nothing but acknowledgements of PINGs, if they follow another write
/// within [`RECENT`], for [`HOLD`] at most, and puts them in front of the next write. All other frames keep their order.
/// Flushing does not end the wait; shutting down does.
pub(super) struct PingAcks<I> {
    io: I,
    held: Held,
    boundary: Boundary,
    /// Runs while something is held.
    due: Option<Pin<Box<Sleep>>>,
    /// When something else than acknowledgements was written last.
    written_at: Option<Instant>,
}

impl<I> PingAcks<I> {
    /// `io` is at its beginning: nothing was written to it.
    pub(super) fn new(io: I) -> Self {
        Self { io, held: Held::default(), boundary: Boundary::default(), due: None, written_at: None }
    }

    /// Whether these acknowledgements are held now. If so, they count as written.
    fn hold(&mut self, cx: &mut Context<'_>, acks: &[u8]) -> bool {
        let is_recent = self.written_at.is_some_and(|at| at.elapsed() < RECENT);
        if !is_recent || !self.held.push(acks) {
            return false;
        }
        // If it is over already, the next flush sees that.
        let due = self.due.get_or_insert_with(|| Box::pin(sleep(HOLD)));
        let _ = due.as_mut().poll(cx);
        true
    }
}

impl<I: AsyncWrite + Unpin> PingAcks<I> {
    /// Writes what is held, and then as much of `pieces` as the same write takes: 0 bytes if there are none.
    fn poll_write_all(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        while !self.held.is_empty() {
            let mut all = [IoSlice::new(&[]); PIECES];
            let (first, rest) = all.split_at_mut(1);
            first.fill(IoSlice::new(self.held.bytes()));
            for (to, from) in rest.iter_mut().zip(pieces) {
                *to = *from;
            }
            let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &all))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_pieces = self.held.remove(written);
            if self.held.is_empty() {
                self.due = None;
            }
            if of_pieces > 0 {
                return Poll::Ready(Ok(of_pieces));
            }
        }
        if pieces.iter().all(|piece| piece.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        Pin::new(&mut self.io).poll_write_vectored(cx, pieces)
    }

    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        self.due.as_mut().is_some_and(|due| due.as_mut().poll(cx).is_ready())
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for PingAcks<I> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for PingAcks<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let me = &mut *self;
        let acks = match pieces {
            [only] if me.boundary.is_here() && held::are_acks(only) => Some(&**only),
            _ => None,
        };
        if let Some(acks) = acks
            && me.hold(cx, acks)
        {
            return Poll::Ready(Ok(acks.len()));
        }
        let written = ready!(me.poll_write_all(cx, pieces))?;
        me.boundary.advance(pieces, written);
        if acks.is_none() {
            me.written_at = Some(Instant::now());
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_due(cx) {
            ready!(self.poll_write_all(cx, &[]))?;
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_all(cx, &[]))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
