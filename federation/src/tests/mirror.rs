//! What each member's DNS needs: applied where it is missing, never over what is a user's, deleted only without doubt.

use super::{down, from_member, up, work};
use crate::Engine;
use crate::change::{Change, Delta, MemberChanges};
use crate::model::{Mark, NamespaceObject, Owner, Service, ServiceKind};
use crate::testing::{TestFederation, make};

/// `a` has shop/web; what `b` has is up to the test.
fn federation() -> TestFederation {
    TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .member("b", "eu", "10.1.0.0/16", "10.97.0.0/16")
        .member("c", "eu", "10.2.0.0/16", "10.98.0.0/16")
        .service_object("a", make::service("shop/web", "http:80", "10.96.0.1"))
}

/// This hub's mirror of shop/web as desired in `b`.
fn right() -> Service {
    make::mirror("shop/web", "http:80", "10.97.0.9", "a")
}

const APPLY: &str = "apply shop/web http:80/TCP for a";
const DELETE: &str = "delete shop/web (uid-shop/web, 1)";

/// The work in `b` if this exists there.
fn check(found: Service, expected: &[&str]) {
    let engine = federation().service_object("b", found.clone()).engine(make::at(1));
    assert_eq!(work(&engine, "b"), expected, "{found:?}");
}

fn put(cluster: &str, service: Service) -> crate::change::Batch {
    from_member(cluster, 1, MemberChanges::Services(Delta::put(service)))
}

fn gone(cluster: &str) -> crate::change::Batch {
    from_member(cluster, 1, MemberChanges::Services(Delta::delete(make::key("shop/web"))))
}

#[test]
fn a_missing_namespace_and_service_are_both_applied() {
    let mut engine = federation().engine(make::at(1));
    assert_eq!(work(&engine, "a"), [""; 0], "the exporter has the real one");
    assert_eq!(work(&engine, "b"), ["apply namespace shop", APPLY]);
    let namespace = MemberChanges::Namespaces(Delta::put(make::namespace("shop", "")));
    engine.apply([from_member("b", 1, namespace), put("b", right())], make::at(2));
    assert_eq!(work(&engine, "b"), [""; 0]);
}

#[test]
fn a_users_own_service_is_left_alone() {
    check(make::service("shop/web", "other:9", "10.97.0.1"), &[]);
    check(Service { kind: ServiceKind::ExternalName, ..make::service("shop/web", "", "") }, &[]);
}

#[test]
fn what_is_ours_is_put_right() {
    check(right(), &[]);
    check(make::mirror("shop/web", "http:81", "10.97.0.9", "a"), &[APPLY]);
    check(make::mirror("shop/web", "http:80 x:81", "10.97.0.9", "a"), &[APPLY]);
    check(make::mirror("shop/web", "http:80=grpc", "10.97.0.9", "a"), &[APPLY]);
    check(make::mirror("shop/web", "http:80", "10.97.0.9", "a c"), &[APPLY]);
    // A user changed it to an ExternalName.
    check(Service { kind: ServiceKind::ExternalName, ..right() }, &[APPLY]);
}

#[test]
fn what_another_manager_took_over_is_released() {
    check(Service { owner: Owner::Adopted, ..right() }, &["release shop/web"]);
    let orphaned = Service { owner: Owner::Adopted, ..make::service("shop/old", "http:80", "10.97.0.9") };
    let engine = federation().service_object("b", orphaned).engine(make::at(1));
    assert_eq!(work(&engine, "b"), ["release shop/old", APPLY].map(str::to_owned).as_slice());
}

#[test]
fn a_users_service_over_our_mirror_and_back() {
    let mut engine = federation().service_object("b", right()).engine(make::at(1));
    engine.apply([put("b", make::service("shop/web", "http:80", "10.97.0.9"))], make::at(2));
    assert_eq!(work(&engine, "b"), [""; 0]);
    assert_eq!(super::merged(&engine, "shop/web").sources, make::clusters("a b"));
    engine.apply([gone("b")], make::at(3));
    assert_eq!(work(&engine, "b"), [APPLY], "the mirror returns");
}

#[test]
fn an_orphan_is_deleted_only_while_all_members_that_could_back_it_are_connected() {
    let federation = federation().service_object("b", right());
    let mut engine = federation.engine(make::at(1));
    engine.apply([down("c", 1)], make::at(2));
    engine.apply([gone("a")], make::at(3));
    assert_eq!(work(&engine, "b"), [""; 0], "c is down, and it might export shop/web by now");
    engine.apply([up("c", 2, "uid-c")], make::at(4));
    assert_eq!(work(&engine, "b"), [""; 0], "c is up, but not listed");
    engine.apply(federation.listing("c", 2), make::at(5));
    assert_eq!(work(&engine, "b"), [DELETE]);

    // Doubt that comes before the writer did takes the delete back, and certainty brings it again.
    let effects = engine.apply([down("a", 1)], make::at(6));
    assert_eq!(work(&engine, "b"), [""; 0]);
    assert_eq!(effects.mirrors.len(), 1);
    let mut empty = federation.clone();
    empty.contents("a").services.clear();
    engine.apply(empty.listing("a", 2), make::at(7));
    assert_eq!(work(&engine, "b"), [DELETE]);
    engine.apply([gone("b")], make::at(8));
    assert_eq!(work(&engine, "b"), [""; 0]);
}

#[test]
fn an_orphan_waits_for_every_member_that_it_names() {
    // `d` is refused and was never reached; it is named as a source, so it may know better.
    let mut refused = federation().service_object("b", make::mirror("shop/old", "http:80", "10.97.0.8", "d"));
    refused.contents("b").services.push(right());
    refused = refused.member("d", "nowhere", "10.3.0.0/16", "10.99.0.0/16");
    let mut engine = Engine::new(TestFederation::config(crate::Authority::Own));
    engine.apply(refused.hub(), make::at(1));
    for id in ["a", "b", "c"] {
        engine.apply(refused.listing(id, 1), make::at(2));
    }
    assert_eq!(work(&engine, "b"), [""; 0]);
    engine.apply(refused.listing("d", 1), make::at(3));
    assert_eq!(work(&engine, "b"), ["delete shop/old (uid-shop/old, 1)"]);
}

#[test]
fn nothing_is_deleted_before_the_hub_was_listed() {
    let federation = federation().service_object("b", make::mirror("shop/old", "http:80", "10.97.0.8", "gone"));
    let mut engine = Engine::new(TestFederation::config(crate::Authority::Own));
    let [regions, policies, members] = <[_; 3]>::try_from(federation.hub()).expect("three lists");
    engine.apply([regions, members], make::at(1));
    for id in ["a", "b", "c"] {
        engine.apply(federation.listing(id, 1), make::at(2));
    }
    assert!(!work(&engine, "b").iter().any(|text| text.starts_with("delete")));
    engine.apply([policies], make::at(3));
    assert!(work(&engine, "b").contains(&"delete shop/old (uid-shop/old, 1)".to_owned()));
}

#[test]
fn a_terminating_namespace_is_left_until_it_is_gone() {
    let ending = NamespaceObject { terminating: true, ..make::namespace("shop", "") };
    let orphan = make::mirror("shop/old", "http:80", "10.97.0.8", "a");
    let mut engine = federation().service_object("b", orphan).engine(make::at(1));
    let delete = "delete shop/old (uid-shop/old, 1)";
    assert_eq!(work(&engine, "b"), [delete, APPLY]);
    let namespace = |change| from_member("b", 1, MemberChanges::Namespaces(Delta::Partial(vec![change])));
    engine.apply([namespace(Change::Put(ending))], make::at(2));
    assert_eq!(work(&engine, "b"), [""; 0], "nothing can be created there, and the orphan is going anyway");
    engine.apply([namespace(Change::Put(make::namespace("shop", "")))], make::at(3));
    assert_eq!(work(&engine, "b"), [delete, APPLY]);
    let all_gone = MemberChanges::Services(Delta::full(Vec::new()));
    engine.apply([namespace(Change::Delete(make::ns("shop"))), from_member("b", 1, all_gone)], make::at(4));
    assert_eq!(work(&engine, "b"), ["apply namespace shop", APPLY]);
}

#[test]
fn a_headless_flip_needs_a_new_object() {
    let mut engine = federation().service_object("b", right()).engine(make::at(1));
    engine.apply([put("a", make::service("shop/web", "http:80", ""))], make::at(2));
    assert_eq!(work(&engine, "b"), [DELETE], "a ClusterIP cannot be changed in place");
    engine.apply([gone("b")], make::at(3));
    assert_eq!(work(&engine, "b"), ["apply shop/web headless http:80/TCP for a"]);
}

#[test]
fn ports_get_names_that_the_api_takes() {
    let check = |oldest: &str, next: &str, expected: &str| {
        let first = Service { created: make::at(1), ..make::service("shop/web", oldest, "10.96.0.1") };
        let second = Service { created: make::at(2), ..make::service("shop/web", next, "10.98.0.1") };
        let mut federation = federation();
        federation.contents("a").services = vec![first];
        let engine = federation.service_object("c", second).engine(make::at(3));
        let expected = format!("apply shop/web {expected} for a c");
        assert_eq!(work(&engine, "b"), ["apply namespace shop".to_owned(), expected]);
    };
    check(":80", ":80", ":80/TCP");
    check(":80", "tls:443", "tcp-80:80/TCP tls:443/TCP");
    check("dns:53 dns-udp:53/UDP", ":80/SCTP", "dns:53/TCP dns-udp:53/UDP sctp-80:80/SCTP");
    check(":81", "tcp-81:80", "tcp-81:80/TCP tcp-81-2:81/TCP");
}

#[test]
fn a_member_that_is_not_admitted_gets_no_mirrors() {
    let federation = federation().member("d", "eu", "10.0.0.0/16", "10.99.0.0/16");
    let engine = federation.engine(make::at(1));
    assert!(super::verdict(&engine, "d").starts_with("refused"));
    assert_eq!(work(&engine, "d"), [""; 0]);
}

/// Helm takes over an existing object only if it names the release that is being installed.
#[test]
fn a_mirror_names_the_helm_release_of_the_oldest_export() {
    let of = |release: &str, created: i64, ip: &str| Service {
        created: make::at(created),
        helm: make::helm(release),
        ..make::service("shop/web", "http:80", ip)
    };
    let mut federation = federation();
    federation.contents("a").services = vec![of("shop/web", 1, "10.96.0.1")];
    federation.contents("a").namespaces =
        vec![NamespaceObject { helm: make::helm("ops/base"), ..make::namespace("shop", "") }];
    let mut engine = federation.engine(make::at(3));
    let both = ["apply namespace shop of release ops/base", "apply shop/web http:80/TCP for a of release shop/web"];
    assert_eq!(work(&engine, "b"), both);

    // A change of the release alone is published for every member; nothing but mirrors changes.
    let effects = engine.apply([put("a", of("shop/other", 1, "10.96.0.1"))], make::at(4));
    assert_eq!((effects.mirrors.len(), effects.services.len()), (2, 0));
    assert_eq!(work(&engine, "b")[1], "apply shop/web http:80/TCP for a of release shop/other");
    let bare = MemberChanges::Namespaces(Delta::put(make::namespace("shop", "")));
    engine.apply([from_member("a", 1, bare)], make::at(5));
    assert_eq!(work(&engine, "c")[0], "apply namespace shop");

    // Sources that disagree: the oldest export decides, and an older one that comes takes over.
    engine.apply([put("c", of("", 0, "10.98.0.1"))], make::at(6));
    assert_eq!(work(&engine, "b")[1], "apply shop/web http:80/TCP for a c");
}

#[test]
fn a_mirror_that_names_another_release_or_hub_is_corrected() {
    let with = |owner| Service { owner, ..right() };
    let mark = |hub, helm| make::mark("a", hub, helm);
    check(with(Owner::Mirror(mark(make::HUB, "shop/web"))), &[APPLY]);
    check(with(Owner::Mirror(mark("another", ""))), &[APPLY]);
    // What another program wrote there to prepare an adoption is left as it is.
    let claimed = Mark { helm_claimed: true, ..*mark(make::HUB, "shop/web") };
    check(with(Owner::Mirror(Box::new(claimed))), &[]);
}

/// A backup brought it back: our marks, another writer.
#[test]
fn what_a_backup_restored_is_taken_back_if_it_is_ours() {
    let restored = |name: &str, hub: &str| Service {
        owner: Owner::Restored(make::mark("a", hub, "")),
        ..make::service(name, "http:80", "10.97.0.9")
    };
    check(restored("shop/web", make::HUB), &[APPLY]);
    // No member backs it any more: it is deleted like every other orphan.
    let engine = federation().service_object("b", restored("shop/old", make::HUB)).engine(make::at(1));
    assert_eq!(work(&engine, "b"), ["delete shop/old (uid-shop/old, 1)", APPLY]);
    // Another hub's is not ours to touch. None of them is an export, and the last kind is reported.
    check(restored("shop/web", "another"), &[]);
    check(Service { owner: Owner::Lookalike, ..right() }, &[]);
    let federation = federation()
        .service_object("b", restored("shop/ours", make::HUB))
        .service_object("b", restored("shop/theirs", "another"))
        .service_object("b", Service { owner: Owner::Lookalike, ..make::service("shop/copy", "http:80", "10.97.0.8") });
    let engine = federation.engine(make::at(1));
    let keys: Vec<String> = engine.merged().keys().map(ToString::to_string).collect();
    assert_eq!(keys, ["shop/web"], "a mirror is no source, whichever program wrote it");
    let report = &engine.reports()[&make::cluster("b")];
    let strangers: Vec<String> = report.strangers.iter().map(ToString::to_string).collect();
    assert_eq!(strangers, ["shop/copy", "shop/theirs"]);
}

#[test]
fn headless_mirrors_are_counted() {
    let mut federation = federation().service_object("b", make::mirror("shop/peers", "p:7", "", "a"));
    federation = federation.service_object("b", right()).service_object("b", make::service("shop/own", "p:7", ""));
    let mut engine = federation.engine(make::at(1));
    let counts = |engine: &Engine| engine.reports()[&make::cluster("b")].counts;
    assert_eq!((counts(&engine).mirrored, counts(&engine).headless_mirrors), (2, 1));
    let gone = MemberChanges::Services(Delta::delete(make::key("shop/peers")));
    engine.apply([from_member("b", 1, gone)], make::at(2));
    assert_eq!((counts(&engine).mirrored, counts(&engine).headless_mirrors), (1, 0));
}

/// What files hold outlives the process that wrote them, so it is judged by what is wanted, not by what changed.
#[test]
fn what_is_wanted_is_known_only_when_everything_is() {
    use crate::HubKind;
    use crate::desired::Key;
    let service = |name: &str| Key::Service(make::key(name));
    let namespace = |name: &str| Key::Namespace(crate::model::Namespace::new(name).unwrap());
    let mut engine =
        federation().service_object("c", make::service("shop/web", "http:80", "10.98.0.1")).engine(make::at(1));
    let wanted = |engine: &Engine, id: &str, key: &Key| engine.mirror_is_wanted(&make::cluster(id), key);
    assert_eq!(engine.hub_missing(), Vec::<HubKind>::new());
    for (id, key, expected) in [
        ("b", service("shop/web"), Some(true)),
        ("a", service("shop/web"), Some(false)), // it has the real one
        ("c", service("shop/web"), Some(false)), // so has it, or one of its own
        ("b", service("shop/old"), Some(false)),
        ("gone", service("shop/web"), Some(false)), // no member
        ("b", namespace("shop"), Some(true)),
        ("b", namespace("old"), Some(false)),
    ] {
        assert_eq!(wanted(&engine, id, &key), expected, "{id} {key}");
    }
    // A mirror that exists is wanted all the same, and about a Namespace that exists Isthmus does not decide.
    engine.apply([put("b", right())], make::at(2));
    assert_eq!(wanted(&engine, "b", &service("shop/web")), Some(true));
    let old = MemberChanges::Namespaces(Delta::put(make::namespace("old", "")));
    engine.apply([from_member("b", 1, old)], make::at(2));
    assert_eq!(wanted(&engine, "b", &namespace("old")), None);
    // A member that is not connected may back anything.
    engine.apply([down("a", 1)], make::at(3));
    assert_eq!(wanted(&engine, "b", &service("shop/old")), None);
    assert_eq!(wanted(&engine, "b", &service("shop/web")), Some(true));
}
