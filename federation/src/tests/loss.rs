//! Losing an API server does not mean that workloads are gone: nothing is withdrawn, nothing is deleted.

use super::{down, from_member, hosts, only_reports, up, work};
use crate::change::{Delta, MemberChanges};
use crate::report::LinkState;
use crate::testing::{Published, TestFederation, make};

fn federation() -> TestFederation {
    TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .member("b", "eu", "10.1.0.0/16", "10.97.0.0/16")
        .service("a", "shop/web", &[80])
        .endpoints("a", "shop/web", &["10.0.0.1", "10.0.0.2"])
        .service("b", "shop/api", &[80])
        .endpoints("b", "shop/api", &["10.1.0.1"])
}

#[test]
fn a_lost_api_server_changes_its_report_and_nothing_else() {
    for cluster in ["a", "b"] {
        let mut engine = federation().engine(make::at(1));
        let before = Published::of(&engine);
        let effects = engine.apply([down(cluster, 1)], make::at(2));
        assert!(only_reports(&effects), "{effects:?}");
        let reported: Vec<_> = effects.members.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(reported, [cluster]);
        let after = Published::of(&engine);
        assert_eq!((&after.merged, &after.vips), (&before.merged, &before.vips));
        assert_eq!((&after.topology, &after.mirror_work), (&before.topology, &before.mirror_work));
        let link = after.reports[&make::cluster(cluster)].link.clone();
        assert!(
            matches!(link, LinkState::Down { since, seen: Some(seen), .. } if since == seen && since == make::at(2))
        );
    }
}

#[test]
fn failing_again_does_not_make_it_look_fresher() {
    let mut engine = federation().engine(make::at(1));
    engine.apply([down("a", 1)], make::at(2));
    assert!(engine.apply([down("a", 2)], make::at(3)).is_empty(), "the same reason, still the same age");
}

#[test]
fn a_list_that_was_never_completed_is_not_an_empty_cluster() {
    let mut engine = federation().engine(make::at(1));
    let effects = engine.apply([down("a", 1), up("a", 2, "uid-a")], make::at(2));
    assert!(effects.services.is_empty() && effects.vips.is_empty());
    assert_eq!(hosts(&engine, "shop/web"), "p80:80/TCP a/- 10.0.0.1:8080 10.0.0.2:8080");
    assert!(engine.synced(), "what was listed once is known");
    assert!(!engine.reports()[&make::cluster("a")].listed);
}

#[test]
fn a_relist_with_the_same_content_changes_nothing() {
    let mut engine = federation().engine(make::at(1));
    let again: Vec<_> = federation().batches().into_iter().filter(|batch| !is_link(batch)).collect();
    let effects = engine.apply(again, make::at(2));
    assert!(effects.is_empty(), "{effects:?}");

    // On a new connection, only the link's age differs when all is listed again.
    let before = Published::of(&engine);
    let effects = engine.apply(federation().listing("a", 2), make::at(3));
    assert!(only_reports(&effects), "{effects:?}");
    let mut after = Published::of(&engine);
    after.reports = before.reports.clone();
    assert_eq!(before.difference(&after), None);
}

fn is_link(batch: &crate::change::Batch) -> bool {
    matches!(batch, crate::change::Batch::Member { changes: MemberChanges::Link(_), .. })
}

#[test]
fn a_relist_finds_what_vanished_and_keeps_what_was_rejected() {
    let federation = federation().service("a", "shop/two", &[80]).service("a", "shop/three", &[80]);
    let mut engine = federation.engine(make::at(1));
    let rejected = vec![make::key("shop/web")];
    let full = Delta::Full { objects: vec![make::service("shop/three", "p80:80", "10.96.0.10")], rejected };
    engine.apply([from_member("a", 1, MemberChanges::Services(full))], make::at(2));
    let mut keys: Vec<String> = engine.merged().keys().map(ToString::to_string).collect();
    keys.sort();
    assert_eq!(keys, ["shop/api", "shop/three", "shop/web"]);
    assert_eq!(hosts(&engine, "shop/web"), "p80:80/TCP a/- 10.0.0.1:8080 10.0.0.2:8080");
}

#[test]
fn removing_a_member_takes_all_that_was_its_own() {
    use crate::change::{Batch, HubChanges};
    let mut engine = federation().engine(make::at(1));
    assert_eq!(work(&engine, "a").len(), 1);
    engine.apply([Batch::Hub(HubChanges::Members(Delta::delete(make::cluster("a"))))], make::at(2));
    assert_eq!(engine.merged().len(), 1);
    assert!(engine.vips().keys().all(|id| id.as_str() == "b"));
    assert_eq!(work(&engine, "a"), [""; 0]);
    assert!(!engine.reports().contains_key(&make::cluster("a")));
}
