//! A connection and its streams in one task: what wakes a stream also flushes what it says, in one poll of one task.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering::AcqRel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use futures::task::AtomicWaker;

/// Turns before others get the thread. Each turn polls what was woken in the one before: a stream that answers, the
/// connection that sends it.
const MAX_TURNS: usize = 32;

const STREAMS: u8 = 1;
const CONNECTION: u8 = 2;
/// Whoever wakes something now need not wake the task: it looks again before it rests.
const AWAKE: u8 = 4;

type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Drives a connection, and the streams that it hands to its [`Spawner`], until the connection is done. Streams that
/// are left then are dropped.
pub(super) struct OneTask<C> {
    connection: C,
    spawner: Spawner,
    streams: FuturesUnordered<Stream>,
    wakes: Arc<Wakes>,
    connection_waker: Waker,
    streams_waker: Waker,
}

/// Takes in streams: given to hyper as its executor.
#[derive(Clone, Default)]
pub(super) struct Spawner {
    /// Filled and emptied by the one task: never contended.
    spawned: Arc<Mutex<Vec<Stream>>>,
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Spawner {
    fn execute(&self, stream: F) {
        self.lock().push(Box::pin(stream));
    }
}

impl Spawner {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Stream>> {
        self.spawned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Future + Unpin> OneTask<C> {
    pub(super) fn new(connection: C, spawner: Spawner) -> Self {
        let wakes = Arc::new(Wakes { state: AtomicU8::new(CONNECTION | STREAMS), task: AtomicWaker::new() });
        let waker = |part| Waker::from(Arc::new(Part { part, wakes: Arc::clone(&wakes) }));
        Self {
            connection,
            spawner,
            streams: FuturesUnordered::new(),
            connection_waker: waker(CONNECTION),
            streams_waker: waker(STREAMS),
            wakes,
        }
    }

    /// The connection, to be told something. It is polled afterwards.
    pub(super) fn connection(&mut self) -> Pin<&mut C> {
        self.wakes.wake(CONNECTION);
        Pin::new(&mut self.connection)
    }

    fn poll_connection(&mut self) -> Poll<C::Output> {
        let polled = Pin::new(&mut self.connection).poll(&mut Context::from_waker(&self.connection_waker));
        // Each stream holds a spawner: one that stayed in there would keep itself alive for ever.
        let spawned = std::mem::take(&mut *self.spawner.lock());
        if !spawned.is_empty() {
            self.streams.extend(spawned);
            self.wakes.wake(STREAMS);
        }
        polled
    }

    fn poll_streams(&mut self) {
        let mut cx = Context::from_waker(&self.streams_waker);
        while let Poll::Ready(Some(())) = self.streams.poll_next_unpin(&mut cx) {}
    }
}

impl<C: Future + Unpin> Future for OneTask<C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        self.wakes.rise(cx.waker());
        for _ in 0..MAX_TURNS {
            // Streams first: what they say leaves with the connection's turn.
            if self.wakes.take(STREAMS) {
                self.poll_streams();
            }
            if self.wakes.take(CONNECTION)
                && let Poll::Ready(output) = self.poll_connection()
            {
                return Poll::Ready(output);
            }
            if self.wakes.rest() {
                return Poll::Pending;
            }
        }
        self.wakes.yield_to_others();
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// What was woken since it was polled last.
struct Wakes {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wakes {
    fn wake(&self, part: u8) {
        let before = self.state.fetch_or(part, AcqRel);
        if before & (part | AWAKE) == 0 {
            self.task.wake();
        }
    }

    fn rise(&self, task: &Waker) {
        self.task.register(task);
        self.state.fetch_or(AWAKE, AcqRel);
    }

    /// Whether this part was woken; it counts as polled from now on.
    fn take(&self, part: u8) -> bool {
        self.state.fetch_and(!part, AcqRel) & part != 0
    }

    /// Rests if nothing was woken meanwhile; says whether it does.
    fn rest(&self) -> bool {
        self.state.compare_exchange(AWAKE, 0, AcqRel, std::sync::atomic::Ordering::Acquire).is_ok()
    }

    fn yield_to_others(&self) {
        self.state.fetch_and(!AWAKE, AcqRel);
    }
}

struct Part {
    part: u8,
    wakes: Arc<Wakes>,
}

impl Wake for Part {
    fn wake(self: Arc<Self>) {
        self.wakes.wake(self.part);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.wake(self.part);
    }
}

#[cfg(test)]
mod tests;
