#![allow(clippy::unwrap_used)]

use federation::HubKind;
use federation::change::LinkFailure;
use federation::model::{ClusterUid, Time};

use super::*;
use crate::process::engine::tests::report;

fn down() -> LinkState {
    let message = "https://10.0.0.1:6443: connection refused (could not read its version)".into();
    LinkState::Down { reason: LinkFailure::Unreachable, message, since: Time::default(), seen: None }
}

#[test]
fn each_phase_says_what_is_missing_why_and_until_when() {
    let members = BTreeMap::from([
        report("us-1", true, down()),
        report("eu-1", false, LinkState::Up { since: Time::default() }),
        report("ap-1", true, LinkState::Pending),
    ]);
    let at = Time::from_unix_ms(1_800_000_000_000);
    let of = |phase, until, waited| Knowledge { phase, hub_missing: Vec::new(), until, waited };
    let unknown = "ap-1: no connection was tried yet; us-1: Unreachable: https://10.0.0.1:6443: connection refused (could \
                   not read its version)";

    let waiting = Knowledge { hub_missing: vec![HubKind::Regions, HubKind::Members], ..Knowledge::default() };
    let shown =
        text(&waiting, &members, &["the hub cannot be reached to watch regions: connection refused".to_owned()]);
    assert_eq!(
        shown,
        "waiting for the hub, nothing is served: not listed yet: Regions, MemberClusters: the hub cannot be reached to \
         watch regions: connection refused"
    );
    assert!(!waiting.is_ready() && !waiting.serves());

    let waiting = of(Phase::WaitingForMembers, Some(at), false);
    assert!(
        text(&waiting, &members, &[]).ends_with(&format!("nothing is served before 2027-01-15T08:00:00Z: {unknown}"))
    );
    assert!(!waiting.is_ready() && !waiting.serves());

    let incomplete = of(Phase::Incomplete, Some(at), false);
    let shown = text(&incomplete, &members, &[]);
    assert!(
        shown.starts_with("serving, but not ready before 2027-01-15T08:00:00Z") && shown.ends_with(unknown),
        "{shown}"
    );
    assert!(!incomplete.is_ready() && incomplete.serves());

    let waited = of(Phase::Incomplete, None, true);
    let shown = text(&waited, &members, &[]);
    assert!(shown.starts_with("ok, but these members are not known") && shown.ends_with(unknown), "{shown}");
    assert!(waited.is_ready());
    let page = knowledge_json(&waited, &members, &[]);
    assert_eq!(
        (page.ready, page.unknown.keys().cloned().collect::<Vec<_>>()),
        (true, vec!["ap-1".into(), "us-1".into()])
    );

    let known = BTreeMap::from([report("eu-1", false, down())]);
    assert_eq!(text(&of(Phase::Complete, None, false), &known, &[]), "ok", "known once is known");
}

#[test]
fn why_a_member_is_not_known_is_shown_by_its_reason() {
    let (_, other) = report(
        "us-1",
        true,
        LinkState::IdentityChanged {
            found: ClusterUid("one".into()),
            admitted: ClusterUid("two".into()),
            since: Time::default(),
        },
    );
    assert!(why_unknown(&other).starts_with("IdentityChanged"), "{}", why_unknown(&other));
    let (_, up) = report("us-1", true, LinkState::Up { since: Time::default() });
    assert!(why_unknown(&up).starts_with("Listing"), "{}", why_unknown(&up));
    let denied = MemberReport { unreadable: vec![(MemberKind::Nodes, "no".into())], ..(*up).clone() };
    assert!(why_unknown(&denied).starts_with("Listing"), "nodes are not what it waits for");
    let denied = MemberReport { unreadable: vec![(MemberKind::Exports, "may not list".into())], ..(*up).clone() };
    assert_eq!(why_unknown(&denied), "KindUnreadable: serviceexports: may not list");
}

#[test]
fn of_a_thousand_members_the_first_few_and_the_number_are_shown() {
    let members = (0..1_000).map(|n| report(&format!("m{n:04}"), true, LinkState::Pending)).collect();
    let text = text(&Knowledge { phase: Phase::Incomplete, waited: true, ..Knowledge::default() }, &members, &[]);
    assert!(text.ends_with("; and 992 more") && text.len() < 1_000, "{text}");
}
