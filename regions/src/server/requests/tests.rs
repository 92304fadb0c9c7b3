use std::collections::VecDeque;
use std::convert::Infallible;

use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use http_body::Frame;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::server::start_limits::{LONG_HOLD, LONG_REQUESTS};

/// A body that comes in these pieces.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// Reads everything.
fn read(bytes: &[u8], cuts: &[usize]) -> Result<Vec<RawRequest>, ReadError> {
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut pieces = VecDeque::new();
    for cut in cuts {
        pieces.push_back(rest.split_to((*cut).min(rest.len())));
    }
    pieces.push_back(rest);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a clock");
    let _clock = runtime.enter();
    let mut requests =
        Requests::new(Pieces(pieces), Variant::Delta, Peer::alone(([127, 0, 0, 1], 1).into()), StartLimits::default());
    let mut all = Vec::new();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    loop {
        match requests.poll_next(&mut cx) {
            Poll::Ready(Ok(Some(request))) => all.push(request),
            Poll::Ready(Ok(None)) => return Ok(all),
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => panic!("all of it is there"),
        }
    }
}

fn request(names: usize) -> DeltaDiscoveryRequest {
    let resource_names_subscribe = (0..names).map(|i| format!("name-{i}")).collect();
    DeltaDiscoveryRequest { type_url: "t".to_owned(), resource_names_subscribe, ..<_>::default() }
}

fn framed(requests: &[DeltaDiscoveryRequest]) -> Vec<u8> {
    let framed = requests.iter().flat_map(|request| {
        let message = request.encode_to_vec();
        let len = u32::try_from(message.len()).expect("short").to_be_bytes();
        [&[0], &len[..], &message].concat()
    });
    framed.collect()
}

#[test]
fn an_unreadable_request_is_an_error() {
    assert_eq!(read(&[1, 0, 0, 0, 0], &[]), Err(ReadError::Compressed(1)));
    assert_eq!(read(&[0, 255, 255, 255, 255], &[]), Err(ReadError::TooLong(0xffff_ffff)));
    assert!(matches!(read(&[0, 0, 0, 0, 1, 255], &[]), Err(ReadError::Malformed { len: 1, .. })));
    assert_eq!(read(&[0, 0, 0, 0, 9, 1], &[]), Ok(vec![]), "a client that left in the middle of a message");
}

#[test]
fn nothing_stays_of_a_long_message() {
    let bytes = framed(&[request(10_000)]);
    let mut partial = Partial { rest: Bytes::copy_from_slice(&bytes[..50_000]), ..Partial::default() };
    assert_eq!(partial.message(), Ok(None));
    partial.rest = Bytes::copy_from_slice(&bytes[50_000..]);
    assert!(partial.message().expect("read").is_some());
    assert_eq!((partial.pieces.capacity(), partial.head.capacity(), partial.rest.len()), (0, 0, 0));
}

proptest! {
    #[test]
    fn however_it_is_cut_the_same_is_read(
        names in prop::collection::vec(0..50usize, 0..5),
        cuts in prop::collection::vec(0..300usize, 0..20),
    ) {
        let requests: Vec<_> = names.iter().map(|names| request(*names)).collect();
        let raw = |request: &DeltaDiscoveryRequest| RawRequest::read(Variant::Delta, &request.encode_to_vec()).expect("a request");
        prop_assert_eq!(read(&framed(&requests), &cuts), Ok(requests.iter().map(raw).collect()));
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0..400usize) {
        let _ = read(&bytes, &[cut]); // no panic is all that is asked
    }
}

/// A body whose pieces come one at a time, when they are sent.
struct Slow(tokio::sync::mpsc::UnboundedReceiver<Bytes>);

impl Body for Slow {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test(start_paused = true)]
async fn c40_long_requests_are_read_a_few_at_a_time() {
    use tokio::time::{Instant, timeout};
    const SOON: std::time::Duration = std::time::Duration::from_millis(1);
    let start_limits = StartLimits::default();
    let open = || {
        let (pieces, body) = tokio::sync::mpsc::unbounded_channel();
        (
            pieces,
            Requests::new(Slow(body), Variant::Delta, Peer::alone(([127, 0, 0, 1], 1).into()), start_limits.clone()),
        )
    };
    let long = framed(&[request(20_000)]);
    assert!(long.len() > LONG_REQUEST_LEN);
    let (begin, end) = long.split_at(1_000);
    let (begin, end) = (Bytes::copy_from_slice(begin), Bytes::copy_from_slice(end));

    // As many as there are slots begin, and send no more.
    let mut stuck = Vec::new();
    for _ in 0..LONG_REQUESTS {
        let (pieces, mut requests) = open();
        pieces.send(begin.clone()).expect("open");
        assert!(timeout(SOON, requests.next()).await.is_err());
        stuck.push((pieces, requests));
    }
    // Short ones do not wait, a long one does: it is not even taken in.
    let (pieces, mut short) = open();
    pieces.send(Bytes::from(framed(&[request(3)]))).expect("open");
    assert!(matches!(short.next().await, Ok(Some(_))));
    let (pieces, mut next) = open();
    pieces.send(begin.clone()).expect("open");
    pieces.send(end.clone()).expect("open");
    assert!(timeout(SOON, next.next()).await.is_err());
    // One that is done with makes room, once its stream asks for the next.
    let (done, mut first) = stuck.remove(0);
    done.send(end.clone()).expect("open");
    assert!(matches!(first.next().await, Ok(Some(_))));
    assert!(timeout(SOON, next.next()).await.is_err());
    assert!(timeout(SOON, first.next()).await.is_err());
    assert!(matches!(next.next().await, Ok(Some(_))));

    // A client that is too slow loses its slot, and is still read.
    let (pieces, mut last) = open();
    pieces.send(begin).expect("open");
    pieces.send(end.clone()).expect("open");
    drop((first, next));
    let (mut others, began) = (Vec::new(), Instant::now());
    for (_, requests) in &mut stuck {
        others.push(timeout(LONG_HOLD * 2, requests.next()));
    }
    let (read, _) = tokio::join!(last.next(), futures::future::join_all(others));
    assert!(matches!(read, Ok(Some(_))));
    assert!(began.elapsed() <= LONG_HOLD * 3);
    let (pieces, mut slow) = stuck.remove(0);
    pieces.send(end).expect("open");
    assert!(matches!(slow.next().await, Ok(Some(_))));
}
