//! A connection and its streams in one task: the poll that wakes a stream also writes what the stream sends.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::AcqRel, Ordering::Acquire};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

/// Turns before the task yields its thread. Each turn polls what was woken in the one before: a stream that responds, then the
/// connection that writes the response.
const MAX_TURNS: usize = 32;

const STREAMS: u8 = 1;
const CONNECTION: u8 = 2;
/// While this is set, waking a part need not wake the task: it checks again before it rests.
const AWAKE: u8 = 4;

type Stream = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Drives a connection, and the streams that it hands to its [`Spawner`], until the connection is done. Streams that
/// are left then are dropped.
pub(super) struct OneTask<C> {
    connection: C,
    spawner: Spawner,
    /// Few: a proxy needs one, or one for each type. Checking all of them is cheaper than keeping a list of those that were woken.
    streams: Vec<Slot>,
    wakes: Arc<Wakes>,
    waker: Waker,
}

/// Takes new streams: hyper uses it as its executor.
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
        let waker = Waker::from(Arc::clone(&wakes));
        Self { connection, spawner, streams: Vec::new(), wakes, waker }
    }

    /// The connection, to call a method of it. It is polled afterwards.
    pub(super) fn connection(&mut self) -> Pin<&mut C> {
        self.wakes.note(CONNECTION);
        Pin::new(&mut self.connection)
    }

    fn poll_connection(&mut self) -> Poll<C::Output> {
        let polled = Pin::new(&mut self.connection).poll(&mut Context::from_waker(&self.waker));
        // Each stream holds a spawner: one that stayed in there would keep itself alive forever.
        for stream in self.spawner.lock().drain(..) {
            self.streams.push(Slot::new(stream, &self.wakes));
        }
        polled
    }

    fn poll_streams(&mut self) {
        self.streams.retain_mut(|slot| !slot.woken.take() || slot.poll().is_pending());
    }
}

impl<C: Future + Unpin> Future for OneTask<C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        self.wakes.rise(cx.waker());
        for _ in 0..MAX_TURNS {
            // Streams first: what they send is written in the connection's turn.
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

/// A stream, and whether it was woken.
struct Slot {
    stream: Stream,
    woken: Arc<Woken>,
    waker: Waker,
}

impl Slot {
    /// Woken from the start, because nothing else would wake it.
    fn new(stream: Stream, wakes: &Arc<Wakes>) -> Self {
        let woken = Arc::new(Woken { flag: AtomicBool::new(false), wakes: Arc::clone(wakes) });
        woken.wake_by_ref();
        Self { stream, waker: Waker::from(Arc::clone(&woken)), woken }
    }

    fn poll(&mut self) -> Poll<()> {
        self.stream.as_mut().poll(&mut Context::from_waker(&self.waker))
    }
}

struct Woken {
    flag: AtomicBool,
    wakes: Arc<Wakes>,
}

impl Woken {
    /// Whether it was woken; from now on it counts as polled.
    fn take(&self) -> bool {
        self.flag.swap(false, AcqRel)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.flag.swap(true, AcqRel) {
            self.wakes.note(STREAMS);
        }
    }
}

/// Which parts were woken since they were polled last.
struct Wakes {
    state: AtomicU8,
    task: AtomicWaker,
}

impl Wakes {
    fn note(&self, part: u8) {
        let before = self.state.fetch_or(part, AcqRel);
        if before & (part | AWAKE) == 0 {
            self.task.wake();
        }
    }

    fn rise(&self, task: &Waker) {
        self.task.register(task);
        self.state.fetch_or(AWAKE, AcqRel);
    }

    /// Whether this part was woken; from now on it counts as polled.
    fn take(&self, part: u8) -> bool {
        self.state.fetch_and(!part, AcqRel) & part != 0
    }

    /// Rests if nothing was woken meanwhile. Returns whether it rests.
    fn rest(&self) -> bool {
        self.state.compare_exchange(AWAKE, 0, AcqRel, Acquire).is_ok()
    }

    fn yield_to_others(&self) {
        self.state.fetch_and(!AWAKE, AcqRel);
    }
}

/// Wakes the connection.
impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.note(CONNECTION);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.note(CONNECTION);
    }
}

#[cfg(test)]
mod tests;
