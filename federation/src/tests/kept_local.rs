//! A name that a member has and does not export means its own Service, whatever others export under it (KEP-1645).

use super::{from_member, hosts, work};
use crate::Engine;
use crate::change::{Batch, Delta, HubChanges, MemberChanges};
use crate::model::{Federate, Owner, Policy, Service, ServiceKind};
use crate::report::{NotExported, Notable};
use crate::testing::{TestFederation, make};

const MARK: &str = "isthmus.dev/federate=true";

/// `eu` exports shop/web; what `us` has depends on the test.
fn federation() -> TestFederation {
    TestFederation::new()
        .region("eu", &[])
        .member("eu", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .member("us", "eu", "10.1.0.0/16", "10.97.0.0/16")
        .policy(make::policy("default", Federate::Marked))
        .service_object(
            "eu",
            Service { labels: make::labels(MARK), ..make::service("shop/web", "http:80", "10.96.0.1") },
        )
        .slice("eu", make::slice("shop/web", "web-1", "http:8080", &["10.0.0.1"]))
        .slice("us", make::slice("shop/web", "web-1", "http:8080", &["10.1.0.1"]))
}

fn own() -> Service {
    make::service("shop/web", "http:80", "10.97.0.1")
}

fn put(service: Service) -> Batch {
    from_member("us", 1, MemberChanges::Services(Delta::put(service)))
}

/// What the member's clients get under its VIP: whether they are federated, and whether there are VIPs at all.
fn vips(engine: &Engine) -> Option<bool> {
    let vips = engine.vips().get(&make::cluster("us"))?.get(&make::key("shop/web"))?;
    assert!(!(vips.federated && vips.ips.is_empty()));
    Some(vips.federated)
}

fn kept(engine: &Engine) -> Option<NotExported> {
    let notices = &engine.reports()[&make::cluster("us")].notices;
    notices.first.iter().find_map(|notice| match &notice.what {
        Notable::KeptLocal { why, exporter } => {
            assert_eq!(exporter, &make::cluster("eu"));
            Some(why.clone())
        }
        _ => None,
    })
}

/// `us` keeps its own, for this reason.
fn check_kept(engine: &Engine, why: NotExported) {
    assert_eq!(vips(engine), Some(false), "its VIP is left alone");
    assert!(work(engine, "us").is_empty(), "no mirror: {:?}", work(engine, "us"));
    assert_eq!(hosts(engine, "shop/web"), "http:80/TCP a/- ".replace("a/-", "eu/-") + "10.0.0.1:8080");
    assert_eq!(kept(engine), Some(why));
}

#[test]
fn a_service_that_is_not_exported_keeps_its_clients_whatever_the_reason() {
    let no = |labels: &str| Service { labels: make::labels(labels), ..own() };
    let mut elsewhere = federation();
    elsewhere.members[1].exports = Some(make::patterns("team-*"));
    let excluded = Policy { services: make::selector("tier=lab"), ..make::policy("lab", Federate::None) };
    let external = Service { kind: ServiceKind::ExternalName, cluster_ips: Vec::new(), ..no(MARK) };
    let silenced = federation().namespace("us", make::namespace("shop", "isthmus.dev/federate=false"));
    let policy = NotExported::PolicyExcludes { policy: "lab".into() };
    let cases: [(TestFederation, Service, NotExported); 10] = [
        (federation(), own(), NotExported::NotMarked),
        (federation(), no("isthmus.dev/federate=false"), NotExported::MarkedFalse { on_namespace: false }),
        (silenced, own(), NotExported::MarkedFalse { on_namespace: true }),
        (elsewhere, no(MARK), NotExported::NotInExports),
        (federation().policy(excluded), no(&format!("tier=lab {MARK}")), policy),
        (federation(), external, NotExported::ExternalName),
        (federation(), Service { node_local: true, ..no(MARK) }, NotExported::NodeLocal),
        (federation(), Service { derived_by: Some("Linkerd"), ..no(MARK) }, NotExported::Derived { by: "Linkerd" }),
        (
            federation(),
            Service { kind: ServiceKind::Headless, cluster_ips: Vec::new(), ..own() },
            NotExported::NotMarked,
        ),
        (federation(), Service { owner: Owner::Adopted, ..own() }, NotExported::NotMarked),
    ];
    for (federation, service, why) in cases {
        let adopted = service.owner == Owner::Adopted;
        let engine = federation.service_object("us", service).engine(make::at(1));
        if adopted {
            // Our fields on it are still to be given up; its clients are its own all the same.
            assert_eq!(work(&engine, "us"), ["release shop/web"]);
            assert_eq!((vips(&engine), kept(&engine)), (Some(false), Some(why)));
        } else {
            check_kept(&engine, why);
        }
    }
}

#[test]
fn marks_come_and_go_while_others_export() {
    let mut engine = federation().service_object("us", own()).engine(make::at(1));
    check_kept(&engine, NotExported::NotMarked);
    let effects = engine.apply([put(Service { labels: make::labels(MARK), ..own() })], make::at(2));
    assert_eq!(effects.vips.len(), 1, "no other member's VIP is published again");
    assert_eq!((vips(&engine), kept(&engine)), (Some(true), None));
    assert_eq!(hosts(&engine, "shop/web"), "http:80/TCP eu/- 10.0.0.1:8080 us/- 10.1.0.1:8080");
    engine.apply([put(own())], make::at(3));
    check_kept(&engine, NotExported::NotMarked);
    // The Namespace's label holds for all in it.
    let namespace =
        |labels: &str| from_member("us", 1, MemberChanges::Namespaces(Delta::put(make::namespace("shop", labels))));
    engine.apply([namespace(MARK)], make::at(4));
    assert_eq!((vips(&engine), kept(&engine)), (Some(true), None));
    engine.apply([namespace("")], make::at(5));
    check_kept(&engine, NotExported::NotMarked);
    // And so does the member's list.
    let mut member = make::member("us", "eu", "10.1.0.0/16", "10.97.0.0/16");
    engine.apply([put(Service { labels: make::labels(MARK), ..own() })], make::at(6));
    for (list, federated) in [("team-*", false), ("shop", true)] {
        member.exports = Some(make::patterns(list));
        engine.apply([Batch::Hub(HubChanges::Members(Delta::put(member.clone())))], make::at(7));
        assert_eq!(vips(&engine), Some(federated), "{list}");
    }
}

#[test]
fn a_name_is_kept_local_only_while_another_member_exports_it() {
    let mut engine = federation().service_object("us", own()).engine(make::at(1));
    check_kept(&engine, NotExported::NotMarked);
    let of_eu = |change| from_member("eu", 1, MemberChanges::Services(change));
    engine.apply([of_eu(Delta::delete(make::key("shop/web")))], make::at(2));
    assert_eq!((vips(&engine), kept(&engine)), (Some(false), None), "there is nothing to publish");
    let headless = Service { kind: ServiceKind::Headless, cluster_ips: Vec::new(), ..own() };
    engine.apply([put(headless)], make::at(3));
    assert_eq!(vips(&engine), None, "without a VIP, and no member exports the name");
}

#[test]
fn a_mirror_replaces_an_own_service_that_is_deleted_and_makes_room_for_a_new_one() {
    const APPLY: &str = "apply shop/web http:80/TCP for eu";
    let mut engine = federation().service_object("us", own()).engine(make::at(1));
    engine.apply([from_member("us", 1, MemberChanges::Services(Delta::delete(make::key("shop/web"))))], make::at(2));
    assert_eq!((work(&engine, "us"), kept(&engine)), (vec![APPLY.to_owned()], None));
    engine.apply([put(make::mirror("shop/web", "http:80", "10.97.0.9", "eu"))], make::at(3));
    assert_eq!((vips(&engine), work(&engine, "us").len()), (Some(true), 0), "the mirror leads to the federation");
    // A user makes it theirs, unmarked: at once their clients are their own.
    engine.apply([put(Service { owner: Owner::Adopted, ..own() })], make::at(4));
    assert_eq!((vips(&engine), kept(&engine)), (Some(false), Some(NotExported::NotMarked)));
    engine.apply([put(own())], make::at(5));
    check_kept(&engine, NotExported::NotMarked);
}

#[test]
fn a_service_that_is_marked_in_vain_is_reported() {
    let notices = |federation: TestFederation| -> Vec<(String, Notable)> {
        let engine = federation.engine(make::at(1));
        let notices = &engine.reports()[&make::cluster("us")].notices;
        assert_eq!(notices.total, notices.first.len());
        let text = |subject: &crate::report::Subject| match subject {
            crate::report::Subject::Namespace(name) => name.to_string(),
            crate::report::Subject::Service(key) => key.to_string(),
        };
        notices.first.iter().map(|notice| (text(&notice.subject), notice.what.clone())).collect()
    };
    let marked = |name: &str| Service { labels: make::labels(MARK), ..make::service(name, "http:80", "10.97.0.2") };
    let plain = |name: &str| make::service(name, "http:80", "10.97.0.2");
    let vain = |name: &str, why: NotExported| vec![(name.to_owned(), Notable::NotExported(why))];

    let mut elsewhere = federation();
    elsewhere.members[1].exports = Some(make::patterns("team-*"));
    assert_eq!(
        notices(elsewhere.clone().service_object("us", marked("shop/api"))),
        vain("shop/api", NotExported::NotInExports)
    );
    assert_eq!(notices(elsewhere.service_object("us", plain("shop/api"))), [], "it is not marked");

    let system = federation().service_object("us", marked("kube-system/dns"));
    assert_eq!(notices(system), vain("kube-system/dns", NotExported::System));
    let none = federation().policy(make::policy("default", Federate::None)).service_object("us", plain("shop/api"));
    let policy = || NotExported::PolicyExcludes { policy: "default".into() };
    assert_eq!(notices(none.clone()), []);
    assert_eq!(notices(none.export("us", "shop/api", 1)), vain("shop/api", policy()));

    let external = Service { kind: ServiceKind::ExternalName, cluster_ips: Vec::new(), ..plain("shop/api") };
    let in_marked = federation().namespace("us", make::namespace("shop", MARK));
    assert_eq!(notices(in_marked.clone().service_object("us", external)), vain("shop/api", NotExported::ExternalName));
    let derived = Service { derived_by: Some("Karmada"), ..plain("shop/derived-web") };
    let by_karmada = || NotExported::Derived { by: "Karmada" };
    assert_eq!(notices(in_marked.service_object("us", derived.clone())), vain("shop/derived-web", by_karmada()));
    assert_eq!(notices(federation().service_object("us", derived.clone())), [], "it is not marked");
    let all = federation().policy(make::policy("default", Federate::All)).service_object("us", derived);
    assert_eq!(notices(all), vain("shop/derived-web", by_karmada()), "the policy federates all others");

    // An export of what is not there, or is only our mirror; and one that a label on the Service takes back.
    let lost = federation()
        .export("us", "shop/lost", 1)
        .service_object("us", make::mirror("shop/web", "http:80", "10.97.0.9", "eu"));
    let lost = notices(lost.export("us", "shop/web", 1));
    assert_eq!(lost, [("shop/lost".to_owned(), Notable::NoService), ("shop/web".to_owned(), Notable::NoService)]);
    let vetoed = Service { labels: make::labels("isthmus.dev/federate=false"), ..plain("shop/api") };
    let vetoed = federation().service_object("us", vetoed).export("us", "shop/api", 1);
    assert_eq!(notices(vetoed), vain("shop/api", NotExported::MarkedFalse { on_namespace: false }));

    // Misspelt marks are reported in the source's words, of Services and Namespaces.
    let mut slips = federation().service_object("us", Service { hint: Some("x".into()), ..plain("shop/api") });
    slips.contents("us").namespaces[0].hint = Some("y".into());
    let hints = notices(slips);
    let hint = |text: &str| Notable::Misspelt(text.into());
    assert_eq!(hints, [("shop".to_owned(), hint("y")), ("shop/api".to_owned(), hint("x"))]);
}
