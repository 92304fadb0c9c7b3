use super::*;

#[test]
fn updates_are_due_at_a_quarter() {
    let mut connection = ConnectionWindow::default();
    assert_eq!([16_000, 382, 1, 5].map(|bytes| connection.received(bytes)), [0, 0, 16_383, 0]);
    assert_eq!((connection.reset(), connection.reset()), (5, 0));
    assert_eq!(connection.set_limit(100_000), 100_000 - 65_535);
    assert_eq!([16_384, 8_616].map(|bytes| connection.received(bytes)), [0, 25_000]);
    let mut stream = StreamWindow::default();
    assert_eq!([16_382, 1, 1].map(|bytes| stream.received(bytes)), [0, 16_383, 0]);
}

#[test]
fn a_large_message_gets_a_window_of_its_own_once() {
    let mut stream = StreamWindow::default();
    assert_eq!(stream.received(16_384), 16_384);
    assert_eq!((stream.expects(Some(200_000)), stream.expects(Some(200_000))), (200_000, 0));
    let updates: Vec<u32> = (0..12).map(|_| stream.received(16_384)).filter(|update| *update > 0).collect();
    assert_eq!(updates, [] as [u32; 0], "the message's own window is used first");
    assert_eq!(stream.expects(None), 0);
    assert_eq!(stream.expects(Some(1_000)), 0, "it fits");
}

#[test]
fn requests_wait_for_both_windows() {
    let mut send = SendWindows::default();
    send.set_initial(100);
    assert_eq!([60, 60, 60].map(|bytes| send.take(bytes)), [60, 40, 0]);
    send.add(STREAM, 70_000);
    assert_eq!([60_000, 10_000].map(|bytes| send.take(bytes)), [60_000, 5_435]);
    send.add(0, 10);
    send.add(3, 10);
    assert_eq!(send.take(100), 10);
    send.set_initial(0);
    send.set_initial(100);
    send.add(0, 10);
    assert_eq!(send.take(100), 10);
}
