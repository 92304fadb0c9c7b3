//! Which services take part.

use crate::model::{Federate, Policy};
use crate::testing::{World, make};
use crate::{Engine, FEDERATE_LABEL};

fn world(policies: &[Policy]) -> World {
    let mut world = World::new().region("eu", &[]).member("a", "eu", "10.0.0.0/16", "10.96.0.0/16");
    world.policies = policies.to_vec();
    world
}

fn merged(world: &World) -> Vec<String> {
    let engine: Engine = world.engine(make::at(9));
    let mut keys: Vec<String> = engine.merged().keys().map(ToString::to_string).collect();
    keys.sort();
    keys
}

fn selecting(name: &str, federate: Federate, namespaces: &str, services: &str, created: i64) -> Policy {
    let mut policy = make::policy(name, federate);
    policy.created = make::at(created);
    policy.namespaces = make::selector(namespaces);
    policy.services = make::selector(services);
    policy
}

#[test]
fn some_services_never_take_part() {
    let mut world = world(&[make::policy("default", Federate::All)]);
    let never = [
        "kube-system/dns",
        "kube-public/x",
        "kube-node-lease/x",
        "isthmus-system/region",
        "default/kubernetes",
        "shop/external",
        "shop/mirror",
    ];
    for name in never {
        let mut service = make::service(name, "http:80", "10.96.0.1");
        match name {
            "shop/external" => service.kind = crate::model::ServiceKind::ExternalName,
            "shop/mirror" => service = make::mirror(name, "http:80", "10.96.0.1", "b"),
            _ => {}
        }
        world = world.service_object("a", service).export("a", name, 1);
    }
    world = world.service("a", "default/web", &[80]).service("a", "kubernetes/kubernetes", &[80]);
    assert_eq!(merged(&world), ["default/web", "kubernetes/kubernetes"]);
}

#[test]
fn a_mirror_that_somebody_made_theirs_takes_part_as_theirs() {
    let adopted = crate::model::Service {
        owner: crate::model::Owner::Adopted,
        ..make::service("shop/web", "http:80", "10.96.0.1")
    };
    let world = world(&[make::policy("default", Federate::All)]).service_object("a", adopted);
    assert_eq!(merged(&world), ["shop/web"]);
}

#[test]
fn marks_are_an_export_or_a_label() {
    let labelled = |name: &str, text: &str| {
        let mut service = make::service(name, "http:80", "10.96.0.1");
        service.labels = make::labels(text);
        service
    };
    let yes = format!("{FEDERATE_LABEL}=true");
    let world = |policies: &[Policy]| {
        world(policies)
            .service("a", "shop/exported", &[80])
            .export("a", "shop/exported", 1)
            .service_object("a", labelled("shop/labelled", &yes))
            .service_object("a", labelled("shop/no", &format!("{FEDERATE_LABEL}=false")))
            .service("a", "shop/plain", &[80])
            .service("a", "all/web", &[80])
            .namespace("a", make::namespace("all", &yes))
    };
    let marked = ["all/web", "shop/exported", "shop/labelled"];
    assert_eq!(merged(&world(&[make::policy("default", Federate::Marked)])), marked);
    assert_eq!(merged(&world(&[])), marked, "what holds where nobody wrote a policy");
    assert_eq!(merged(&world(&[make::policy("default", Federate::None)])), [""; 0]);
    assert_eq!(merged(&world(&[make::policy("default", Federate::All)])).len(), 5);
}

#[test]
fn the_most_specific_policy_is_asked_then_the_oldest_then_by_name() {
    let check = |policies: &[Policy], takes_part: bool| {
        let mut service = make::service("shop/web", "http:80", "10.96.0.1");
        service.labels = make::labels("tier=front");
        let world = world(policies).service_object("a", service);
        let world = world.namespace("a", make::namespace("shop", "team=a"));
        assert_eq!(!merged(&world).is_empty(), takes_part, "{policies:?}");
    };
    let all = |name: &str, ns: &str, svc: &str, age: i64| selecting(name, Federate::All, ns, svc, age);
    let none = |name: &str, ns: &str, svc: &str, age: i64| selecting(name, Federate::None, ns, svc, age);
    check(&[none("old", "", "", 0), all("young", "team=a", "", 9)], true);
    check(&[all("old", "team=a", "", 0), none("young", "team=a", "tier=front", 9)], false);
    check(&[all("old", "team=a", "", 0), none("young", "", "tier=front", 9)], true);
    check(&[all("b", "team=a", "", 5), none("a", "", "tier=front", 5)], false);
    check(&[all("other", "team=b", "tier=front", 0), none("mine", "", "", 9)], false);
}

#[test]
fn a_member_exports_only_what_its_list_allows() {
    let mut world = world(&[make::policy("default", Federate::All)])
        .service("a", "shop/web", &[80])
        .service("a", "team-a/web", &[80])
        .service("a", "team-b/web", &[80])
        .service("a", "myteam-c/web", &[80]);
    assert_eq!(merged(&world).len(), 4);
    world.members[0].exports = Some(make::patterns("shop team-*"));
    assert_eq!(merged(&world), ["shop/web", "team-a/web", "team-b/web"]);
    world.members[0].exports = Some(Vec::new());
    assert_eq!(merged(&world), [""; 0]);
}

#[test]
fn labels_of_a_namespace_matter_when_they_change() {
    use crate::change::{Delta, MemberChanges};
    let world = world(&[make::policy("default", Federate::Marked)]).service("a", "shop/web", &[80]);
    let mut engine = world.engine(make::at(1));
    assert!(engine.merged().is_empty());
    let labels = format!("{FEDERATE_LABEL}=true");
    let put = MemberChanges::Namespaces(Delta::put(make::namespace("shop", &labels)));
    engine.apply([super::said("a", 1, put)], make::at(2));
    assert_eq!(engine.merged().len(), 1);
    engine.apply([super::said("a", 1, MemberChanges::Namespaces(Delta::delete(make::ns("shop"))))], make::at(3));
    assert!(engine.merged().is_empty());
}
