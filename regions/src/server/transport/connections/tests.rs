use std::sync::{Arc, Mutex};

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn few_connections_end_at_once_and_many_within_the_limit() {
    assert_eq!(pace(0, LIMIT), PACE);
    assert_eq!(pace(1_000, LIMIT), PACE);
    assert_eq!(pace(10_000, LIMIT) * 10_000, Duration::from_secs(4));
}

/// When each of them is told, in order of being told, since the start.
async fn told(connections: usize) -> (Vec<Duration>, Duration) {
    let start = Instant::now();
    let moments = Arc::new(Mutex::new(Vec::new()));
    let mut open = Connections::default();
    for _ in 0..connections {
        let moments = Arc::clone(&moments);
        open.spawn(|end| async move {
            drop(end.await);
            moments.lock().unwrap().push(start.elapsed());
        });
    }
    open.drain(LIMIT).await;
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    (moments, start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn connections_are_told_one_after_another() {
    let (moments, took) = told(1_000).await;
    assert_eq!(moments.len(), 1_000);
    for (second, least) in [(1, 200), (2, 450), (3, 700)] {
        let so_far = moments.iter().filter(|moment| **moment < Duration::from_secs(second)).count();
        assert!((least..=least + 100).contains(&so_far), "{so_far} after {second} s");
    }
    assert!(took < LIMIT, "{took:?}");
    let (_, took) = told(1).await;
    assert!(took < PACE, "one alone need not wait: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_whatever_connections_do() {
    let start = Instant::now();
    let mut open = Connections::default();
    for _ in 0..10 {
        open.spawn(|end| async {
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
    open.spawn(|_| async {});
    open.spawn(|_| async { panic!("a defect of ours") });
    open.spawn(|end| async { drop(end.await) });
    open.reap().await;
    open.reap().await;
    assert_eq!((open.len(), open.ends.len()), (1, 1));
}
