use std::collections::HashSet;

use super::*;

const BEGIN: Duration = Duration::from_secs(100);

fn held(names: &[&str]) -> Vec<(Arc<str>, u64)> {
    names.iter().map(|name| (Arc::from(*name), 7)).collect()
}

fn rejected(names: &[&str]) -> Rejected {
    let mut rejected = Rejected::new(1);
    rejected.add(&held(names), None, BEGIN);
    rejected
}

/// The names that are offered at this time.
fn offered(rejected: &mut Rejected, now: Duration) -> Option<Vec<Arc<str>>> {
    match rejected.offer(now, |_, _| true)? {
        Offer::Names(names) => Some(names),
        Offer::FullState => panic!("names were rejected, not a state"),
    }
}

/// Lets a client that refuses `wrong` answer offers until nothing is due at `now`. Returns how many it was made.
fn round(rejected: &mut Rejected, now: Duration, wrong: &HashSet<&str>) -> usize {
    let mut offers = 0;
    while let Some(names) = offered(rejected, now) {
        offers += 1;
        let held: Vec<_> = names.iter().map(|name| (name.clone(), 7)).collect();
        match names.iter().any(|name| wrong.contains(&**name)) {
            true => rejected.add(&held, None, now),
            false => rejected.settle(&held, false),
        }
        assert!(offers < 1_000, "a round ends");
    }
    offers
}

#[test]
fn the_timer_doubles_from_one_minute_to_ten_give_or_take_a_fifth() {
    let mut rejected = rejected(&["a"]);
    let mut now = BEGIN;
    for minutes in [1, 2, 4, 8, 10, 10, 10] {
        let wait = rejected.due().expect("a time") - now;
        let exact = Duration::from_mins(minutes);
        assert!(wait >= exact.mul_f64(0.79) && wait <= exact.mul_f64(1.21), "{wait:?} for {minutes} minutes");
        assert!(offered(&mut rejected, now + wait - Duration::from_millis(1)).is_none(), "not before its time");
        now += wait;
        assert_eq!(round(&mut rejected, now, &HashSet::from(["a"])), 1);
    }
    assert!(!rejected.is_empty());
}

#[test]
fn timers_of_many_streams_do_not_coincide() {
    let due = |seed| {
        let mut rejected = Rejected::new(seed);
        rejected.add(&held(&["a"]), None, BEGIN);
        rejected.due().expect("a time")
    };
    let times: HashSet<Duration> = (0..100).map(due).collect();
    assert!(times.len() > 20, "{} different times", times.len());
}

#[test]
fn a_related_change_shortens_the_wait_but_never_to_a_loop() {
    let mut rejected = rejected(&["a"]);
    let mut now = BEGIN;
    for seconds in [1, 2, 4, 8, 16, 30, 30, 30] {
        rejected.note_related_change();
        assert_eq!(rejected.due(), Some(now + Duration::from_secs(seconds)));
        now += Duration::from_secs(seconds);
        assert_eq!(round(&mut rejected, now, &HashSet::from(["a"])), 1);
    }
}

#[test]
fn a_change_while_an_offer_waits_for_its_answer_is_not_lost() {
    let mut rejected = rejected(&["a"]);
    let at = rejected.due().expect("a time");
    assert!(offered(&mut rejected, at).is_some());
    rejected.note_related_change();
    rejected.add(&held(&["a"]), None, at);
    assert_eq!(rejected.due(), Some(at + Duration::from_secs(2)));
}

#[test]
fn what_is_wrong_is_separated_from_what_was_only_in_the_same_response() {
    for wrong in [vec!["n17"], vec!["n0", "n99"], vec!["n3", "n4", "n50"]] {
        let names: Vec<String> = (0..100).map(|i| format!("n{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut rejected = rejected(&names);
        let wrong: HashSet<&str> = wrong.into_iter().collect();
        let mut rounds = 0;
        while rejected.versions().len() > wrong.len() {
            let at = rejected.due().expect("a time");
            assert!(round(&mut rejected, at, &wrong) <= ROUND);
            rounds += 1;
            assert!(rounds <= 4, "{} of {} are left", rejected.versions().len(), wrong.len());
        }
        assert!(wrong.iter().all(|name| rejected.holds(name, 7)));
    }
}

#[test]
fn a_round_is_bounded_even_if_everything_is_wrong() {
    let names: Vec<String> = (0..10_000).map(|i| format!("n{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rejected = rejected(&names);
    let at = rejected.due().expect("a time");
    let offers = round(&mut rejected, at, &names.iter().copied().collect());
    assert!((2..=ROUND).contains(&offers), "{offers} offers");
    assert_eq!(rejected.versions().len(), 10_000);
    assert!(rejected.due().expect("a time") > at + Duration::from_secs(60));
}

#[test]
fn only_what_still_has_the_rejected_version_is_offered() {
    let mut rejected = rejected(&["a", "b", "c"]);
    let at = rejected.due().expect("a time");
    let Some(Offer::Names(names)) = rejected.offer(at, |name, _| name == "b") else { panic!("an offer") };
    assert_eq!(names, [Arc::from("b")]);
    rejected.settle(&held(&["b"]), false);
    assert_eq!(rejected.versions().len(), 2);
    assert!(rejected.due().expect("a time") > at, "the next round comes later");
}

#[test]
fn a_rejection_of_something_new_starts_the_waits_again() {
    let mut rejected = rejected(&["a"]);
    let at = rejected.due().expect("a time");
    round(&mut rejected, at, &HashSet::from(["a"]));
    let at = at + Duration::from_secs(5);
    rejected.add(&held(&["b"]), None, at);
    assert!(rejected.due().expect("a time") < at + Duration::from_secs(73));
}
