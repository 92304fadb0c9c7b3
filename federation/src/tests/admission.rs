//! Newcomers, incumbents, records: refuse the newcomer, never disturb members.

use super::{from_member, verdict};
use crate::change::{Batch, Delta, HubChanges, MemberChanges};
use crate::model::Member;
use crate::testing::{TestFederation, make};
use crate::{Authority, Engine};

const A: (&str, &str) = ("10.0.0.0/16", "10.96.0.0/16");
const B: (&str, &str) = ("10.1.0.0/16", "10.97.0.0/16");

fn put(member: &Member) -> Batch {
    Batch::Hub(HubChanges::Members(Delta::put(member.clone())))
}

fn two() -> TestFederation {
    TestFederation::new().region("eu", &[]).member("a", "eu", A.0, A.1).member("b", "eu", B.0, B.1)
}

/// Everything in one round, then the verdict of each.
fn check(federation: &TestFederation, authority: Authority, expected: &[(&str, &str)]) -> Engine {
    let mut engine = Engine::new(TestFederation::config(authority));
    engine.apply(federation.batches(), make::at(100));
    let found: Vec<_> = expected.iter().map(|(id, _)| (*id, verdict(&engine, id))).collect();
    let expected: Vec<_> = expected.iter().map(|(id, text)| (*id, (*text).to_owned())).collect();
    assert_eq!(found, expected);
    engine
}

#[test]
fn of_two_newcomers_the_older_is_admitted_then_the_first_by_name() {
    let mut federation = two().member("c", "eu", A.0, "10.98.0.0/16");
    let clash_with = |id| format!("refused: pod 10.0.0.0/16 x pod 10.0.0.0/16 of {id}");
    check(&federation, Authority::Own, &[("a", "admitted"), ("c", &clash_with("a"))]);
    federation.members[0].created = make::at(9);
    check(&federation, Authority::Own, &[("a", &clash_with("c")), ("c", "admitted")]);
}

#[test]
fn a_corrected_range_is_admitted_at_once() {
    let federation = two().member("c", "eu", A.0, "10.98.0.0/16");
    let mut engine = federation.engine(make::at(1));
    assert!(verdict(&engine, "c").starts_with("refused"));
    let effects = engine.apply([put(&make::member("c", "eu", "10.3.0.0/16", "10.98.0.0/16"))], make::at(2));
    assert_eq!(verdict(&engine, "c"), "admitted");
    assert!(effects.topology.is_some_and(|topology| topology.members.contains_key(&make::cluster("c"))));
}

#[test]
fn a_refused_member_enters_when_the_one_in_its_way_leaves() {
    let federation = two().member("c", "eu", A.0, "10.98.0.0/16");
    let mut engine = federation.engine(make::at(1));
    engine.apply([Batch::Hub(HubChanges::Members(Delta::delete(make::cluster("a"))))], make::at(2));
    assert_eq!(verdict(&engine, "a"), "no member");
    assert_eq!(verdict(&engine, "c"), "admitted");
}

#[test]
fn drift_is_shown_and_the_admission_stays_as_it_was() {
    let mut engine = two().engine(make::at(1));
    let effects = engine.apply([put(&make::member("a", "eu", "10.0.0.0/15", A.1))], make::at(2));
    assert_eq!(verdict(&engine, "a"), "drift: pod 10.0.0.0/15 x pod 10.1.0.0/16 of b");
    assert_eq!(verdict(&engine, "b"), "admitted");
    let report = &engine.reports()[&make::cluster("a")];
    assert_eq!(report.admitted, Some(make::admission(1, "uid-a", A.0, A.1)));
    assert!(effects.topology.is_none() && effects.services.is_empty());

    engine.apply([put(&make::member("a", "eu", "10.0.0.0/16 10.4.0.0/16", A.1))], make::at(3));
    assert_eq!(verdict(&engine, "a"), "admitted");
    let widened = make::admission(1, "uid-a", "10.0.0.0/16 10.4.0.0/16", A.1);
    assert_eq!(engine.reports()[&make::cluster("a")].admitted, Some(widened));
}

#[test]
fn a_range_that_a_younger_member_leaves_goes_to_the_older_one_that_waits() {
    let mut engine = two().engine(make::at(1));
    engine.apply([put(&make::member("a", "eu", "10.0.0.0/15", A.1))], make::at(2));
    assert!(verdict(&engine, "a").starts_with("drift"));
    engine.apply([put(&make::member("b", "eu", "10.5.0.0/16", B.1))], make::at(3));
    assert_eq!((verdict(&engine, "a"), verdict(&engine, "b")), ("admitted".into(), "admitted".into()));
    let report = &engine.reports()[&make::cluster("a")];
    assert_eq!(report.admitted.as_ref().map(|admission| admission.pods.clone()), Some(make::nets("10.0.0.0/15")));
}

#[test]
fn a_range_reserved_later_disturbs_no_member() {
    let mut engine = two().engine(make::at(1));
    let mut policy = make::policy("default", crate::model::Federate::All);
    policy.reserved = make::nets("10.0.0.0/8");
    engine.apply([Batch::Hub(HubChanges::Policies(Delta::put(policy)))], make::at(2));
    let expected = "drift: pod 10.0.0.0/16 x reserved 10.0.0.0/8, service 10.96.0.0/16 x reserved 10.0.0.0/8";
    assert_eq!(verdict(&engine, "a"), expected);
    assert_eq!(engine.topology().members.len(), 2);
}

#[test]
fn a_record_is_honoured_after_a_restart_before_any_member_is_reached() {
    let mut federation = two().member("c", "eu", B.0, "10.98.0.0/16");
    // `c` is the older object, but `b` was admitted.
    federation.members[1].created = make::at(50);
    federation.members[1].recorded = Some(make::admission(60, "uid-b", B.0, B.1));
    let mut engine = Engine::new(TestFederation::config(Authority::Own));
    engine.apply(federation.hub(), make::at(100));
    assert_eq!(verdict(&engine, "b"), "admitted");
    assert_eq!(verdict(&engine, "c"), "refused: pod 10.1.0.0/16 x pod 10.1.0.0/16 of b");
    assert_eq!(engine.reports()[&make::cluster("b")].admitted, federation.members[1].recorded);
}

#[test]
fn a_record_that_contradicts_an_older_one_is_judged_like_a_newcomer() {
    let mut federation = two();
    federation.members[0].recorded = Some(make::admission(60, "uid-a", A.0, A.1));
    federation.members[1].recorded = Some(make::admission(61, "uid-b", "10.0.3.0/24", B.1));
    let engine = check(&federation, Authority::Own, &[("a", "admitted"), ("b", "admitted")]);
    // Its declared ranges are OK, so it is admitted; but from now on, with these.
    let expected = Some(make::admission(100, "uid-b", B.0, B.1));
    assert_eq!(engine.reports()[&make::cluster("b")].admitted, expected);

    federation.members[1].recorded = Some(make::admission(61, "uid-a", B.0, B.1)); // the identity of `a`
    let engine = check(&federation, Authority::Own, &[("a", "admitted"), ("b", "admitted")]);
    let by = engine.reports()[&make::cluster("b")].admitted.clone().map(|admission| admission.uid);
    assert_eq!(by, Some(make::uid("uid-b")));
}

#[test]
fn one_cluster_cannot_be_two_members() {
    let mut federation = two();
    federation.contents("b").uid = "uid-a".to_owned();
    check(&federation, Authority::Own, &[("a", "admitted"), ("b", "refused: same as a")]);
}

#[test]
fn what_is_missing_is_reported() {
    let federation = TestFederation::new()
        .region("eu", &[])
        .member("nowhere", "us", "10.5.0.0/16", "10.105.0.0/16")
        .member("unlisted", "eu", "", "10.106.0.0/16")
        .member("unreached", "eu", "10.7.0.0/16", "10.107.0.0/16");
    let mut engine = Engine::new(TestFederation::config(Authority::Own));
    engine.apply(federation.hub(), make::at(1));
    engine.apply(federation.listing("nowhere", 1), make::at(2));
    engine.apply(federation.listing("unlisted", 1), make::at(3));
    assert_eq!(verdict(&engine, "nowhere"), "refused: unknown region");
    assert_eq!(verdict(&engine, "unlisted"), "pending: pods unknown=true, services unknown=false");
    assert_eq!(verdict(&engine, "unreached"), "pending: identity");
    engine.apply([Batch::Hub(HubChanges::Regions(Delta::put(make::region("us", &[]))))], make::at(4));
    assert_eq!(verdict(&engine, "nowhere"), "admitted");
}

#[test]
fn ranges_are_discovered_once_their_kind_is_listed() {
    let mut federation = TestFederation::new().region("eu", &[]).member("a", "eu", "", "");
    federation.contents("a").nodes = vec![make::node("n1", "10.0.0.0/24"), make::node("n2", "10.0.1.0/24")];
    federation.contents("a").service_cidrs = vec![make::service_cidr("kubernetes", "10.96.0.0/16")];
    let mut engine = Engine::new(TestFederation::config(Authority::Own));
    let (ranges, rest): (Vec<_>, Vec<_>) = federation.listing("a", 1).into_iter().partition(|batch| {
        let Batch::Member { changes, .. } = batch else { return false };
        matches!(changes, MemberChanges::Nodes(_) | MemberChanges::ServiceCidrs(_))
    });
    engine.apply([federation.hub(), rest].concat(), make::at(1));
    assert_eq!(verdict(&engine, "a"), "pending: pods unknown=true, services unknown=true");
    engine.apply(ranges, make::at(2));
    assert_eq!(verdict(&engine, "a"), "admitted");
    let report = engine.reports()[&make::cluster("a")].clone();
    assert_eq!(report.cidrs.pods, make::nets("10.0.0.0/23"));

    // A new Node brings a new range, which is taken up; a Node that goes gives its range back.
    engine.apply([from_member("a", 1, MemberChanges::Nodes(Delta::put(make::node("n3", "10.9.0.0/24"))))], make::at(3));
    let admitted = |engine: &Engine| engine.reports()[&make::cluster("a")].admitted.clone().map(|a| a.pods);
    assert_eq!(admitted(&engine), Some(make::nets("10.0.0.0/23 10.9.0.0/24")));
    engine.apply([from_member("a", 1, MemberChanges::Nodes(Delta::delete("n3".into())))], make::at(4));
    assert_eq!(admitted(&engine), Some(make::nets("10.0.0.0/23")));
}

#[test]
fn a_process_that_follows_records_admits_exactly_the_members_on_record() {
    let mut federation = two().member("c", "eu", A.0, "10.98.0.0/16");
    federation.members[1].recorded = Some(make::admission(60, "uid-b", B.0, B.1));
    let expected = [("a", "pending: decision"), ("b", "admitted"), ("c", "pending: decision")];
    let mut engine = check(&federation, Authority::Recorded, &expected);
    let mut b = federation.members[1].clone();
    b.recorded = None;
    engine.apply([put(&b)], make::at(101));
    assert_eq!(verdict(&engine, "b"), "pending: decision");
    assert!(engine.topology().members.is_empty());
}

#[test]
fn a_member_that_was_removed_has_to_be_admitted_again() {
    let mut engine = two().engine(make::at(1));
    let a = make::member("a", "eu", A.0, A.1);
    let gone = Batch::Hub(HubChanges::Members(Delta::delete(a.id.clone())));
    engine.apply([gone, put(&a)], make::at(2));
    assert_eq!(verdict(&engine, "a"), "pending: identity");
    assert!(!engine.topology().members.contains_key(&a.id));
    assert!(engine.reports()[&a.id].uid.is_none());
}
