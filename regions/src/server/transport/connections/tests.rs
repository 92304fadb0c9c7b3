use std::sync::{Arc, Mutex};

use super::*;

const LIMIT: Duration = Duration::from_secs(5);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn few_connections_end_at_once_and_many_within_the_limit() {
    assert_eq!(pace(0, LIMIT), PACE);
    assert_eq!(pace(1_000, LIMIT), PACE);
    assert_eq!(pace(10_000, LIMIT) * 10_000, Duration::from_secs(4));
}

/// When each of them is asked to end, in that order, since the start.
async fn asked(connections: usize) -> (Vec<Duration>, Duration) {
    let start = Instant::now();
    let moments = Arc::new(Mutex::new(Vec::new()));
    let mut open = Connections::default();
    for _ in 0..connections {
        let moments = Arc::clone(&moments);
        open.spawn(HERE, Arc::default(), |end| async move {
            drop(end.await);
            moments.lock().unwrap().push(start.elapsed());
        });
    }
    open.drain(LIMIT).await;
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    (moments, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn connections_are_asked_to_end_one_after_another() {
    let (moments, took) = asked(1_000).await;
    assert_eq!(moments.len(), 1_000);
    for (second, least) in [(1, 200), (2, 450), (3, 700)] {
        let so_far = moments.iter().filter(|moment| **moment < Duration::from_secs(second)).count();
        assert!((least..=least + 100).contains(&so_far), "{so_far} after {second} s");
    }
    assert!(took < LIMIT, "{took:?}");
    let (_, took) = asked(1).await;
    assert!(took < PACE, "one alone need not wait: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_whatever_connections_do() {
    let start = Instant::now();
    let mut open = Connections::default();
    for _ in 0..10 {
        open.spawn(HERE, Arc::default(), |end| async {
            drop(end.await);
            std::future::pending::<()>().await;
        });
    }
    open.drain(LIMIT).await;
    let took = start.elapsed();
    assert!((LIMIT..LIMIT + Duration::from_millis(100)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn those_that_have_ended_are_forgotten() {
    let mut open = Connections::default();
    open.spawn(HERE, Arc::default(), |_| async {});
    open.spawn(HERE, Arc::default(), |_| async { panic!("a defect of ours") });
    open.spawn(HERE, Arc::default(), |end| async { drop(end.await) });
    open.reap().await;
    open.reap().await;
    assert_eq!((open.len(), open.tasks.len()), (1, 1));
}

/// Connections that stay, of addresses by their last octets; `true`: a client was identified on it.
fn opened(of: &[(u8, bool)]) -> (Connections, Vec<Arc<Handle>>) {
    let mut open = Connections::default();
    let handles = of.iter().map(|(octet, identified)| {
        let handle = Arc::new(Handle::default());
        if *identified {
            handle.note_identified();
        }
        open.spawn(address(*octet), handle.clone(), |_| std::future::pending::<()>());
        handle
    });
    let handles = handles.collect();
    (open, handles)
}

fn address(octet: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, octet])
}

#[tokio::test]
async fn an_address_that_has_the_most_makes_room_for_one_that_has_less() {
    let (mut open, handles) = opened(&[(1, true), (1, false), (2, true), (1, false), (3, false)]);
    let is_open = |open: &Connections, nth: usize| {
        open.open.values().any(|connection| connection.handle.id() == handles[nth].id())
    };
    // The oldest on which no client was identified.
    assert_eq!(open.displace(address(4)), Some((address(1), 3)));
    assert!(!is_open(&open, 1) && is_open(&open, 3));
    // One that was identified meanwhile is spared as well.
    handles[3].note_identified();
    open.spawn(address(1), Arc::default(), |_| std::future::pending::<()>());
    assert_eq!(open.displace(address(4)), Some((address(1), 3)));
    assert!(is_open(&open, 0) && is_open(&open, 3));
    // Then the newest.
    assert_eq!(open.displace(address(4)), Some((address(1), 2)));
    assert!(is_open(&open, 0) && !is_open(&open, 3));
    // No address has more than the newcomer would have.
    assert_eq!(open.displace(address(4)), None);
    assert_eq!(open.displace(address(1)), None);
    // What was ended is reaped like any other.
    let before = open.tasks.len();
    open.reap().await;
    assert_eq!((open.tasks.len(), open.len()), (before - 1, 3));
}
