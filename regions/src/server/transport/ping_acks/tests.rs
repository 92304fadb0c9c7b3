//! Against a wire that takes what it likes, and below the real HTTP/2.

mod http2;

use std::collections::VecDeque;
use std::future::poll_fn;

use proptest::prelude::*;
use tokio::time::Instant;

use super::*;

const PING: u8 = 6;
const DATA: u8 = 0;
const FRAME: usize = 17;

/// Notes what is written to it, and when.
#[derive(Default)]
struct Wire {
    /// How many bytes each write takes; `None`: it has to be repeated. Then all of them.
    takes: VecDeque<Option<usize>>,
    written: Vec<u8>,
    /// When each of those bytes was written.
    moments: Vec<Instant>,
    writes: usize,
    fails: bool,
    is_closed: bool,
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.fails {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let Some(room) = self.takes.pop_front().unwrap_or(Some(usize::MAX)) else {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        };
        let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).take(room).collect();
        let now = Instant::now();
        self.moments.extend(bytes.iter().map(|_| now));
        self.written.extend(&bytes);
        self.writes += 1;
        Poll::Ready(Ok(bytes.len()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_closed = true;
        Poll::Ready(Ok(()))
    }
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 0], payload].concat()
}

fn ack(number: u8) -> Vec<u8> {
    frame(PING, 1, &[number; 8])
}

/// Writes as HTTP/2 does: repeats what was not taken, then flushes.
async fn write(io: &mut PingAcks<Wire>, bytes: &[u8], split: usize) -> io::Result<()> {
    let mut bytes = bytes;
    while !bytes.is_empty() {
        let (first, second) = bytes.split_at(split.min(bytes.len()));
        let both = [IoSlice::new(first), IoSlice::new(second)];
        let pieces = if first.is_empty() {
            &both[1..]
        } else if second.is_empty() {
            &both[..1]
        } else {
            &both
        };
        let written = poll_fn(|cx| Pin::new(&mut *io).poll_write_vectored(cx, pieces)).await?;
        assert!(written > 0);
        bytes = &bytes[written..];
    }
    flush(io).await
}

async fn flush(io: &mut PingAcks<Wire>) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut *io).poll_flush(cx)).await
}

/// A connection that has nothing to write for so long: it flushes whenever it is woken.
async fn rest(io: &mut PingAcks<Wire>, length: Duration) {
    let idle = poll_fn(|cx| {
        while Pin::new(&mut *io).poll_flush(cx).is_pending() {}
        Poll::<()>::Pending
    });
    tokio::select! {
        biased;
        () = idle => {}
        () = sleep(length) => {}
    }
}

/// Something was written just now, to another wire.
async fn used(wire: Wire) -> PingAcks<Wire> {
    let mut io = PingAcks::new(Wire::default());
    write(&mut io, &frame(DATA, 0, b"abc"), 9).await.unwrap();
    io.io = wire;
    io
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_is_written_with_the_next_frame_and_in_front_of_it() {
    let mut io = used(Wire::default()).await;
    write(&mut io, &ack(1), usize::MAX).await.unwrap();
    write(&mut io, &[ack(2), ack(3)].concat(), usize::MAX).await.unwrap();
    assert_eq!(io.io.writes, 0);
    let data = frame(DATA, 0, b"abc");
    write(&mut io, &data, 9).await.unwrap();
    assert_eq!((io.io.writes, &io.io.written), (1, &[ack(1), ack(2), ack(3), data.clone()].concat()));
    rest(&mut io, Duration::from_secs(1)).await;
    write(&mut io, &data, 9).await.unwrap();
    assert_eq!((io.io.writes, io.io.written.len()), (2, 3 * FRAME + 2 * data.len()), "written once");
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_no_write_follows_is_late_by_the_hold() {
    let mut io = used(Wire::default()).await;
    for number in 0..3u8 {
        let began = Instant::now();
        write(&mut io, &ack(number), usize::MAX).await.unwrap();
        assert_eq!(io.io.writes, usize::from(number));
        rest(&mut io, 2 * HOLD).await;
        assert_eq!(io.io.written.len(), FRAME * (usize::from(number) + 1));
        assert_late(io.io.moments.last().unwrap().duration_since(began));
    }
    assert_eq!(io.io.writes, 3);
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_on_a_quiet_connection_is_written_at_once() {
    let mut io = PingAcks::new(Wire::default());
    write(&mut io, &ack(1), usize::MAX).await.unwrap();
    assert_eq!(io.io.writes, 1, "nothing was written before");
    let mut io = used(Wire::default()).await;
    rest(&mut io, RECENT).await;
    for number in 1..=3 {
        write(&mut io, &ack(number), usize::MAX).await.unwrap();
        assert_eq!(io.io.writes, usize::from(number), "acknowledgements are no writes that others may follow");
    }
}

/// Timers have a resolution of a millisecond.
fn assert_late(by: Duration) {
    assert!(by <= HOLD + Duration::from_millis(1), "late by {by:?}");
}

#[tokio::test(start_paused = true)]
async fn only_so_many_are_held_and_only_acknowledgements() {
    let mut io = used(Wire::default()).await;
    for number in 1..=4 {
        write(&mut io, &ack(number), usize::MAX).await.unwrap();
    }
    assert_eq!(io.io.writes, 0);
    write(&mut io, &ack(5), usize::MAX).await.unwrap();
    assert_eq!((io.io.writes, io.io.written.len()), (1, 5 * FRAME));
    let mixed = [ack(1), frame(DATA, 0, &[]), ack(2)].concat();
    for other in [frame(PING, 0, &[7; 8]), frame(PING, 1, &[7; 9]), frame(DATA, 1, &[7; 8]), mixed] {
        let before = io.io.writes;
        write(&mut io, &other, usize::MAX).await.unwrap();
        assert_eq!(io.io.writes, before + 1, "{other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_looks_like_an_acknowledgement_is_not_held() {
    // The wire takes the frame's header, and what is left is the same bytes as an acknowledgement.
    let mut io = used(Wire { takes: VecDeque::from([Some(9)]), ..Wire::default() }).await;
    write(&mut io, &frame(DATA, 0, &ack(1)), usize::MAX).await.unwrap();
    assert_eq!((io.io.writes, io.io.written.len()), (2, 9 + FRAME));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_writes_what_is_held() {
    let mut io = used(Wire { takes: VecDeque::from([Some(5), None]), ..Wire::default() }).await;
    write(&mut io, &ack(1), usize::MAX).await.unwrap();
    poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await.unwrap();
    assert_eq!((io.io.written, io.io.is_closed), (ack(1), true));
}

#[tokio::test(start_paused = true)]
async fn an_error_is_passed_on_when_what_is_held_is_written() {
    let mut io = used(Wire { fails: true, ..Wire::default() }).await;
    write(&mut io, &ack(1), usize::MAX).await.unwrap();
    sleep(2 * HOLD).await;
    assert_eq!(flush(&mut io).await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    let closed = poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await;
    assert_eq!(closed.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    // A wire that takes nothing at all fails as well, rather than being tried forever.
    let mut io = used(Wire { takes: VecDeque::from([Some(0)]), ..Wire::default() }).await;
    write(&mut io, &ack(1), usize::MAX).await.unwrap();
    let closed = poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await;
    assert_eq!(closed.unwrap_err().kind(), io::ErrorKind::WriteZero);
}

#[derive(Clone, Debug)]
enum Step {
    /// Frames that are written together, in pieces split there.
    Write(Vec<Written>, usize),
    /// Milliseconds.
    Rest(u64),
}

#[derive(Clone, Debug)]
enum Written {
    Ack,
    Other(u8, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Payloads of 8 and of 17 bytes are those that could be taken for something else.
    let other = (0..10u8, prop_oneof![Just(0), Just(8), Just(FRAME), 1..600usize]);
    let frame =
        prop_oneof![3 => Just(Written::Ack), 1 => other.prop_map(|(kind, length)| Written::Other(kind, length))];
    let write = (prop::collection::vec(frame, 1..4), prop_oneof![Just(usize::MAX), 0..40usize]);
    let step = prop_oneof![
        4 => write.prop_map(|(frames, split)| Step::Write(frames, split)),
        1 => prop_oneof![0..250u64, 0..2_000u64].prop_map(Step::Rest),
    ];
    prop::collection::vec(step, 1..40)
}

/// The frames in what was written: their bytes, and where they end.
fn frames(bytes: &[u8]) -> Vec<(&[u8], usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let length = u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]]) as usize + 9;
        found.push((&bytes[at..at + length], at + length));
        at += length;
    }
    found
}

fn is_ack(frame: &[u8]) -> bool {
    frame.len() == FRAME && frame[3..5] == [PING, 1]
}

/// Plays the steps; returns what was given to be written, and when each acknowledgement was.
async fn play(io: &mut PingAcks<Wire>, steps: &[Step]) -> (Vec<u8>, Vec<Instant>) {
    let (mut given, mut moments, mut number) = (Vec::new(), Vec::new(), 0u8);
    for step in steps {
        match step {
            Step::Write(written, split) => {
                let mut bytes = Vec::new();
                for what in written {
                    number = number.wrapping_add(1);
                    match what {
                        Written::Ack => bytes.extend(ack(number)),
                        // Payloads that look like frames, and never acknowledgements.
                        Written::Other(kind, length) => {
                            let payload: Vec<u8> = ack(number).into_iter().cycle().take(*length).collect();
                            bytes.extend(frame(*kind, 0, &payload));
                        }
                    }
                    moments.extend(matches!(what, Written::Ack).then(Instant::now));
                }
                write(io, &bytes, *split).await.unwrap();
                given.extend(bytes);
            }
            Step::Rest(millis) => rest(io, Duration::from_millis(*millis)).await,
        }
    }
    (given, moments)
}

proptest! {
    #[test]
    fn the_same_frames_are_written_in_the_same_order_but_for_acknowledgements_that_are_late(
        steps in steps(),
        takes in prop::collection::vec(prop::option::weighted(0.8, 1..60usize), 0..200),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut io = PingAcks::new(Wire { takes: takes.into(), ..Wire::default() });
            let (given, moments) = play(&mut io, &steps).await;
            poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await.unwrap();
            let wire = io.io;
            let of = |bytes: &[u8], acks: bool| -> Vec<Vec<u8>> {
                let found = frames(bytes).into_iter().map(|(frame, _)| frame.to_vec());
                found.filter(|frame| is_ack(frame) == acks).collect()
            };
            assert_eq!(of(&wire.written, false), of(&given, false));
            assert_eq!(of(&wire.written, true), of(&given, true));
            let written = frames(&wire.written).into_iter().filter(|(frame, _)| is_ack(frame));
            for ((_, end), given) in written.zip(moments) {
                assert_late(wire.moments[end - 1].duration_since(given));
            }
        });
    }
}
