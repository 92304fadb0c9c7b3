#![allow(clippy::unwrap_used)]

use federation::MirrorService;
use federation::model::{Affinity, Namespace, ServiceKey};

use super::*;

fn id(name: &str) -> ClusterId {
    ClusterId::new(name).unwrap()
}

fn service(name: &str) -> MirrorKey {
    MirrorKey::Service(ServiceKey::new("shop", name).unwrap())
}

fn namespace() -> MirrorKey {
    MirrorKey::Namespace(Namespace::new("shop").unwrap())
}

fn apply(headless: bool) -> MirrorAction {
    MirrorAction::ApplyService(Arc::new(MirrorService {
        headless,
        affinity: Affinity::None,
        ports: Vec::new(),
        sources: Vec::new(),
    }))
}

fn delete(version: &str) -> MirrorAction {
    MirrorAction::Delete { uid: Arc::from("u"), resource_version: Arc::from(version) }
}

fn all(_: &ClusterId) -> bool {
    true
}

fn failed() -> Outcome {
    Outcome::Retry(Arc::from("refused"))
}

fn pending(work: &Work) -> usize {
    work.progress().values().map(|progress| progress.pending).sum()
}

#[test]
fn the_newest_wish_wins_before_during_and_after_a_write() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("a"), service("web"), apply(true)), (id("a"), service("web"), apply(false))]);
    let job = work.next(now, all).unwrap();
    assert_eq!(job.action, apply(false));
    assert_eq!(work.next(now, all), None, "one object is written by one at a time");

    work.submit(vec![(id("a"), service("web"), delete("7"))]);
    assert_eq!(work.next(now, all), None, "the newer wish waits for the write under way");
    work.done(&job, failed(), now);
    let job = work.next(now, all).unwrap();
    assert_eq!(job.action, delete("7"), "and follows it at once, whatever came of it");
    work.done(&job, Outcome::Done, now);
    assert_eq!(pending(&work), 0);
}

#[test]
fn leave_takes_a_wish_back() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("a"), service("web"), apply(false)), (id("a"), service("web"), MirrorAction::Leave)]);
    assert_eq!(work.next(now, all), None);
    work.submit(vec![(id("a"), service("web"), apply(false))]);
    let job = work.next(now, all).unwrap();
    work.submit(vec![(id("a"), service("web"), MirrorAction::Leave)]);
    work.done(&job, failed(), now);
    assert_eq!(work.due(all), None, "it is not tried again");
    assert_eq!(pending(&work), 0);
}

#[test]
fn failures_wait_longer_and_longer_and_the_same_wish_does_not_hurry_them() {
    let mut now = Instant::now();
    let mut work = Work::default();
    let mut waits = Vec::new();
    for _ in 0..12 {
        work.submit(vec![(id("a"), service("web"), apply(false))]);
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
    work.done(&job, Outcome::Done, now);
    assert_eq!(work.progress().remove(&id("a")).unwrap(), MirrorProgress::default(), "the error goes with the work");
}

#[test]
fn a_service_waits_for_its_namespace() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("a"), service("web"), apply(false)), (id("a"), namespace(), MirrorAction::ApplyNamespace)]);
    let first = work.next(now, all).unwrap();
    assert_eq!(first.key, namespace());
    assert_eq!(work.next(now, all), None);
    work.done(&first, Outcome::Done, now);
    assert_eq!(work.next(now, all).unwrap().key, service("web"));
}

#[test]
fn a_lost_member_keeps_its_work_and_holds_up_nobody() {
    let now = Instant::now();
    let mut work = Work::default();
    work.submit(vec![(id("lost"), service("web"), apply(false)), (id("up"), service("web"), apply(false))]);
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
        work.submit(vec![
            (id("a"), service(&format!("s{n}")), apply(false)),
            (id("b"), service(&format!("s{n}")), apply(false)),
        ]);
    }
    let jobs: Vec<_> = std::iter::from_fn(|| work.next(now, all)).collect();
    assert_eq!(jobs.len(), 2 * MAX_WRITES_PER_MEMBER);
    let first: Vec<_> = jobs.iter().take(4).map(|job| job.cluster.to_string()).collect();
    assert_eq!(first, ["a", "b", "a", "b"]);
    work.forget(&id("a"));
    for job in &jobs {
        work.done(job, Outcome::Done, now);
    }
    assert_eq!(pending(&work), 20 - MAX_WRITES_PER_MEMBER, "nothing is left to do in a member that is none");
}
