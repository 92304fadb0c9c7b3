use std::time::Duration;

use super::*;

#[test]
fn one_ping_at_a_time() {
    let (mut bandwidth, now) = (Bandwidth::default(), Instant::now());
    assert_eq!([100, 100, 100].map(|bytes| bandwidth.received(bytes, now)), [true, false, false]);
    assert_eq!(bandwidth.acknowledged(now + Duration::from_millis(1)), None, "300 bytes are few");
    assert!(bandwidth.received(1, now), "the next data, the next PING");
}

#[test]
fn the_estimate_grows_while_more_is_received_than_ever_before() {
    let (mut bandwidth, mut now) = (Bandwidth::default(), Instant::now());
    let mut sample = |bytes| {
        assert!(bandwidth.received(bytes, now));
        now += Duration::from_millis(1);
        bandwidth.acknowledged(now)
    };
    assert_eq!(sample(50_000), Some(100_000));
    assert_eq!(sample(49_000), None, "less than the most seen so far");
    assert_eq!(sample(60_000), None, "less than two thirds of the estimate");
    assert_eq!(sample(10_000_000), Some(16 << 20));
    assert!(!bandwidth.received(100, now), "nothing is left to be estimated");
}
