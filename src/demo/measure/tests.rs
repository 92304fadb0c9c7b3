use std::ops::RangeInclusive;
use std::sync::Arc;

use super::super::timetable::Share;
use super::*;

const SEATS: [&str; 3] = ["eu", "eu", "us"];
const HOME: &str = "eu-1/eu-a";
const NEXT_ZONE: &str = "eu-1/eu-b";
const US: &str = "us-1/us-a";

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn spot(place: &str) -> Spot {
    let (cluster, zone) = place.split_once('/').unwrap_or((place, ""));
    Spot::new(cluster.split('-').next().unwrap_or_default(), cluster, zone)
}

fn goal(region: &'static str, shares: &[(&str, RangeInclusive<u8>)], fresh: &[&str]) -> Goal {
    let shares = shares.iter().map(|(place, percent)| Share { spot: spot(place), percent: percent.clone() });
    Goal { region, shares: shares.collect(), fresh: fresh.iter().map(|place| spot(place)).collect() }
}

/// eu loses all its pods at 1,000 ms and is to be served by us; us is to notice nothing.
fn region_lost() -> Vec<Goal> {
    vec![goal("eu", &[(US, 100..=100)], &[US]), goal("us", &[(US, 100..=100)], &[])]
}

/// Each client asks every 20 ms, and each request takes 5 ms; `says` tells what came of the one that began then.
fn traffic(says: impl Fn(usize, u64) -> Result<&'static str, Failure>) -> Vec<Record> {
    let mut records = Vec::new();
    for (client, _) in SEATS.iter().enumerate() {
        for start in (0..4_000).step_by(20) {
            let outcome = match says(client, start) {
                Ok(place) => Outcome::Served(Arc::new(spot(place))),
                Err(failure) => Outcome::Failed(failure),
            };
            records.push(Record { client, started: ms(start), ended: ms(start + 5), outcome });
        }
    }
    records
}

fn window(goals: &[Goal]) -> Window<'_> {
    Window { opened: ms(998), zero: ms(1_002), end: ms(4_000), kills: true, seats: &SEATS, goals }
}

fn home(client: usize) -> &'static str {
    if client == 2 { US } else { HOME }
}

/// As it should be: at home up to 1,000 ms, one request in flight, one refused; then in us.
fn failing_over(client: usize, start: u64) -> Result<&'static str, Failure> {
    match (client, start) {
        (2, _) => Ok(US),
        (_, ..1_000) => Ok(HOME),
        (0, 1_000) => Err(Failure::BackendGone),
        (1, 1_000) => Ok(HOME),
        (0, 1_020) => Err(Failure::BackendRefused),
        (1, 1_020) => Ok(US),
        _ => Ok(US),
    }
}

#[test]
fn a_failover_is_measured_from_first_to_last_client() {
    let goals = region_lost();
    let measured = measure(&traffic(failing_over), &window(&goals));
    assert_eq!(measured.reasons, Vec::<String>::new());
    // Client 1 at 1,025; client 0 at 1,045.
    assert_eq!((measured.first, measured.last), (Some(ms(23)), Some(ms(43))));
    assert_eq!(measured.failed, Failed { in_flight: 1, before_move: 1, other: 0 });
    assert_eq!(measured.kinds, BTreeMap::from([(Failure::BackendGone, 1), (Failure::BackendRefused, 1)]));
    assert_eq!(measured.served.get("eu"), Some(&vec![(spot(US), 1.0)]));
    // Three clients, 50 requests a second each, from 1,000 to 3,980.
    assert_eq!(measured.requests, 3 * 150);
}

#[test]
fn a_client_that_falls_back_has_not_moved_until_it_stays() {
    let goals = region_lost();
    let flapping = |client, start| match (client, start) {
        (1, 1_100) => Ok(HOME),
        _ => failing_over(client, start),
    };
    let measured = measure(&traffic(flapping), &window(&goals));
    assert_eq!((measured.first, measured.last), (Some(ms(23)), Some(ms(123))));
    assert!(measured.reasons.is_empty(), "late, but within the limit: {:?}", measured.reasons);
}

#[test]
fn who_never_moves_or_moves_too_late_has_not_held() {
    let goals = region_lost();
    let stuck = |client, start| {
        if client == 0 && start > 1_000 { Err(Failure::NoBackend) } else { failing_over(client, start) }
    };
    let measured = measure(&traffic(stuck), &window(&goals));
    assert_eq!((measured.first, measured.last), (Some(ms(23)), None));
    assert_eq!(measured.reasons.first().map(String::as_str), Some("1 of 2 clients did not move for good"));

    let late = |client, start| match (client, start) {
        (0, 1_000..3_200) => Err(Failure::BackendRefused),
        _ => failing_over(client, start),
    };
    let measured = measure(&traffic(late), &window(&goals));
    assert_eq!(measured.last, Some(ms(2_203)));
    assert_eq!(
        measured.reasons,
        ["took 2203 ms; expected 2000 at most", "eu: 80 answers after it settled; expected 50 at least"]
            .get(..1)
            .unwrap_or_default()
    );
}

#[test]
fn a_failure_after_the_move_or_of_a_bystander_is_not_excused() {
    let goals = region_lost();
    let hiccup = |client, start| match (client, start) {
        (2, 1_020) => Err(Failure::TimedOut),
        _ => failing_over(client, start),
    };
    let measured = measure(&traffic(hiccup), &window(&goals));
    assert_eq!(measured.failed.other, 1);
    assert_eq!(measured.reasons, ["us: no answer in time (1 ×)"]);
}

#[test]
fn a_failure_that_no_dead_pod_can_cause_is_not_excused() {
    let goals = region_lost();
    let emptied = |client, start| match (client, start) {
        (0, 1_020) => Err(Failure::NoBackend),
        _ => failing_over(client, start),
    };
    let measured = measure(&traffic(emptied), &window(&goals));
    assert_eq!(measured.failed, Failed { in_flight: 1, before_move: 0, other: 1 });
    assert_eq!(measured.reasons, ["eu: the proxy had no healthy backend (1 ×)"]);
}

#[test]
fn a_failure_without_a_kill_is_never_excused() {
    let goals = region_lost();
    let measured = measure(&traffic(failing_over), &Window { kills: false, ..window(&goals) });
    assert_eq!(measured.failed, Failed { in_flight: 0, before_move: 0, other: 2 });
    assert_eq!(measured.reasons.len(), 2);
}

#[test]
fn a_failure_before_the_change_is_not_blamed_on_it() {
    let goals = region_lost();
    // Ended at 999 ms: after the window before was closed, before this one's change.
    let mut records = traffic(failing_over);
    let outcome = Outcome::Failed(Failure::BackendGone);
    records.push(Record { client: 0, started: ms(990), ended: ms(999), outcome: outcome.clone() });
    let measured = measure(&records, &window(&goals));
    assert_eq!(measured.failed, Failed { in_flight: 1, before_move: 1, other: 1 });
    // And what was counted before is not counted again.
    records.push(Record { client: 0, started: ms(980), ended: ms(998), outcome });
    assert_eq!(measure(&records, &window(&goals)).failed, measured.failed);
}

#[test]
fn a_bystander_that_is_moved_is_noticed() {
    let goals = region_lost();
    let dragged =
        |client, start| if client == 2 && start == 2_000 { Ok(NEXT_ZONE) } else { failing_over(client, start) };
    let measured = measure(&traffic(dragged), &window(&goals));
    assert!(measured.reasons.contains(&"us: answered by eu-1/eu-b (1 ×)".to_owned()), "{:?}", measured.reasons);
}

#[test]
fn shares_are_taken_after_the_move_and_compared_with_the_goal() {
    let goals =
        [goal("eu", &[(HOME, 55..=85), (NEXT_ZONE, 15..=45)], &[NEXT_ZONE]), goal("us", &[(US, 100..=100)], &[])];
    let spilling = |every: u64| {
        move |client: usize, start: u64| {
            let spills = client != 2 && start > 1_000 && (start / 20) % 10 < every;
            Ok(if spills { NEXT_ZONE } else { home(client) })
        }
    };
    let measured = measure(&traffic(spilling(3)), &window(&goals));
    assert_eq!(measured.reasons, Vec::<String>::new());
    assert_eq!(
        measured.served.get("eu").and_then(|shares| shares.first()).map(|(spot, _)| spot.clone()),
        Some(spot(HOME))
    );

    let measured = measure(&traffic(spilling(1)), &window(&goals));
    assert_eq!(measured.reasons.len(), 1);
    assert!(
        measured.reasons.iter().all(|reason| reason.contains("served by eu-1/eu-a; expected 55 to 85%")),
        "{measured:?}"
    );

    let measured = measure(&traffic(spilling(0)), &window(&goals));
    assert_eq!((measured.first, measured.last), (None, None));
    assert_eq!(measured.reasons.first().map(String::as_str), Some("2 of 2 clients did not move for good"));
}

#[test]
fn silence_proves_nothing() {
    let goals = region_lost();
    let measured = measure(&[], &window(&goals));
    assert_eq!(measured.requests, 0);
    assert_eq!(measured.reasons.len(), 3, "no client moved, and neither region was seen: {:?}", measured.reasons);
}
