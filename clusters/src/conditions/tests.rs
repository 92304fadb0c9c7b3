#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use federation::model::{ClusterId, ClusterUid};
use federation::report::{AddressRefusal, Cidrs, Clash, Listed, OutsideAddress, RangeUse, RefusedAddress};

use super::*;
use crate::api::MemberClusterStatus;
use crate::conditions::known::Known;
use crate::conditions::progress::{Claim, MirrorProgress};
use crate::problem::Problems;

const NOW: Time = Time::from_unix_ms(1_000_000_000);

fn report() -> MemberReport {
    MemberReport { generation: 7, ..federation::testing::report::healthy("eu-1", NOW) }
}

static NO_PROBLEMS: Problems = Problems::new();

/// What is known of a member with which nothing is wrong.
fn known() -> Known<'static> {
    Known { seen: Some(Time::from_unix_ms(NOW.unix_ms - 42_000)), ..Known::new(&NO_PROBLEMS, NOW) }
}

fn facts(report: &MemberReport) -> Facts<'_> {
    Facts::new(report, known())
}

/// Statuses and reasons in one line.
fn line(conditions: &[Wanted]) -> String {
    let one = |c: &Wanted| format!("{}={}/{}", c.kind, c.status.as_str(), c.reason);
    conditions.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn message<'a>(conditions: &'a [Wanted], kind: &str) -> &'a str {
    conditions.iter().find(|condition| condition.kind == kind).map_or("", |condition| &condition.message)
}

fn clash(with: Option<&str>, their_use: RangeUse) -> Clash {
    Clash {
        mine: "10.8.0.0/14".parse().unwrap(),
        my_use: RangeUse::Pods,
        theirs: "10.9.0.0/16".parse().unwrap(),
        their_use,
        with: with.map(|name| ClusterId::new(name).unwrap()),
    }
}

#[test]
fn every_state_has_its_reason() {
    let down = |reason| LinkState::Down { reason, message: Arc::from("why"), since: NOW, seen: None };
    let good = "Connected=True/Connected Admitted=True/Admitted Synced=True/Synced Ready=True/Ready";
    type Change = Box<dyn Fn(&mut MemberReport)>;
    let table: Vec<(Change, &str)> = vec![
        (Box::new(|_| {}), good),
        (
            Box::new(|r| {
                r.link = LinkState::Pending;
                r.admission = Verdict::Pending(PendingReason::IdentityUnknown);
                r.uid = None;
            }),
            "Connected=Unknown/Connecting Admitted=Unknown/IdentityUnknown Synced=False/Stale Ready=False/Connecting",
        ),
        (
            Box::new(move |r| r.link = down(LinkFailure::SecretMissing)),
            "Connected=False/SecretMissing Admitted=True/Admitted Synced=False/Stale Ready=False/SecretMissing",
        ),
        (
            Box::new(move |r| r.link = down(LinkFailure::KubeconfigInvalid)),
            "Connected=False/KubeconfigInvalid Admitted=True/Admitted Synced=False/Stale Ready=False/KubeconfigInvalid",
        ),
        (
            Box::new(move |r| r.link = down(LinkFailure::CredentialRefused)),
            "Connected=False/CredentialRefused Admitted=True/Admitted Synced=False/Stale Ready=False/CredentialRefused",
        ),
        (
            Box::new(move |r| r.link = down(LinkFailure::Unreachable)),
            "Connected=False/Unreachable Admitted=True/Admitted Synced=False/Stale Ready=False/Unreachable",
        ),
        (
            Box::new(|r| {
                let uid = |text| ClusterUid(Arc::from(text));
                r.link = LinkState::IdentityChanged { found: uid("new"), admitted: uid("old"), since: NOW };
            }),
            "Connected=True/Connected Admitted=False/IdentityChanged Synced=False/NotAdmitted Ready=False/IdentityChanged",
        ),
        (
            Box::new(|r| r.listed = false),
            "Connected=True/Connected Admitted=True/Admitted Synced=False/Listing Ready=False/Listing",
        ),
        (
            Box::new(|r| r.admission = Verdict::Pending(PendingReason::CidrsUnknown { pods: true, services: false })),
            "Connected=True/Connected Admitted=Unknown/CIDRsUnknown Synced=False/NotAdmitted Ready=False/CIDRsUnknown",
        ),
        (
            Box::new(|r| r.admission = Verdict::Pending(PendingReason::AwaitingDecision)),
            "Connected=True/Connected Admitted=Unknown/AwaitingDecision Synced=False/NotAdmitted Ready=False/AwaitingDecision",
        ),
        (
            Box::new(|r| {
                r.admission = Verdict::Refused(Refusal::CidrOverlap(vec![clash(Some("us-1"), RangeUse::Pods)]));
            }),
            "Connected=True/Connected Admitted=False/CIDROverlap Synced=False/NotAdmitted Ready=False/CIDROverlap",
        ),
        (
            Box::new(|r| {
                let of = ClusterId::new("us-1").unwrap();
                r.admission = Verdict::Refused(Refusal::DuplicateCluster { of });
            }),
            "Connected=True/Connected Admitted=False/DuplicateCluster Synced=False/NotAdmitted Ready=False/DuplicateCluster",
        ),
        (
            Box::new(|r| r.admission = Verdict::Refused(Refusal::UnknownRegion)),
            "Connected=True/Connected Admitted=False/UnknownRegion Synced=False/NotAdmitted Ready=False/UnknownRegion",
        ),
        (
            Box::new(|r| r.admission = Verdict::AdmittedWithDrift(vec![clash(None, RangeUse::Reserved)])),
            "Connected=True/Connected Admitted=True/CIDRDrift Synced=True/Synced Ready=True/CIDRDrift",
        ),
        (Box::new(|r| r.mirrors_pending = 3), good),
    ];
    for (change, expected) in table {
        let mut report = report();
        change(&mut report);
        assert_eq!(line(&member(&facts(&report))), expected);
    }
}

#[test]
fn an_overlap_names_both_ranges_both_clusters_and_what_to_do() {
    let mut report = report();
    let mut clashes =
        vec![clash(Some("us-1"), RangeUse::Services), clash(None, RangeUse::Reserved), clash(None, RangeUse::Services)];
    report.admission = Verdict::Refused(Refusal::CidrOverlap(clashes.clone()));
    let conditions = member(&facts(&report));
    assert_eq!(
        message(&conditions, ADMITTED),
        "its pod range 10.8.0.0/14 overlaps service range 10.9.0.0/16 of member us-1; its pod range 10.8.0.0/14 overlaps \
         10.9.0.0/16, which a FederationPolicy reserves; its pod range 10.8.0.0/14 overlaps its own service range \
         10.9.0.0/16; it contributes and receives nothing until they are apart: change its ranges, or take the other \
         cluster out"
    );
    assert_eq!(message(&conditions, READY), message(&conditions, ADMITTED));
    clashes.resize(1_000, clash(Some("us-1"), RangeUse::Pods));
    report.admission = Verdict::Refused(Refusal::CidrOverlap(clashes));
    let conditions = member(&facts(&report));
    assert!(message(&conditions, ADMITTED).contains("and 992 more"));
    assert!(message(&conditions, ADMITTED).len() < 2_000);
}

#[test]
fn a_loss_says_when_the_member_last_answered() {
    let mut report = report();
    let seen = Some(Time::from_unix_ms(NOW.unix_ms - 60_000));
    report.link = LinkState::Down { reason: LinkFailure::Unreachable, message: Arc::from("refused"), since: NOW, seen };
    let later = "refused; it last answered at 1970-01-12T13:45:58Z";
    assert_eq!(message(&member(&facts(&report)), CONNECTED), later, "the later of both");
    let much_later = Facts::new(&report, Known { now: Time::from_unix_ms(NOW.unix_ms + 3_600_000), ..known() });
    assert_eq!(message(&member(&much_later), CONNECTED), later, "which stays so while nothing happens");
    report.link =
        LinkState::Down { reason: LinkFailure::Unreachable, message: Arc::from("refused"), since: NOW, seen: None };
    let never = Facts::new(&report, Known { seen: None, ..known() });
    assert_eq!(message(&member(&never), CONNECTED), "refused; it has never answered");
}

#[test]
fn a_new_credential_that_fails_is_reported_while_the_old_one_works() {
    let report = report();
    let note = Note { reason: NoteReason::Failure(LinkFailure::CredentialRefused), message: Arc::from("401") };
    let facts = Facts::new(&report, Known { note: Some(&note), ..known() });
    let conditions = member(&facts);
    assert_eq!(
        line(&conditions),
        "Connected=True/CredentialRefused Admitted=True/Admitted Synced=True/Synced Ready=True/CredentialRefused"
    );
    assert_eq!(message(&conditions, READY), "401");
}

#[test]
fn writes_under_way_do_not_unsync_but_failing_ones_do() {
    let mut report = report();
    report.mirrors_pending = 2;
    let failing = MirrorProgress {
        pending: 2,
        last_error: Some(Arc::from("Service shop/web: Forbidden")),
        ..MirrorProgress::default()
    };
    let first = Facts::new(&report, Known { was_synced: false, ..known() });
    assert_eq!(member(&first)[2].reason, "MirrorsPending");
    let broken = Facts::new(&report, Known { mirrors: Some(&failing), ..known() });
    let conditions = member(&broken);
    assert_eq!(conditions[2].status, Status::False);
    assert_eq!(
        conditions[2].message,
        "mirrored objects to be written: 2; the last failure: Service shop/web: Forbidden"
    );
    // Nothing failed, but what differs has differed for too long: a member is not synced while a mirror is missing.
    let late = member(&Facts { late: true, ..facts(&report) });
    assert_eq!(line(&late[2..]), "Synced=False/MirrorsPending Ready=False/MirrorsPending");
    // And no message ever claims that all is written while something differs.
    let young = member(&facts(&report));
    assert_eq!(young[2].message, "its objects are listed, and its mirrors are being brought up to date");
    report.mirrors_pending = 0;
    assert_eq!(member(&facts(&report))[2].message, "its objects are listed, and its mirrors are written");
    let rejected = Facts { rejected: 3, ..facts(&report) };
    assert_eq!(line(&member(&rejected)[2..]), "Synced=True/ObjectsRejected Ready=True/ObjectsRejected");
}

#[test]
fn a_bad_spec_shows_although_the_last_good_one_works() {
    let report = report();
    let problems = [format!("spec.network: found nothing; expected a name; {REJECTED}")];
    let conditions = member(&Facts { spec_problems: problems.to_vec(), ..facts(&report) });
    assert_eq!((conditions[3].status, conditions[3].reason), (Status::False, "InvalidSpec"));
    assert!(conditions[3].message.contains("found nothing") && conditions[3].message.contains("last good state"));
    // What is used without a part of it takes part.
    let part = ["spec.weight: found 0; expected 1 to 1000; it has no weight of its own".to_owned()];
    let conditions = member(&Facts { spec_problems: part.to_vec(), ..facts(&report) });
    assert_eq!((conditions[3].status, conditions[3].reason), (Status::True, "InvalidSpec"));
    assert!(conditions[3].message.contains("no weight of its own"));
    assert_eq!(
        line(&unusable(&problems)),
        "Connected=Unknown/InvalidSpec Admitted=False/InvalidSpec Synced=Unknown/InvalidSpec Ready=False/InvalidSpec"
    );
}

fn refused(why: AddressRefusal) -> RefusedAddress {
    let service = federation::model::ServiceKey::new("shop", "web").unwrap();
    RefusedAddress { why, service, ip: "10.9.0.1".parse().unwrap() }
}

#[test]
fn addresses_that_mean_more_or_less_than_one_pod_are_named() {
    let us = ClusterId::new("us-1").unwrap();
    let cases = [
        (AddressRefusal::InRangeOf(us.clone()), "EndpointsOutOfRange", "lies in a range of member us-1"),
        (AddressRefusal::AlsoOfferedBy(us), "DuplicateAddresses", "is offered by member us-1 too (served from neither"),
        (AddressRefusal::VirtualIp, "EndpointsOutOfRange", "lies in its own service range"),
        (AddressRefusal::Loopback, "EndpointsOutOfRange", "is a loopback address"),
        (AddressRefusal::OutsideRanges, "EndpointsOutOfRange", "(strictCidrs)"),
    ];
    for (why, reason, words) in cases {
        let mut report = report();
        report.refused = Listed::new(30, vec![refused(why); 30]);
        let conditions = member(&facts(&report));
        assert_eq!(line(&conditions[1..2]), format!("Admitted=True/{reason}"));
        let message = message(&conditions, READY);
        assert!(message.contains("10.9.0.1 of Service shop/web") && message.contains(words), "{message}");
        assert!(message.ends_with("; and 22 more"), "{message}");
    }
    let mut report = report();
    let service = refused(AddressRefusal::Loopback).service;
    report.outside = Listed::new(1, [OutsideAddress { service, ip: "192.168.7.5".parse().unwrap() }]);
    let conditions = member(&facts(&report));
    assert_eq!(line(&conditions[1..2]), "Admitted=True/EndpointsOutOfRange");
    let message = message(&conditions, READY);
    assert!(message.contains("are served") && message.contains("192.168.7.5 of Service shop/web"), "{message}");
    assert!(message.contains("spec.cidrs.pods") && message.contains("strictCidrs"), "{message}");
}

#[test]
fn policies_say_what_has_no_effect() {
    assert_eq!(line(&[accepted("FederationPolicy", &[], &[], &[])]), "Accepted=True/Accepted");
    assert!(
        accepted("FederationPolicy", &[], &["spec.safety.demoteAfter"], &[])
            .message
            .ends_with("in this version: spec.safety.demoteAfter")
    );
    assert_eq!(line(&[accepted("Region", &[format!("bad; {REJECTED}")], &[], &[])]), "Accepted=False/Invalid");
    assert_eq!(line(&[accepted("Region", &["bad; it counts once".to_owned()], &[], &[])]), "Accepted=True/Invalid");
}

#[test]
fn only_a_turn_moves_the_time_of_transition() {
    let wanted = |status, reason| Wanted { kind: CONNECTED, status, reason, message: String::new() };
    let first = with_history(&[], &[wanted(Status::True, "Connected")], Some(3), Time::from_unix_ms(1_000));
    let second = with_history(&first, &[wanted(Status::True, "CredentialRefused")], Some(3), Time::from_unix_ms(9_000));
    assert_eq!(second[0].last_transition_time, first[0].last_transition_time);
    let third = with_history(&second, &[wanted(Status::False, "Unreachable")], Some(3), Time::from_unix_ms(9_000));
    assert_eq!(third[0].last_transition_time, kube_time(Time::from_unix_ms(9_000)));
}

#[test]
fn a_member_that_another_hub_holds_says_so_and_how_to_take_it_over() {
    let mut report = report();
    report.mirrors_pending = 7;
    let claim = Claim { hub: Arc::from("6f0c"), number: 2 };
    let held = MirrorProgress { pending: 7, hold: Hold::Another(claim), ..MirrorProgress::default() };
    let conditions = member(&Facts::new(&report, Known { mirrors: Some(&held), ..known() }));
    assert_eq!(line(&conditions[2..]), "Synced=False/HeldByAnotherHub Ready=False/HeldByAnotherHub");
    let message = message(&conditions, READY);
    assert!(
        message.contains("kubectl annotate --overwrite membercluster eu-1 isthmus.dev/take-over=6f0c/2"),
        "{message}"
    );

    let hold = Hold::Failed(Arc::from("may not read Lease isthmus-system/isthmus-hub"));
    let unknown = MirrorProgress { hold, ..MirrorProgress::default() };
    let conditions = member(&Facts::new(&report, Known { mirrors: Some(&unknown), ..known() }));
    assert_eq!(line(&conditions[2..]), "Synced=False/HolderUnknown Ready=False/HolderUnknown");
    assert!(conditions[2].message.ends_with("may not read Lease isthmus-system/isthmus-hub"));
}

#[test]
fn what_does_not_work_as_expected_is_noted_while_all_is_well() {
    let mut report = report();
    report.counts.headless_mirrors = 2;
    let conditions = member(&facts(&report));
    assert_eq!(line(&conditions[2..]), "Synced=True/Synced Ready=True/Ready");
    assert!(conditions[2].message.contains("headless mirrors: 2; their names resolve to no address"));
    report.strangers = vec![federation::model::ServiceKey::new("shop", "copy").unwrap()];
    let notes = crate::conditions::text::notes(&report);
    assert_eq!(notes.len(), 2);
    assert!(notes[1].contains("shop/copy"));
    assert!(notes.iter().all(|note| member(&facts(&report))[2].message.contains(note)), "one text in both places");
}

#[test]
fn a_status_lists_the_first_problems_and_says_how_many_there_are() {
    let report = report();
    let status = |problems: usize, rejected, unlisted| {
        let problems: Vec<String> = (0..problems).map(|i| format!("Service shop/\u{202e}{i}\n: found a")).collect();
        let facts = Facts { rejected, unlisted, ..facts(&report) };
        crate::conditions::member_status::status(&facts, &problems, 7, &MemberClusterStatus::default()).problems
    };
    assert_eq!(status(2, 2, 0), [r"Service shop/\u{202e}0\n: found a", r"Service shop/\u{202e}1\n: found a"]);
    assert_eq!(status(32, 32, 0).len(), 32);
    for (problems, rejected, unlisted, rest) in [(33, 33, 0, 2), (40, 1_200, 944, 953), (3, 10, 7, 7)] {
        let shown = status(problems, rejected, unlisted);
        assert_eq!(shown.len(), (problems + 1).min(32));
        let last = format!("and {rest} more; objects with problems: {rejected}; see /debug/problems");
        assert_eq!(shown.last(), Some(&last));
    }
}

#[test]
fn last_seen_moves_in_steps_and_never_back() {
    let report = report();
    let at = |seconds: i64| Some(Time::from_unix_ms(NOW.unix_ms + seconds * 1_000));
    let status = |seen, before: &MemberClusterStatus| {
        crate::conditions::member_status::status(&Facts::new(&report, Known { seen, ..known() }), &[], 7, before)
    };
    // Exactly when it first answered: not a full ten seconds, which could be before there was the object.
    let first = status(at(3), &MemberClusterStatus::default());
    let recorded =
        |status: &MemberClusterStatus| status.last_seen.as_ref().map(|seen| seen.0.as_second() - NOW.unix_ms / 1_000);
    assert_eq!(recorded(&first), Some(3));
    for (seconds, expected) in [(9, 3), (12, 3), (13, 13), (2, 3)] {
        assert_eq!(recorded(&status(at(seconds), &first)), Some(expected), "{seconds} s");
    }
    assert_eq!(recorded(&status(None, &first)), Some(3), "a controller that has not called it yet");
}

#[test]
fn what_is_not_known_since_a_start_is_kept_as_it_was() {
    let mut report = report();
    report.counts.endpoints = 5;
    let known = crate::conditions::member_status::status(
        &facts(&report),
        &["a problem".to_owned()],
        7,
        &MemberClusterStatus::default(),
    );
    report.known = false;
    report.counts.endpoints = 0;
    report.cidrs = Cidrs::default();
    report.link =
        LinkState::Down { reason: LinkFailure::Unreachable, message: Arc::from("refused"), since: NOW, seen: None };
    let later = crate::conditions::member_status::status(&facts(&report), &[], 7, &known);
    assert_eq!((later.counts, &later.cidrs, &later.problems), (known.counts, &known.cidrs, &known.problems));
    report.known = true;
    let fresh = crate::conditions::member_status::status(&facts(&report), &[], 7, &known);
    assert_eq!(
        (fresh.counts.map(|counts| counts.endpoints), fresh.problems.len()),
        (Some(0), 0),
        "known to be nothing"
    );
}
