//! A name always means the same cluster: what another one reports under it is not used.

use super::{from_member, hosts, up, verdict};
use crate::change::{Batch, Delta, HubChanges, MemberChanges};
use crate::report::LinkState;
use crate::testing::{TestFederation, make};
use crate::{Authority, Engine};

fn federation() -> TestFederation {
    TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .service("a", "shop/web", &[80])
        .endpoints("a", "shop/web", &["10.0.0.1"])
}

/// The same member as another cluster would present itself.
fn stranger() -> TestFederation {
    let mut federation = federation();
    federation.contents("a").uid = "uid-stranger".to_owned();
    federation.contents("a").slices = vec![make::slice("shop/web", "web-1", "p80:8080", &["10.0.0.66"])];
    federation
}

fn link(engine: &Engine) -> LinkState {
    engine.reports()[&make::cluster("a")].link.clone()
}

fn changed(since: i64) -> LinkState {
    let (found, admitted) = (make::uid("uid-stranger"), make::uid("uid-a"));
    LinkState::IdentityChanged { found, admitted, since: make::at(since) }
}

#[test]
fn an_admitted_member_whose_credential_reaches_another_cluster_keeps_its_old_state() {
    let mut engine = federation().engine(make::at(1));
    let effects = engine.apply(stranger().listing("a", 2), make::at(2));
    assert_eq!(link(&engine), changed(2));
    assert_eq!(verdict(&engine, "a"), "admitted");
    assert_eq!(hosts(&engine, "shop/web"), "p80:80/TCP a/- 10.0.0.1:8080");
    assert!(effects.services.is_empty() && effects.vips.is_empty() && effects.topology.is_none());

    engine.apply(federation().listing("a", 3), make::at(3));
    assert_eq!(link(&engine), LinkState::Up { since: make::at(3) });
}

#[test]
fn a_record_that_comes_with_or_after_the_strangers_words_takes_them_back() {
    let mut recorded = federation();
    recorded.members[0].recorded = Some(make::admission(5, "uid-a", "10.0.0.0/16", "10.96.0.0/16"));
    for authority in [Authority::Own, Authority::Recorded] {
        // In one round.
        let mut engine = Engine::new(TestFederation::config(authority));
        let batches = [recorded.hub(), stranger().listing("a", 1)].concat();
        engine.apply(batches, make::at(10));
        assert_eq!(link(&engine), changed(10), "{authority:?}");
        assert!(engine.merged().is_empty() && engine.vips().is_empty(), "{authority:?}");
    }
    // The record comes later: only a process that follows records can meet this.
    let mut engine = Engine::new(TestFederation::config(Authority::Recorded));
    engine.apply([federation().hub(), stranger().listing("a", 1)].concat(), make::at(10));
    engine.apply(recorded.hub(), make::at(11));
    assert_eq!(link(&engine), changed(11));
    assert!(engine.merged().is_empty() && engine.vips().is_empty());
    engine.apply(recorded.listing("a", 2), make::at(12));
    assert_eq!(hosts(&engine, "shop/web"), "p80:80/TCP a/- 10.0.0.1:8080");
}

#[test]
fn a_process_that_follows_records_compares_with_the_latest_record() {
    let mut first = federation();
    first.members[0].recorded = Some(make::admission(5, "uid-a", "10.0.0.0/16", "10.96.0.0/16"));
    let mut engine = Engine::new(TestFederation::config(Authority::Recorded));
    engine.apply(first.batches(), make::at(10));
    let mut replaced = stranger();
    replaced.members[0].recorded = Some(make::admission(20, "uid-stranger", "10.0.0.0/16", "10.96.0.0/16"));
    engine.apply([replaced.hub(), replaced.listing("a", 2)].concat(), make::at(21));
    assert_eq!(hosts(&engine, "shop/web"), "p80:80/TCP a/- 10.0.0.66:8080");
}

#[test]
fn a_refused_member_whose_credential_reaches_another_cluster_starts_from_nothing() {
    let mut first = federation();
    first.members[0].region = make::region_id("us");
    let mut engine = first.engine(make::at(1));
    assert_eq!(verdict(&engine, "a"), "refused: unknown region");
    // Another cluster answers now, the region appears, but nothing was listed yet.
    let region = Batch::Hub(HubChanges::Regions(Delta::put(make::region("us", &[]))));
    engine.apply([up("a", 2, "uid-stranger"), region], make::at(2));
    assert_eq!(verdict(&engine, "a"), "admitted");
    assert!(engine.merged().is_empty(), "the first cluster's objects are not the second one's");
}

#[test]
fn batches_of_an_old_connection_are_dropped() {
    let mut engine = federation().engine(make::at(1));
    engine.apply([up("a", 3, "uid-a")], make::at(2));
    let slice = make::slice("shop/web", "web-1", "p80:8080", &["10.0.0.9"]);
    let old = from_member("a", 1, MemberChanges::Slices(Delta::put(slice.clone())));
    let future = from_member("a", 4, MemberChanges::Slices(Delta::put(slice)));
    let stale_down = super::down("a", 1);
    assert!(engine.apply([old, future, stale_down], make::at(3)).is_empty());
    assert_eq!(hosts(&engine, "shop/web"), "p80:80/TCP a/- 10.0.0.1:8080");
}

#[test]
fn batches_of_a_cluster_that_is_no_member_are_dropped() {
    let mut engine = Engine::new(TestFederation::config(Authority::Own));
    assert!(engine.apply(federation().listing("a", 1), make::at(1)).is_empty());
    engine.apply(federation().hub(), make::at(2));
    assert!(engine.merged().is_empty());
}
