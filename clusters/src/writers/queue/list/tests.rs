#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use federation::desired::{self, Action, Desired, MirrorNamespace, MirrorService};
use federation::model::{Affinity, Namespace, ServiceKey};

use super::lane::{FIRST_RETRY, FREE_WRITES, LAST_CHECK, SOON_AFTER};
use super::*;
use crate::api::MemberClusterStatus;
use crate::writers::queue::member_status::MemberStatus;
use crate::writers::queue::write::{Status, StatusKey};

fn id(name: &str) -> ClusterId {
    ClusterId::new(name).unwrap()
}

fn member(name: &str) -> Target {
    Target::Member(id(name))
}

fn write(action: Action) -> Write {
    Write::InMember(id("a"), action)
}

fn submit(list: &mut List, actions: Vec<(ClusterId, Action)>, now: Instant) {
    list.submit(actions.into_iter().map(Submission::from), now);
}

/// What is wanted of the status of a member.
fn status(name: &str, uid: &str) -> Submission {
    let status = MemberStatus { name: Arc::from(name), uid: Arc::from(uid), status: MemberClusterStatus::default() };
    Submission::Write(Write::InHub(Status::Member(Arc::new(status))))
}

fn service(name: &str) -> Key {
    Key::InMember(id("a"), service_key(name))
}

fn service_key(name: &str) -> desired::Key {
    desired::Key::Service(ServiceKey::new("shop", name).unwrap())
}

fn namespace() -> Key {
    Key::InMember(id("a"), desired::Key::Namespace(Namespace::new("shop").unwrap()))
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
    Action::Leave(service_key(name))
}

fn delete(version: &str) -> Action {
    Action::Delete { key: service_key("web"), uid: Arc::from("u"), resource_version: Arc::from(version) }
}

fn all(_: &Target) -> bool {
    true
}

/// The member's watch shows the object as it should be: the engine takes the action back.
fn seen(list: &mut List, cluster: &str, key: Key, now: Instant) {
    let Key::InMember(_, key) = key else { panic!("an object in a member: {key:?}") };
    list.submit([Submission::TakeBack(Key::InMember(id(cluster), key))], now);
}

fn failed() -> Outcome {
    Outcome::Retry(Arc::from("refused"))
}

fn pending(list: &List) -> usize {
    list.progress().values().map(|progress| progress.pending).sum()
}

#[test]
fn the_newest_action_wins_before_during_and_after_a_write() {
    let now = Instant::now();
    let mut list = List::default();
    submit(&mut list, vec![(id("a"), apply("web", true)), (id("a"), apply("web", false))], now);
    let job = list.next(now, all).unwrap();
    assert_eq!(job.write, write(apply("web", false)));
    assert_eq!(list.next(now, all), None, "one object is written by one at a time");

    submit(&mut list, vec![(id("a"), delete("7"))], now);
    assert_eq!(list.next(now, all), None, "the newer action waits for the write under way");
    list.done(&job, failed(), now);
    let job = list.next(now, all).unwrap();
    assert_eq!(job.write, write(delete("7")), "and follows it at once, whatever came of it");
    list.done(&job, Outcome::Accepted, now);
    seen(&mut list, "a", service("web"), now);
    assert_eq!(pending(&list), 0);
}

#[test]
fn leave_takes_an_action_back() {
    let now = Instant::now();
    let mut list = List::default();
    submit(&mut list, vec![(id("a"), apply("web", false)), (id("a"), leave("web"))], now);
    assert_eq!(list.next(now, all), None);
    submit(&mut list, vec![(id("a"), apply("web", false))], now);
    let job = list.next(now, all).unwrap();
    submit(&mut list, vec![(id("a"), leave("web"))], now);
    list.done(&job, failed(), now);
    assert_eq!(list.due(all), None, "it is not tried again");
    assert_eq!(pending(&list), 0);
}

#[test]
fn failures_wait_longer_and_longer_and_the_same_action_does_not_hurry_them() {
    let mut now = Instant::now();
    let mut list = List::default();
    let mut waits = Vec::new();
    for _ in 0..12 {
        submit(&mut list, vec![(id("a"), apply("web", false))], now);
        let job = list.next(now, all).unwrap();
        list.done(&job, failed(), now);
        assert_eq!(list.next(now, all), None);
        let due = list.due(all).unwrap();
        waits.push(due.duration_since(now));
        now = due;
    }
    assert_eq!(waits.first(), Some(&FIRST_RETRY));
    assert_eq!(waits.last(), Some(&LAST_CHECK));
    assert!(waits.is_sorted());
    let progress = list.progress().remove(&id("a")).unwrap();
    assert_eq!((progress.pending, progress.last_error.as_deref()), (1, Some("refused")));
    let job = list.next(now, all).unwrap();
    list.done(&job, Outcome::Accepted, now);
    assert_eq!(list.progress().remove(&id("a")).unwrap().last_error, None, "the error goes with a write that succeeds");
    seen(&mut list, "a", service("web"), now);
    assert_eq!(list.progress().remove(&id("a")).unwrap(), MirrorProgress::default());
}

#[test]
fn a_service_waits_for_its_namespace() {
    let now = Instant::now();
    let mut list = List::default();
    submit(&mut list, vec![(id("a"), apply("web", false)), (id("a"), apply_namespace())], now);
    let first = list.next(now, all).unwrap();
    assert_eq!(first.write.key(), namespace());
    assert_eq!(list.next(now, all), None);
    list.done(&first, Outcome::Accepted, now);
    assert_eq!(list.next(now, all).unwrap().write.key(), service("web"));
}

#[test]
fn a_lost_member_keeps_its_work_and_holds_up_no_other() {
    let now = Instant::now();
    let mut list = List::default();
    submit(&mut list, vec![(id("lost"), apply("web", false)), (id("up"), apply("web", false))], now);
    let up = |target: &Target| *target == member("up");
    assert_eq!(list.next(now, up).unwrap().write.key().target(), member("up"));
    assert_eq!(list.next(now, up), None);
    assert_eq!(list.due(up), None);
    assert_eq!(list.next(now, all).unwrap().write.key().target(), member("lost"), "back again");
}

#[test]
fn writes_are_bounded_and_shared_out() {
    let now = Instant::now();
    let mut list = List::default();
    for n in 0..20 {
        submit(
            &mut list,
            vec![(id("a"), apply(&format!("s{n}"), false)), (id("b"), apply(&format!("s{n}"), false))],
            now,
        );
    }
    let jobs: Vec<_> = std::iter::from_fn(|| list.next(now, all)).collect();
    assert_eq!(jobs.len(), 2 * MAX_WRITES_PER_TARGET);
    let first: Vec<_> = jobs.iter().take(4).map(|job| job.write.key().target()).collect();
    assert_eq!(first, ["a", "b", "a", "b"].map(member));
    list.forget(&member("a"));
    for job in &jobs {
        list.done(job, Outcome::Accepted, now);
        seen(&mut list, "b", job.write.key(), now);
    }
    assert_eq!(pending(&list), 20 - MAX_WRITES_PER_TARGET, "nothing is left to do in a member that is none");
}

/// The engine sees no difference between "not there" and "made and deleted again before its watch reported it": no newer action
/// comes, and the old one must not count as done.
#[test]
fn an_accepted_write_is_checked_until_the_watch_shows_it() {
    let mut now = Instant::now();
    for action in [apply("web", false), delete("7"), Action::Release(service_key("web"))] {
        let mut list = List::default();
        submit(&mut list, vec![(id("a"), action.clone())], now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let job = list.next(now, all).unwrap();
            assert_eq!(job.write, write(action.clone()));
            list.done(&job, Outcome::Accepted, now);
            assert_eq!((pending(&list), list.next(now, all)), (1, None), "no hot loop");
            let due = list.due(all).unwrap();
            waits.push(due.duration_since(now));
            now = due;
        }
        assert_eq!((waits.first(), waits.last()), (Some(&Duration::from_secs(1)), Some(&LAST_CHECK)));
        let progress = list.progress().remove(&id("a")).unwrap();
        assert!(progress.last_error.unwrap().contains("Service shop/web: its API server accepts the write"));
        seen(&mut list, "a", service("web"), now);
        assert_eq!(list.progress().remove(&id("a")).unwrap(), MirrorProgress::default());
    }
}

#[test]
fn a_namespace_is_checked_as_well_and_holds_up_its_services_no_longer_than_its_write() {
    let now = Instant::now();
    let mut list = List::default();
    submit(&mut list, vec![(id("a"), apply("web", false)), (id("a"), apply_namespace())], now);
    let first = list.next(now, all).unwrap();
    list.done(&first, Outcome::Accepted, now);
    assert_eq!(list.next(now, all).unwrap().write.key(), service("web"));
    let again = list.next(list.due(all).unwrap(), all).unwrap();
    assert_eq!(again.write.key(), namespace(), "until the watch shows it");
    list.done(&again, failed(), now);
    submit(&mut list, vec![(id("a"), apply("api", false))], now);
    assert_eq!(list.next(now, all), None, "while the namespace cannot be made, nothing can be made in it");
}

#[test]
fn progress_names_the_age_of_the_oldest_difference() {
    let start = Instant::now();
    let later = start + Duration::from_secs(3);
    let mut list = List::default();
    submit(&mut list, vec![(id("a"), apply("web", false))], start);
    submit(&mut list, vec![(id("a"), apply("api", false))], later);
    let since = |list: &List| list.progress().remove(&id("a")).unwrap().since;
    assert_eq!(since(&list), Some(start));
    // A mirror that has to go before it can come back has differed all the while.
    submit(&mut list, vec![(id("a"), delete("8"))], later);
    assert_eq!(since(&list), Some(start));
    seen(&mut list, "a", service("web"), later);
    assert_eq!(since(&list), Some(later));
}

/// Something else, another controller or a user's script, deletes or changes the mirror whenever it is written.
#[test]
fn an_object_that_something_else_keeps_changing_is_written_less_and_less_often() {
    let start = Instant::now();
    let (mut now, mut list, mut writes) = (start, List::default(), 0_u32);
    while now < start + Duration::from_secs(60) {
        submit(&mut list, vec![(id("a"), apply("web", false)), (id("a"), apply("other", false))], now);
        now = list.due(all).unwrap_or(now).max(now);
        while let Some(job) = list.next(now, all) {
            list.done(&job, Outcome::Accepted, now);
            writes += u32::from(job.write.key() == service("web"));
            seen(&mut list, "a", job.write.key(), now);
        }
        now += Duration::from_millis(20);
    }
    assert!((FREE_WRITES..FREE_WRITES + 16).contains(&writes), "{writes} writes in a minute");
    // Left alone for a while, it is written at once again.
    now += SOON_AFTER;
    submit(&mut list, vec![(id("a"), apply("web", false))], now);
    assert_eq!(list.next(now, all).unwrap().write.key(), service("web"));
}

/// A status that cannot be written changes all the same, and must not be tried more often for that.
#[test]
fn a_newer_status_waits_as_long_as_the_one_that_failed() {
    let mut now = Instant::now();
    let (mut list, mut waits) = (List::default(), Vec::new());
    for uid in ["0", "1", "2", "3", "4", "5", "6", "7"] {
        list.submit([status("eu-1", uid)], now);
        now = list.due(all).unwrap_or(now);
        let job = list.next(now, all).unwrap();
        // One that comes while the write is under way waits as well.
        list.submit([status("eu-1", &format!("{uid}b"))], now);
        list.done(&job, failed(), now);
        list.submit([status("eu-1", &format!("{uid}c"))], now);
        assert_eq!(list.next(now, all), None);
        waits.push(list.due(all).unwrap().duration_since(now));
    }
    assert!(waits.is_sorted());
    assert_eq!((waits[0], waits[7]), (FIRST_RETRY, Duration::from_secs(8)), "people look at the hub");
    now = list.due(all).unwrap();
    let job = list.next(now, all).unwrap();
    list.done(&job, Outcome::Accepted, now);
    assert!(list.is_accepted(&job.write.key()));
    list.submit([status("eu-1", "newest")], now);
    assert!(!list.is_accepted(&job.write.key()));
    let newest = list.next(now, all).unwrap().write;
    assert_eq!(Submission::Write(newest), status("eu-1", "newest"), "at once");
}

#[test]
fn statuses_change_as_often_as_they_do() {
    let mut now = Instant::now();
    let mut list = List::default();
    for n in 0..10 * FREE_WRITES {
        list.submit([status("eu-1", &n.to_string())], now);
        let job = list.next(now, all).unwrap();
        list.done(&job, Outcome::Accepted, now);
        now += Duration::from_millis(20);
    }
    assert!(list.progress().is_empty(), "no member has anything to do with it");
    list.submit([Submission::TakeBack(Key::InHub(StatusKey::Member(Arc::from("eu-1"))))], now);
    assert_eq!((list.next(now, all), list.due(all)), (None, None), "the hub shows it");
}

#[test]
fn the_hub_and_the_members_do_not_wait_for_each_other() {
    let now = Instant::now();
    let mut list = List::default();
    submit(&mut list, (0..20).map(|n| (id("a"), apply(&format!("s{n}"), false))).collect(), now);
    for n in 0..20 {
        list.submit([status(&format!("m{n}"), "u")], now);
    }
    let jobs: Vec<_> = std::iter::from_fn(|| list.next(now, all)).collect();
    let in_hub = jobs.iter().filter(|job| job.write.key().target() == Target::Hub).count();
    assert_eq!((in_hub, jobs.len()), (MAX_WRITES_PER_TARGET, 2 * MAX_WRITES_PER_TARGET));
    list.done(&jobs[0], failed(), now);
    let freed = jobs[0].write.key().target();
    assert_eq!(
        list.next(now, all).unwrap().write.key().target(),
        freed,
        "another object, while the one that failed waits"
    );
}
