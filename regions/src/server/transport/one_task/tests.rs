use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::FutureExt;
use hyper::rt::Executor;
use tokio::sync::mpsc;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection that takes in streams, and sends what they say.
#[derive(Default)]
struct Wire {
    incoming: VecDeque<Stream>,
    spawner: Spawner,
    outbox: Arc<Mutex<Outbox>>,
    sent: Arc<Mutex<Vec<u32>>>,
    ends_after: usize,
}

/// What streams hand to the connection.
#[derive(Default)]
struct Outbox {
    waiting: Vec<u32>,
    connection: Option<Waker>,
}

fn send(outbox: &Mutex<Outbox>, word: u32) {
    let mut outbox = outbox.lock().unwrap();
    outbox.waiting.push(word);
    if let Some(connection) = outbox.connection.take() {
        connection.wake();
    }
}

impl Future for Wire {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        while let Some(stream) = self.incoming.pop_front() {
            self.spawner.execute(stream);
        }
        let mut outbox = self.outbox.lock().unwrap();
        outbox.connection = Some(cx.waker().clone());
        let mut sent = self.sent.lock().unwrap();
        sent.append(&mut outbox.waiting);
        if sent.len() >= self.ends_after { Poll::Ready("done") } else { Poll::Pending }
    }
}

/// Counts how often the task was woken.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Task {
    fn woken(&self) -> usize {
        self.0.swap(0, SeqCst)
    }
}

fn wire(ends_after: usize) -> Wire {
    Wire { ends_after, ..Wire::default() }
}

fn one_task(wire: Wire) -> OneTask<Wire> {
    let spawner = wire.spawner.clone();
    OneTask::new(wire, spawner)
}

/// Says whatever it hears.
fn echo(outbox: &Arc<Mutex<Outbox>>) -> (mpsc::UnboundedSender<u32>, Stream) {
    let (words, mut received) = mpsc::unbounded_channel();
    let outbox = Arc::clone(outbox);
    let stream = async move {
        while let Some(word) = received.recv().await {
            send(&outbox, word);
        }
    };
    (words, stream.boxed())
}

#[test]
fn what_a_stream_says_is_sent_in_the_poll_that_woke_it() {
    let mut wire = wire(usize::MAX);
    let (words, stream) = echo(&wire.outbox);
    wire.incoming.push_back(stream);
    let sent = Arc::clone(&wire.sent);
    let mut one = one_task(wire);
    let task = Arc::new(Task::default());
    let waker = Waker::from(Arc::clone(&task));
    let mut cx = Context::from_waker(&waker);

    assert!(one.poll_unpin(&mut cx).is_pending());
    assert_eq!(task.woken(), 0, "taking in a stream is no reason to be polled again");
    for word in 1..=3 {
        words.send(word).unwrap();
        assert_eq!(task.woken(), 1);
        assert!(one.poll_unpin(&mut cx).is_pending());
        assert_eq!(*sent.lock().unwrap(), (1..=word).collect::<Vec<_>>(), "one poll is enough");
        assert_eq!(task.woken(), 0, "and leaves nothing to be done");
    }
    words.send(4).unwrap();
    words.send(5).unwrap();
    assert_eq!(task.woken(), 1, "woken once, however much there is to do");
}

#[test]
fn a_connection_with_something_to_do_is_polled() {
    let wire = wire(0);
    let mut one = one_task(Wire { ends_after: 1, ..wire });
    let task = Arc::new(Task::default());
    let waker = Waker::from(Arc::clone(&task));
    let mut cx = Context::from_waker(&waker);
    assert!(one.poll_unpin(&mut cx).is_pending());
    one.connection().ends_after = 0;
    assert_eq!(task.woken(), 1);
    assert_eq!(one.poll_unpin(&mut cx), Poll::Ready("done"));
}

#[test]
fn a_stream_that_is_never_done_leaves_the_thread_to_others() {
    let mut wire = wire(usize::MAX);
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    let restless = std::future::poll_fn(move |cx| {
        counted.fetch_add(1, SeqCst);
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    });
    wire.incoming.push_back(restless.boxed());
    let mut one = one_task(wire);
    let task = Arc::new(Task::default());
    let waker = Waker::from(Arc::clone(&task));
    assert!(one.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    assert!(task.woken() >= 1, "it goes on later");
    assert!((1..=4 * MAX_TURNS).contains(&polls.load(SeqCst)), "{polls:?} polls");
}

#[test]
fn streams_end_with_their_connection() {
    let mut wire = wire(1);
    let (words, stream) = echo(&wire.outbox);
    let (more, late) = echo(&wire.outbox);
    wire.incoming.push_back(stream);
    words.send(1).unwrap();
    let spawner = wire.spawner.clone();
    let mut one = one_task(wire);
    let waker = Waker::from(Arc::new(Task::default()));
    assert_eq!(one.poll_unpin(&mut Context::from_waker(&waker)), Poll::Ready("done"));
    spawner.execute(late);
    assert!(!words.is_closed());
    drop(one);
    assert!(words.is_closed(), "no stream outlives it");
    drop(spawner);
    assert!(more.is_closed());
}

/// Wakes from everywhere, at any moment: none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_wake_is_lost() {
    const STREAMS: u32 = 8;
    const WORDS: u32 = 5_000;
    let mut wire = wire((STREAMS * WORDS) as usize);
    let sent = Arc::clone(&wire.sent);
    let mut speakers = Vec::new();
    for stream in 0..STREAMS {
        let (words, echo) = echo(&wire.outbox);
        wire.incoming.push_back(echo);
        speakers.push(std::thread::spawn(move || {
            for word in 0..WORDS {
                words.send(stream * WORDS + word).unwrap();
                if word % 7 == 0 {
                    std::thread::yield_now();
                }
            }
            words // kept open: the end of a stream wakes as well
        }));
    }
    let running = tokio::spawn(one_task(wire));
    let ended = tokio::time::timeout(PATIENCE, running).await;
    assert_eq!(ended.expect("no wake is lost").unwrap(), "done");
    for speaker in speakers {
        drop(speaker.join());
    }
    let mut all = sent.lock().unwrap().clone();
    all.sort_unstable();
    assert_eq!(all, (0..STREAMS * WORDS).collect::<Vec<_>>());
}

#[test]
fn only_the_stream_that_was_woken_is_polled() {
    let mut wire = wire(usize::MAX);
    let polls: [Arc<AtomicUsize>; 3] = Default::default();
    let mut speakers = Vec::new();
    for counter in &polls {
        let (words, mut echo) = echo(&wire.outbox);
        let counter = Arc::clone(counter);
        let counted = std::future::poll_fn(move |cx| {
            counter.fetch_add(1, SeqCst);
            echo.poll_unpin(cx)
        });
        wire.incoming.push_back(counted.boxed());
        speakers.push(words);
    }
    let mut one = one_task(wire);
    let waker = Waker::from(Arc::new(Task::default()));
    let mut cx = Context::from_waker(&waker);
    let mut poll = || {
        assert!(one.poll_unpin(&mut cx).is_pending());
        polls.each_ref().map(|counter| counter.swap(0, SeqCst))
    };
    assert_eq!(poll(), [1, 1, 1], "each has its first turn");
    speakers[1].send(1).unwrap();
    assert_eq!(poll(), [0, 1, 0]);
    drop(speakers.remove(0));
    assert_eq!(poll(), [1, 0, 0], "one has ended");
    speakers[0].send(2).unwrap();
    speakers[1].send(3).unwrap();
    assert_eq!(poll(), [0, 1, 1], "and the others have not");
    assert_eq!(poll(), [0, 0, 0]);
}
