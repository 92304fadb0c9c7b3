use super::*;

fn all(mut buffer: BytesMut) -> Vec<Frame> {
    let mut found = Vec::new();
    while let Some(frame) = cut(&mut buffer).expect("frames") {
        found.push(frame);
    }
    assert!(buffer.is_empty(), "{} bytes are left", buffer.len());
    found
}

#[test]
fn what_is_written_is_read() {
    let mut out = BytesMut::new();
    put_data(b"abc", &mut out);
    put_settings(70_000, &mut out);
    put_settings_ack(&mut out);
    put_ping(false, [7; 8], &mut out);
    put_ping(true, [8; 8], &mut out);
    put_window_update(STREAM, 5, &mut out);
    put_window_update(STREAM, 0, &mut out);
    put_headers("127.0.0.1:80", "/a/b", &mut out);
    let expected = [
        Frame::Data { payload: Bytes::from_static(b"abc"), ends: false },
        Frame::Settings { initial_window: Some(70_000) },
        Frame::Other,
        Frame::Ping { payload: [7; 8] },
        Frame::PingAck { payload: [8; 8] },
        Frame::WindowUpdate { stream: 1, increment: 5 },
        Frame::Headers { ends: false },
    ];
    assert_eq!(all(out), expected);
}

#[test]
fn a_frame_is_cut_when_it_is_whole() {
    let mut whole = BytesMut::new();
    put_ping(false, [7; 8], &mut whole);
    for length in 0..whole.len() {
        assert_eq!(cut(&mut BytesMut::from(&whole[..length])).expect("no error"), None);
    }
    let too_long = [&[0xff, 0xff, 0xff][..], &[0; 6]].concat();
    assert!(cut(&mut BytesMut::from(&*too_long)).is_err());
    let wrong = [&[0, 0, 1, PING, 0][..], &[0; 5]].concat();
    assert!(cut(&mut BytesMut::from(&*wrong)).is_err());
}
