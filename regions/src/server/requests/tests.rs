use std::collections::VecDeque;
use std::convert::Infallible;

use envoy_types::pb::envoy::service::discovery::v3::DeltaDiscoveryRequest;
use http_body::Frame;
use proptest::prelude::*;

use super::*;

/// A body that comes in these pieces.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// Reads all there is.
fn read(bytes: &[u8], cuts: &[usize]) -> Result<Vec<DeltaDiscoveryRequest>, ReadError> {
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut pieces = VecDeque::new();
    for cut in cuts {
        pieces.push_back(rest.split_to((*cut).min(rest.len())));
    }
    pieces.push_back(rest);
    let mut requests = Requests::new(Pieces(pieces));
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
fn what_cannot_be_read_is_told() {
    assert_eq!(read(&[1, 0, 0, 0, 0], &[]), Err(ReadError::Compressed(1)));
    assert_eq!(read(&[0, 255, 255, 255, 255], &[]), Err(ReadError::TooLong(0xffff_ffff)));
    assert!(matches!(read(&[0, 0, 0, 0, 1, 255], &[]), Err(ReadError::Malformed { len: 1, .. })));
    assert_eq!(read(&[0, 0, 0, 0, 9, 1], &[]), Ok(vec![]), "a client that left in the middle of a word");
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
        prop_assert_eq!(read(&framed(&requests), &cuts), Ok(requests));
    }

    #[test]
    fn arbitrary_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0..400usize) {
        let _ = read(&bytes, &[cut]); // no panic is all that is asked
    }
}
