#![allow(clippy::unwrap_used)]

use federation::desired::{Desired, MirrorNamespace, MirrorService};
use federation::model::{Affinity, Namespace, ServiceKey};

use super::*;

fn id(name: &str) -> ClusterId {
    ClusterId::new(name).unwrap()
}

fn service(name: &str) -> Key {
    Key::Service(ServiceKey::new("shop", name).unwrap())
}

fn namespace() -> Key {
    Key::Namespace(Namespace::new("shop").unwrap())
}

fn apply(name: &str, headless: bool) -> Action {
    Action::Apply(Desired::Service(Arc::new(MirrorService {
        key: ServiceKey::new("shop", name).unwrap(),
        headless,
        affinity: Affinity::None,
        ports: Vec::new(),
        sources: Vec::new(),
        helm: None,
    })))
}

fn apply_namespace() -> Action {
    Action::Apply(Desired::Namespace(MirrorNamespace { name: Namespace::new("shop").unwrap(), helm: None }))
}

fn leave(name: &str) -> Action {
    Action::Leave(service(name))
}

fn delete(version: &str) -> Action {
    Action::Delete { key: service("web"), uid: Arc::from("u"), resource_version: Arc::from(version) }
}

fn all(_: &ClusterId) -> bool {
    true
}

/// The member's watch shows the object as it should be: the engine takes the action back.
fn seen(work: &mut Work, cluster: &str, key: Key, now: Instant) {
    work.submit(vec![(id(cluster), Action::Leave(key))], now);
}

fn failed() -> Outcome {
    Outcome::Retry(Arc::from("refused"))
}

fn pending(work: &Work) -> usize {
    work.progress().values().map(|progress| progress.pending).sum()
}

#[test]
fn the_newest_action_wins_before_during_and_after_a_write() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("a"), apply("web", true)), (id("a"), apply("web", false))], now);
    let job = work.next(now, all).unwrap();
    assert_eq!(job.action, apply("web", false));
    assert_eq!(work.next(now, all), None, "one object is written by one at a time");

    work.submit(vec![(id("a"), delete("7"))], now);
    assert_eq!(work.next(now, all), None, "the newer action waits for the write under way");
    work.done(&job, failed(), now);
    let job = work.next(now, all).unwrap();
    assert_eq!(job.action, delete("7"), "and follows it at once, whatever came of it");
    work.done(&job, Outcome::Accepted, now);
    seen(&mut work, "a", service("web"), now);
    assert_eq!(pending(&work), 0);
}

#[test]
fn leave_takes_an_action_back() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("a"), apply("web", false)), (id("a"), leave("web"))], now);
    assert_eq!(work.next(now, all), None);
    work.submit(vec![(id("a"), apply("web", false))], now);
    let job = work.next(now, all).unwrap();
    work.submit(vec![(id("a"), leave("web"))], now);
    work.done(&job, failed(), now);
    assert_eq!(work.due(all), None, "it is not tried again");
    assert_eq!(pending(&work), 0);
}

#[test]
fn failures_wait_longer_and_longer_and_the_same_action_does_not_hurry_them() {
    let mut now = Instant::now();
    let mut work = Work::default();
    let mut waits = Vec::new();
    for _ in 0..12 {
        work.submit(vec![(id("a"), apply("web", false))], now);
        let job = work.next(now, all).unwrap();
        work.done(&job, failed(), now);
        assert_eq!(work.next(now, all), None);
        let due = work.due(all).unwrap();
        waits.push(due.duration_since(now));
        now = due;
    }
    assert_eq!(waits.first(), Some(&FIRST_RETRY));
    assert_eq!(waits.last(), Some(&LAST_RETRY));
    assert!(waits.is_sorted());
    let progress = work.progress().remove(&id("a")).unwrap();
    assert_eq!((progress.pending, progress.last_error.as_deref()), (1, Some("refused")));
    let job = work.next(now, all).unwrap();
    work.done(&job, Outcome::Accepted, now);
    assert_eq!(work.progress().remove(&id("a")).unwrap().last_error, None, "the error goes with a write that succeeds");
    seen(&mut work, "a", service("web"), now);
    assert_eq!(work.progress().remove(&id("a")).unwrap(), MirrorProgress::default());
}

#[test]
fn a_service_waits_for_its_namespace() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("a"), apply("web", false)), (id("a"), apply_namespace())], now);
    let first = work.next(now, all).unwrap();
    assert_eq!(first.action.key(), namespace());
    assert_eq!(work.next(now, all), None);
    work.done(&first, Outcome::Accepted, now);
    assert_eq!(work.next(now, all).unwrap().action.key(), service("web"));
}

#[test]
fn a_lost_member_keeps_its_work_and_holds_up_no_other() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("lost"), apply("web", false)), (id("up"), apply("web", false))], now);
    let up = |cluster: &ClusterId| cluster.as_str() == "up";
    assert_eq!(work.next(now, up).unwrap().cluster, id("up"));
    assert_eq!(work.next(now, up), None);
    assert_eq!(work.due(up), None);
    assert_eq!(work.next(now, all).unwrap().cluster, id("lost"), "back again");
}

#[test]
fn writes_are_bounded_and_shared_out() {
    let now = Instant::now();
    let mut work = Work::default();
    for n in 0..20 {
        work.submit(vec![(id("a"), apply(&format!("s{n}"), false)), (id("b"), apply(&format!("s{n}"), false))], now);
    }
    let jobs: Vec<_> = std::iter::from_fn(|| work.next(now, all)).collect();
    assert_eq!(jobs.len(), 2 * MAX_WRITES_PER_MEMBER);
    let first: Vec<_> = jobs.iter().take(4).map(|job| job.cluster.to_string()).collect();
    assert_eq!(first, ["a", "b", "a", "b"]);
    work.forget(&id("a"));
    for job in &jobs {
        work.done(job, Outcome::Accepted, now);
        seen(&mut work, "b", job.action.key(), now);
    }
    assert_eq!(pending(&work), 20 - MAX_WRITES_PER_MEMBER, "nothing is left to do in a member that is none");
}

/// The engine sees no difference between "not there" and "made and deleted again before its watch reported it": no newer action
/// comes, and the old one must not count as done.
#[test]
fn an_accepted_write_is_checked_until_the_watch_shows_it() {
    let mut now = Instant::now();
    for action in [apply("web", false), delete("7"), Action::Release(service("web"))] {
        let mut work = Work::default();
        work.submit(vec![(id("a"), action.clone())], now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let job = work.next(now, all).unwrap();
            assert_eq!(job.action, action);
            work.done(&job, Outcome::Accepted, now);
            assert_eq!((pending(&work), work.next(now, all)), (1, None), "no hot loop");
            let due = work.due(all).unwrap();
            waits.push(due.duration_since(now));
            now = due;
        }
        assert_eq!((waits.first(), waits.last()), (Some(&FIRST_CHECK), Some(&LAST_RETRY)));
        let progress = work.progress().remove(&id("a")).unwrap();
        assert!(progress.last_error.unwrap().contains("Service shop/web: its API server accepts the write"));
        seen(&mut work, "a", service("web"), now);
        assert_eq!(work.progress().remove(&id("a")).unwrap(), MirrorProgress::default());
    }
}

#[test]
fn a_namespace_is_checked_as_well_and_holds_up_its_services_no_longer_than_its_write() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("a"), apply("web", false)), (id("a"), apply_namespace())], now);
    let first = work.next(now, all).unwrap();
    work.done(&first, Outcome::Accepted, now);
    assert_eq!(work.next(now, all).unwrap().action.key(), service("web"));
    let again = work.next(work.due(all).unwrap(), all).unwrap();
    assert_eq!(again.action.key(), namespace(), "until the watch shows it");
    work.done(&again, failed(), now);
    work.submit(vec![(id("a"), apply("api", false))], now);
    assert_eq!(work.next(now, all), None, "while the namespace cannot be made, nothing can be made in it");
}

#[test]
fn progress_names_the_age_of_the_oldest_difference() {
    let start = Instant::now();
    let later = start + Duration::from_secs(3);
    let mut work = Work::default();
    work.submit(vec![(id("a"), apply("web", false))], start);
    work.submit(vec![(id("a"), apply("api", false))], later);
    let since = |work: &Work| work.progress().remove(&id("a")).unwrap().since;
    assert_eq!(since(&work), Some(start));
    // A mirror that has to go before it can come back has differed all the while.
    work.submit(vec![(id("a"), delete("8"))], later);
    assert_eq!(since(&work), Some(start));
    seen(&mut work, "a", service("web"), later);
    assert_eq!(since(&work), Some(later));
}

/// Something else, another controller or a user's script, deletes or changes the mirror whenever it is written.
#[test]
fn an_object_that_something_else_keeps_changing_is_written_less_and_less_often() {
    let start = Instant::now();
    let (mut now, mut work, mut writes) = (start, Work::default(), 0_u32);
    while now < start + Duration::from_secs(60) {
        work.submit(vec![(id("a"), apply("web", false)), (id("a"), apply("other", false))], now);
        now = work.due(all).unwrap_or(now).max(now);
        while let Some(job) = work.next(now, all) {
            work.done(&job, Outcome::Accepted, now);
            writes += u32::from(job.action.key() == service("web"));
            seen(&mut work, "a", job.action.key(), now);
        }
        now += Duration::from_millis(20);
    }
    assert!((FREE_ACTIONS..FREE_ACTIONS + 16).contains(&writes), "{writes} writes in a minute");
    // Left alone for a while, it is written at once again.
    now += SOON_AFTER;
    work.submit(vec![(id("a"), apply("web", false))], now);
    assert_eq!(work.next(now, all).unwrap().action.key(), service("web"));
}
