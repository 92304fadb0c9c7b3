//! Decisions have their reasons beside their results.

use crate::Engine;
use crate::explain::{Conflict, ConflictAbout, Participation, SelectedBy};
use crate::model::{Affinity, ClusterWeight, Failover, Federate, Policy, Service, Tier, Traffic};
use crate::ranking::{ClientClass, Nearness, WeightReason, assign};
use crate::report::NotExported;
use crate::testing::{TestFederation, make};

fn two(policy: Policy) -> TestFederation {
    TestFederation::new()
        .region("eu", &[])
        .member("a", "eu", "10.0.0.0/16", "10.96.0.0/16")
        .member("b", "eu", "10.1.0.0/16", "10.97.0.0/16")
        .policy(policy)
}

fn participation(engine: &Engine, key: &str) -> Vec<(String, Participation)> {
    let explanation = engine.explain(&make::key(key)).expect("a service of that name");
    explanation.members.into_iter().map(|(id, participation)| (id.to_string(), participation)).collect()
}

#[test]
fn a_selected_service_names_what_decided_it() {
    let marked = |mut service: Service, text: &str| {
        service.labels = make::labels(text);
        service
    };
    let plain = |name: &str| make::service(name, "http:80", "10.96.0.10");
    let federation = two(make::policy("default", Federate::Marked))
        .service_object("a", plain("shop/exported"))
        .export("a", "shop/exported", 7)
        .service_object("a", marked(plain("shop/labelled"), "isthmus.dev/federate=true"))
        .namespace("a", make::namespace("team", "isthmus.dev/federate=true"))
        .service_object("a", plain("team/inherited"))
        .service_object("a", marked(plain("shop/all"), "all=yes"))
        .service_object("a", plain("shop/unmarked"))
        .service_object("b", marked(plain("shop/exported"), "isthmus.dev/federate=false"))
        .export("b", "shop/labelled", 9);
    let mut all = make::policy("all", Federate::All);
    all.services = make::selector("all=yes");
    let engine = federation.policy(all).engine(make::at(1));

    let selected =
        |by, policy: &str, seconds| Participation::Selected { by, policy: policy.into(), exported: make::at(seconds) };
    let vetoed = Participation::LeftOut(NotExported::MarkedFalse { on_namespace: false });
    let cases = [
        ("shop/exported", vec![("a", selected(SelectedBy::Export, "default", 7)), ("b", vetoed)]),
        (
            "shop/labelled",
            vec![("a", selected(SelectedBy::ServiceLabel, "default", 0)), ("b", Participation::NoService)],
        ),
        ("team/inherited", vec![("a", selected(SelectedBy::NamespaceLabel, "default", 0))]),
        ("shop/all", vec![("a", selected(SelectedBy::Policy, "all", 0))]),
        ("shop/unmarked", vec![("a", Participation::LeftOut(NotExported::NotMarked))]),
    ];
    for (key, expected) in cases {
        let expected: Vec<_> = expected.into_iter().map(|(id, reason)| (id.to_owned(), reason)).collect();
        assert_eq!(participation(&engine, key), expected, "{key}");
    }
    assert_eq!(engine.explain(&make::key("shop/none")), None);
    let merged = engine.stats().merged;
    assert!(engine.explain(&make::key("shop/all")).is_some_and(|found| found.rule.is_some()));
    assert_eq!(engine.stats().merged, merged, "a question is no work of a round");
}

#[test]
fn a_conflict_names_the_winner_the_loser_and_what_it_is_about() {
    let mut older = make::service("shop/web", "http:80 grpc:90=grpc same:70", "10.96.0.10");
    older.affinity = Affinity::ClientIp { timeout_s: 60 };
    let mut younger = make::service("shop/web", "http:81 grpc:90=http same:70", "");
    younger.created = make::at(5);
    younger.families = crate::model::Families::new([crate::model::Family::V6]);
    let federation =
        two(make::policy("default", Federate::All)).service_object("b", older).service_object("a", younger);
    let explanation = federation.engine(make::at(9)).explain(&make::key("shop/web")).expect("a merged service");

    use crate::model::{AppProtocol, Families, Family, Protocol::Tcp};
    let about = [
        ConflictAbout::PortName { name: "http".into(), won: (80, Tcp), lost: (81, Tcp) },
        ConflictAbout::AppProtocol { port: (90, Tcp), won: AppProtocol::Http2, lost: AppProtocol::Http },
        ConflictAbout::Headless { won: false },
        ConflictAbout::Affinity { won: Affinity::ClientIp { timeout_s: 60 }, lost: Affinity::None },
        ConflictAbout::Families { won: Families::Only(Family::V4), lost: Families::Only(Family::V6) },
    ];
    let (winner, loser) = (make::cluster("b"), make::cluster("a"));
    let expected = about.map(|about| Conflict { winner: winner.clone(), loser: loser.clone(), about });
    assert_eq!(explanation.conflicts, expected);

    let agree =
        two(make::policy("default", Federate::All)).service("a", "shop/web", &[80]).service("b", "shop/web", &[80]);
    assert_eq!(
        agree.engine(make::at(1)).explain(&make::key("shop/web")).map(|found| found.conflicts),
        Some(Vec::new())
    );
}

#[test]
fn each_locality_names_its_tier_and_where_its_weight_comes_from() {
    let mut policy = make::policy("default", Federate::All);
    let weight = ClusterWeight { cluster: make::cluster("eu-1"), weight: 7 };
    policy.failover = Failover { clusters: vec![weight], ..Failover::default() };
    let mut federation = TestFederation::new().region("ap", &[]).region("eu", &["us"]).region("us", &[]).policy(policy);
    for (n, id) in ["ap-1", "eu-1", "eu-2", "us-1"].into_iter().enumerate() {
        let (region, _) = id.split_once('-').unwrap_or_default();
        federation = federation
            .member(id, region, &format!("10.{n}.0.0/16"), &format!("10.10{n}.0.0/16"))
            .service(id, "shop/web", &[80])
            .endpoints(id, "shop/web", &[&format!("10.{n}.0.1@z1"), &format!("10.{n}.0.2@z2")]);
    }
    federation.members[2].weight = Some(5);
    federation.members[3].traffic = Traffic::Drained;
    let reasons = |federation: &TestFederation| {
        let engine = federation.engine(make::at(1));
        let service = super::merged(&engine, "shop/web").clone();
        let class = ClientClass {
            region: make::region_id("eu"),
            zone: Some(make::zone("z1")),
            network: make::network("default"),
            cluster: Some(make::cluster("eu-2")),
            families: None,
        };
        let rule = &engine.rankings()[&service.key];
        let assignment = assign(&class, &service, &service.ports[0], rule, engine.topology());
        let locality = |locality: &crate::ranking::Locality<'_>| {
            let zone = locality.zone().map_or("-", |zone| zone.as_str());
            let reason = locality.reason;
            (format!("{}/{zone}", locality.cluster()), reason.nearness, reason.drained, reason.weight)
        };
        assignment.tiers.iter().flatten().map(locality).collect::<Vec<_>>()
    };
    use Nearness::{ListedRegion, OtherRegion, OwnCluster, OwnRegion, OwnZone};
    use WeightReason::{Capacity, Default, Member, Policy};
    let expected = [
        ("eu-1/z1", OwnZone, false, Policy(7)),
        ("eu-2/z1", OwnZone, false, Member(5)),
        ("eu-1/z2", OwnRegion, false, Policy(7)),
        ("eu-2/z2", OwnRegion, false, Member(5)),
        ("ap-1/z1", OtherRegion(0), false, Default(100)),
        ("ap-1/z2", OtherRegion(0), false, Default(100)),
        ("us-1/z1", ListedRegion(0), true, Default(100)),
        ("us-1/z2", ListedRegion(0), true, Default(100)),
    ];
    let text = |(name, nearness, drained, weight): (&str, _, _, _)| (name.to_owned(), nearness, drained, weight);
    assert_eq!(reasons(&federation), expected.map(text));

    let mut pinned = make::policy("default", Federate::All);
    pinned.failover = Failover { tiers: vec![Tier::Cluster], clusters: Vec::new() };
    federation.members[2].weight = None;
    let expected = [("eu-2/z1", OwnCluster, false, Capacity), ("eu-2/z2", OwnCluster, false, Capacity)];
    assert_eq!(reasons(&federation.policy(pinned)), expected.map(text));
}
