//! What is not known is never published as if it were absent.

use super::{down, from_member, hosts, up, verdict, work};
use crate::change::{Batch, Delta, HubChanges, LinkChange, LinkFailure, MemberChanges, MemberKind};
use crate::testing::{TestFederation, make};
use crate::{Authority, Awaits, Config, Engine, HubKind};

const ALL_KINDS: [MemberKind; 6] = [
    MemberKind::Namespaces,
    MemberKind::Services,
    MemberKind::Slices,
    MemberKind::Exports,
    MemberKind::Nodes,
    MemberKind::ServiceCidrs,
];

/// Two members on record that both back `shop/web`, and one service each of their own.
fn federation() -> TestFederation {
    let mut federation = TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .member("b", "eu", "10.1.0.0/16", "10.97.0.0/16")
        .service("a", "shop/web", &[80])
        .endpoints("a", "shop/web", &["10.0.0.1"])
        .service("b", "shop/web", &[80, 81])
        .endpoints("b", "shop/web", &["10.1.0.1"])
        .service("b", "shop/only-b", &[80])
        .endpoints("b", "shop/only-b", &["10.1.0.2"]);
    federation.members[0].recorded = Some(make::admission(5, "uid-a", "10.0.0.0/16", "10.96.0.0/16"));
    federation.members[1].recorded = Some(make::admission(6, "uid-b", "10.1.0.0/16", "10.97.0.0/16"));
    federation
}

fn engine(awaits: Awaits) -> Engine {
    Engine::new(Config { awaits, ..TestFederation::config(Authority::Own) })
}

fn unknown(engine: &Engine) -> Vec<&str> {
    engine.unknown().iter().map(crate::model::ClusterId::as_str).collect()
}

fn names(engine: &Engine) -> Vec<String> {
    let mut names: Vec<String> = engine.merged().keys().map(ToString::to_string).collect();
    names.sort();
    names
}

fn kind_of(batch: &Batch) -> Option<MemberKind> {
    let Batch::Member { changes, .. } = batch else { return None };
    Some(match changes {
        MemberChanges::Namespaces(_) => MemberKind::Namespaces,
        MemberChanges::Services(_) => MemberKind::Services,
        MemberChanges::Slices(_) => MemberKind::Slices,
        MemberChanges::Exports(_) => MemberKind::Exports,
        MemberChanges::Nodes(_) => MemberKind::Nodes,
        MemberChanges::ServiceCidrs(_) => MemberKind::ServiceCidrs,
        MemberChanges::Link(_) | MemberChanges::Unreadable { .. } => return None,
    })
}

/// A listing without these kinds.
fn without(federation: &TestFederation, cluster: &str, epoch: u64, kinds: &[MemberKind]) -> Vec<Batch> {
    let mut batches = federation.listing(cluster, epoch);
    batches.retain(|batch| kind_of(batch).is_none_or(|kind| !kinds.contains(&kind)));
    batches
}

fn unreadable(cluster: &str, kind: MemberKind) -> Batch {
    from_member(cluster, 1, MemberChanges::Unreadable { kind, message: "forbidden".into(), partly: false })
}

#[test]
fn nothing_is_decided_before_the_hubs_lists_are_complete() {
    let federation = federation();
    let last = |batch: &Batch| match batch {
        Batch::Hub(HubChanges::Regions(_)) => HubKind::Regions,
        Batch::Hub(HubChanges::Policies(_)) => HubKind::Policies,
        _ => HubKind::Members,
    };
    for withheld in 0..3 {
        let mut hub = federation.hub();
        let late = hub.remove(withheld);
        let mut engine = engine(Awaits::Admitted);
        assert_eq!(engine.hub_missing(), HubKind::ALL);
        let batches = [hub, federation.listing("a", 1), federation.listing("b", 1)].concat();
        let effects = engine.apply(batches, make::at(1));
        assert!(effects.is_empty(), "without {late:?}: {effects:?}");
        assert!(!engine.synced() && engine.reports().is_empty());
        assert_eq!(engine.hub_missing(), [last(&late)]);
        engine.apply([late.clone()], make::at(2));
        // Members that come last are new to it, and what was reported of them before is gone.
        engine.apply([federation.listing("a", 2), federation.listing("b", 2)].concat(), make::at(3));
        assert_eq!(names(&engine), ["shop/only-b", "shop/web"], "with {late:?} last");
        assert_eq!((verdict(&engine, "a"), verdict(&engine, "b")), ("admitted".to_owned(), "admitted".to_owned()));
        assert!(engine.synced());
    }
}

#[test]
fn a_member_contributes_nothing_before_all_that_decides_was_listed() {
    let federation = federation();
    for late in MemberKind::DECIDING {
        let mut engine = engine(Awaits::Admitted);
        engine.apply([federation.hub(), federation.listing("a", 1)].concat(), make::at(1));
        engine.apply(without(&federation, "b", 1, &[late]), make::at(2));
        assert_eq!(names(&engine), ["shop/web"], "{late:?} is late");
        assert_eq!(hosts(&engine, "shop/web"), "p80:80/TCP a/- 10.0.0.1:8080");
        assert_eq!(unknown(&engine), ["b"]);
        assert!(engine.vips().keys().all(|id| id.as_str() == "a"), "nor is it known how its own clients call anything");
        let rest: Vec<_> =
            federation.listing("b", 1).into_iter().filter(|batch| kind_of(batch) == Some(late)).collect();
        let effects = engine.apply(rest, make::at(3));
        assert!(effects.unknown.is_some_and(|unknown| unknown.is_empty()));
        assert_eq!(hosts(&engine, "shop/only-b"), "p80:80/TCP b/- 10.1.0.2:8080");
        assert!(engine.synced() && engine.vips().len() == 2);
    }
    // Ranges that are declared need no discovery.
    let mut engine = engine(Awaits::Admitted);
    let ranges = [MemberKind::Nodes, MemberKind::ServiceCidrs];
    engine.apply(
        [federation.hub(), federation.listing("a", 1), without(&federation, "b", 1, &ranges)].concat(),
        make::at(1),
    );
    assert!(engine.synced(), "{:?}", engine.unknown());
}

#[test]
fn what_was_listed_once_is_known_whatever_the_link_does() {
    let federation = federation();
    for late in MemberKind::DECIDING {
        let mut engine = federation.engine(make::at(1));
        let before = hosts(&engine, "shop/web");
        engine.apply([down("b", 1), up("b", 2, "uid-b")], make::at(2));
        engine.apply(without(&federation, "b", 2, &[late]), make::at(3));
        assert!(engine.synced());
        assert_eq!(hosts(&engine, "shop/web"), before, "{late:?}");
    }
}

#[test]
fn a_right_that_is_lost_makes_nothing_else_unknown() {
    let federation = federation();
    for kind in ALL_KINDS {
        let mut engine = federation.engine(make::at(1));
        let effects = engine.apply([unreadable("b", kind)], make::at(2));
        assert!(effects.services.is_empty() && effects.vips.is_empty() && effects.topology.is_none(), "{kind:?}");
        let report = &engine.reports()[&make::cluster("b")];
        assert_eq!(report.unreadable, [(kind, "forbidden".into())]);
        assert_eq!(report.listed, !kind.is_deciding());
        assert!(report.known && engine.synced(), "{kind:?}");
        assert_eq!(verdict(&engine, "b"), "admitted");
        // The others are followed.
        if kind != MemberKind::Slices {
            let slice = make::slice("shop/only-b", "only-b-1", "p80:8080", &["10.1.0.7"]);
            engine.apply([from_member("b", 1, MemberChanges::Slices(Delta::put(slice)))], make::at(3));
            assert_eq!(hosts(&engine, "shop/only-b"), "p80:80/TCP b/- 10.1.0.7:8080", "{kind:?}");
        }
        let again: Vec<_> =
            federation.listing("b", 1).into_iter().filter(|batch| kind_of(batch) == Some(kind)).collect();
        engine.apply(again, make::at(4));
        assert!(engine.reports()[&make::cluster("b")].unreadable.is_empty(), "{kind:?}");
    }
}

#[test]
fn a_right_that_is_missing_from_the_start_keeps_unknown_what_it_decides_and_no_more() {
    let federation = federation();
    for kind in ALL_KINDS {
        let mut engine = engine(Awaits::Admitted);
        let b = [without(&federation, "b", 1, &[kind]), vec![unreadable("b", kind)]].concat();
        engine.apply([federation.hub(), federation.listing("a", 1), b].concat(), make::at(1));
        let expected: &[&str] = if kind.is_deciding() { &["b"] } else { &[] };
        assert_eq!(unknown(&engine), expected, "{kind:?}");
        assert_eq!(names(&engine).contains(&"shop/only-b".to_owned()), expected.is_empty(), "{kind:?}");
    }
}

/// A folder of which some files cannot be read: the others are used, and what is in the rest is not known.
#[test]
fn a_member_of_which_a_part_is_reported_contributes_that_part_and_is_not_known() {
    let federation = federation();
    let mut engine = engine(Awaits::Admitted);
    engine.apply([federation.hub(), federation.listing("a", 1)].concat(), make::at(1));
    let part = |kind| from_member("b", 1, MemberChanges::Unreadable { kind, message: "a file".into(), partly: true });
    // Whatever the order of kinds: at no moment is it known.
    for batch in without(&federation, "b", 1, &[]) {
        let kind = kind_of(&batch);
        engine.apply([batch], make::at(2));
        assert_eq!(unknown(&engine), ["b"]);
        engine.apply(kind.map(part), make::at(2));
        assert_eq!(unknown(&engine), ["b"]);
    }
    assert_eq!(names(&engine), ["shop/only-b", "shop/web"], "the part counts");
    // A new connection brings no knowledge by itself.
    engine.apply([down("b", 1), up("b", 2, "uid-b")], make::at(3));
    assert_eq!(unknown(&engine), ["b"]);
    engine.apply(without(&federation, "b", 2, &[MemberKind::Slices]), make::at(4));
    assert_eq!(unknown(&engine), ["b"]);
    engine.apply(federation.listing("b", 2), make::at(5));
    assert_eq!(unknown(&engine), [""; 0]);
}

#[test]
fn members_on_record_have_to_be_known_and_newcomers_do_not() {
    let mut federation = federation().member("new", "eu", "10.2.0.0/16", "10.98.0.0/16");
    federation.members[1].recorded = None;
    let mut engine = engine(Awaits::Admitted);
    engine.apply(federation.hub(), make::at(1));
    assert_eq!(unknown(&engine), ["a"], "the others were never admitted");
    for (reason, epoch) in
        [(LinkFailure::Unreachable, 1), (LinkFailure::SecretMissing, 2), (LinkFailure::CredentialRefused, 3)]
    {
        let gone = LinkChange::Down { reason, message: "no".into() };
        engine.apply([from_member("a", epoch, MemberChanges::Link(gone))], make::at(2));
        assert_eq!(unknown(&engine), ["a"], "{reason:?} does not show what the member holds");
    }
    engine.apply([up("a", 4, "uid-stranger")], make::at(3));
    assert_eq!(unknown(&engine), ["a"], "another cluster's objects are not its own");
    engine.apply(federation.listing("a", 5), make::at(4));
    assert!(engine.synced());

    let mut all = Engine::new(Config { awaits: Awaits::NotRefused, ..TestFederation::config(Authority::Own) });
    federation.members[2].region = make::region_id("nowhere");
    all.apply(federation.hub(), make::at(1));
    assert_eq!(unknown(&all), ["a", "b"], "only what is refused need not be known: {}", verdict(&all, "new"));
}

#[test]
fn that_a_member_is_deleted_or_refused_is_knowledge() {
    let federation = federation();
    let mut engine = engine(Awaits::Admitted);
    engine.apply([federation.hub(), federation.listing("a", 1)].concat(), make::at(1));
    assert_eq!(unknown(&engine), ["b"]);
    let delete = Batch::Hub(HubChanges::Members(Delta::delete(make::cluster("b"))));
    let effects = engine.apply([delete], make::at(2));
    assert!(engine.synced() && effects.unknown.is_some());

    let mut engine = Engine::new(Config { awaits: Awaits::NotRefused, ..TestFederation::config(Authority::Own) });
    let mut unrecorded = federation;
    unrecorded.members.iter_mut().for_each(|member| member.recorded = None);
    engine.apply([unrecorded.hub(), unrecorded.listing("a", 1)].concat(), make::at(1));
    assert_eq!(unknown(&engine), ["b"]);
    let mut clashing = unrecorded.members[1].clone();
    clashing.pods = Some(vec!["10.0.128.0/17".parse().expect("a range")]);
    engine.apply([Batch::Hub(HubChanges::Members(Delta::put(clashing)))], make::at(2));
    assert!(verdict(&engine, "b").starts_with("refused"), "{}", verdict(&engine, "b"));
    assert!(engine.synced(), "{:?}", engine.unknown());
}

/// Mirrors in a known member name members that are not known.
#[test]
fn a_mirror_for_an_unknown_member_is_neither_unfederated_nor_rewritten() {
    let federation = federation()
        .service_object("a", make::mirror("shop/only-b", "p80:80", "10.96.0.7", "b"))
        .service_object("a", make::mirror("shop/stale", "p80:80", "10.96.0.8", "gone"))
        .member("c", "eu", "10.3.0.0/16", "10.99.0.0/16")
        .service_object("c", make::mirror("shop/web", "p80:80 p81:81", "10.99.0.7", "a b"));
    let mut engine = engine(Awaits::Admitted);
    engine.apply([federation.hub(), federation.listing("a", 1), federation.listing("c", 1)].concat(), make::at(1));
    let vips = |engine: &Engine, cluster: &str, key: &str| {
        let vips = &engine.vips()[&make::cluster(cluster)][&make::key(key)];
        (vips.federated, vips.awaits_source)
    };
    assert_eq!(vips(&engine, "a", "shop/only-b"), (false, true), "that is not known");
    assert_eq!(vips(&engine, "a", "shop/stale"), (false, false), "its source is no member any more");
    assert_eq!(vips(&engine, "c", "shop/web"), (true, true));
    assert_eq!(work(&engine, "c"), [""; 0], "the mirror keeps the port that only the unknown member has");
    engine.apply(federation.listing("b", 1), make::at(2));
    assert_eq!(vips(&engine, "a", "shop/only-b"), (true, false));
    assert_eq!(vips(&engine, "c", "shop/web"), (true, false));
    assert_eq!(work(&engine, "c"), ["apply namespace shop", "apply shop/only-b p80:80/TCP for b"][1..]);
}
