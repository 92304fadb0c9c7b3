//! Which services take part.

use crate::model::{Federate, Policy};
use crate::testing::{TestFederation, make};
use crate::{Authority, Config, Engine, FEDERATE_LABEL};

fn federation(policies: &[Policy]) -> TestFederation {
    let mut federation = TestFederation::new().region("eu", &[]).member("a", "eu", "10.0.0.0/16", "10.96.0.0/16");
    federation.policies = policies.to_vec();
    federation
}

fn merged(federation: &TestFederation) -> Vec<String> {
    let engine: Engine = federation.engine(make::at(9));
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
    let mut federation = federation(&[make::policy("default", Federate::All)]);
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
        federation = federation.service_object("a", service).export("a", name, 1);
    }
    federation = federation.service("a", "default/web", &[80]).service("a", "kubernetes/kubernetes", &[80]);
    assert_eq!(merged(&federation), ["default/web", "kubernetes/kubernetes"]);
}

#[test]
fn a_mirror_that_a_user_took_over_takes_part_as_theirs() {
    let adopted = crate::model::Service {
        owner: crate::model::Owner::Adopted,
        ..make::service("shop/web", "http:80", "10.96.0.1")
    };
    let federation = federation(&[make::policy("default", Federate::All)]).service_object("a", adopted);
    assert_eq!(merged(&federation), ["shop/web"]);
}

#[test]
fn marks_are_an_export_or_a_label() {
    let labelled = |name: &str, text: &str| {
        let mut service = make::service(name, "http:80", "10.96.0.1");
        service.labels = make::labels(text);
        service
    };
    let yes = format!("{FEDERATE_LABEL}=true");
    let federation = |policies: &[Policy]| {
        federation(policies)
            .service("a", "shop/exported", &[80])
            .export("a", "shop/exported", 1)
            .service_object("a", labelled("shop/labelled", &yes))
            .service_object("a", labelled("shop/no", &format!("{FEDERATE_LABEL}=false")))
            .service("a", "shop/plain", &[80])
            .service("a", "all/web", &[80])
            .namespace("a", make::namespace("all", &yes))
    };
    let marked = ["all/web", "shop/exported", "shop/labelled"];
    assert_eq!(merged(&federation(&[make::policy("default", Federate::Marked)])), marked);
    assert_eq!(merged(&federation(&[])), marked, "what holds without a policy");
    assert_eq!(merged(&federation(&[make::policy("default", Federate::None)])), [""; 0]);
    let all = ["all/web", "shop/exported", "shop/labelled", "shop/plain"];
    assert_eq!(merged(&federation(&[make::policy("default", Federate::All)])), all, "except those marked with no");
}

#[test]
fn the_most_specific_policy_is_asked_then_the_oldest_then_by_name() {
    let check = |policies: &[Policy], takes_part: bool| {
        let mut service = make::service("shop/web", "http:80", "10.96.0.1");
        service.labels = make::labels("tier=front");
        let federation = federation(policies).service_object("a", service);
        let federation = federation.namespace("a", make::namespace("shop", "team=a"));
        assert_eq!(!merged(&federation).is_empty(), takes_part, "{policies:?}");
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
    let mut federation = federation(&[make::policy("default", Federate::All)])
        .service("a", "shop/web", &[80])
        .service("a", "team-a/web", &[80])
        .service("a", "team-b/web", &[80])
        .service("a", "myteam-c/web", &[80]);
    assert_eq!(merged(&federation).len(), 4);
    federation.members[0].exports = Some(make::patterns("shop team-*"));
    assert_eq!(merged(&federation), ["shop/web", "team-a/web", "team-b/web"]);
    federation.members[0].exports = Some(Vec::new());
    assert_eq!(merged(&federation), [""; 0]);
}

#[test]
fn labels_of_a_namespace_matter_when_they_change() {
    use crate::change::{Delta, MemberChanges};
    let federation = federation(&[make::policy("default", Federate::Marked)]).service("a", "shop/web", &[80]);
    let mut engine = federation.engine(make::at(1));
    assert!(engine.merged().is_empty());
    let labels = format!("{FEDERATE_LABEL}=true");
    let put = MemberChanges::Namespaces(Delta::put(make::namespace("shop", &labels)));
    engine.apply([super::from_member("a", 1, put)], make::at(2));
    assert_eq!(engine.merged().len(), 1);
    engine.apply([super::from_member("a", 1, MemberChanges::Namespaces(Delta::delete(make::ns("shop"))))], make::at(3));
    assert!(engine.merged().is_empty());
}

/// Every combination of the marks that a Service can have, without and with a policy that federates all.
#[test]
fn the_nearest_mark_wins() {
    let (yes, no) = (Some("true"), Some("false"));
    // Service, ServiceExport, Namespace; takes part under Marked, under All.
    type Row = (Option<&'static str>, bool, Option<&'static str>, bool, bool);
    let table: [Row; 18] = [
        (None, false, None, false, true),
        (None, false, yes, true, true),
        (None, false, no, false, false),
        (None, true, None, true, true),
        (None, true, yes, true, true),
        (None, true, no, true, true),
        (yes, false, None, true, true),
        (yes, false, yes, true, true),
        (yes, false, no, true, true),
        (yes, true, None, true, true),
        (yes, true, yes, true, true),
        (yes, true, no, true, true),
        (no, false, None, false, false),
        (no, false, yes, false, false),
        (no, false, no, false, false),
        (no, true, None, false, false),
        (no, true, yes, false, false),
        (no, true, no, false, false),
    ];
    let mark = |value: Option<&str>| value.map(|value| format!("{FEDERATE_LABEL}={value}")).unwrap_or_default();
    for (service, export, namespace, under_marked, under_all) in table {
        for (federate, expected) in
            [(Federate::Marked, under_marked), (Federate::All, under_all), (Federate::None, false)]
        {
            let mut object = make::service("shop/web", "http:80", "10.96.0.1");
            object.labels = make::labels(&mark(service));
            let mut federation = federation(&[make::policy("default", federate)]).service_object("a", object);
            federation = federation.namespace("a", make::namespace("shop", &mark(namespace)));
            if export {
                federation = federation.export("a", "shop/web", 1);
            }
            assert_eq!(!merged(&federation).is_empty(), expected, "{service:?} {export} {namespace:?} {federate:?}");
        }
    }
}

#[test]
fn a_misspelt_yes_is_ignored_and_a_misspelt_no_is_a_no() {
    let takes_part = |value: &str, namespace: &str| {
        let mut object = make::service("shop/web", "http:80", "10.96.0.1");
        object.labels = make::labels(&format!("{FEDERATE_LABEL}={value}"));
        let federation = federation(&[]).service_object("a", object);
        let federation = federation.namespace("a", make::namespace("shop", &format!("{FEDERATE_LABEL}={namespace}")));
        !merged(&federation).is_empty()
    };
    for slip in ["True", "TRUE", "yes", "1", "on", "treu", ""] {
        assert!(!takes_part(slip, ""), "{slip:?} exports nothing");
        assert!(takes_part(slip, "true"), "{slip:?} withdraws nothing");
    }
    for slip in ["False", "FALSE", "no", "No", "0", "off", "disabled"] {
        assert!(!takes_part(slip, "true"), "{slip:?} was meant as a no");
    }
    assert!(!takes_part("", "yes") && !takes_part("", "No"));
}

#[test]
fn what_another_product_derived_never_takes_part() {
    let derived =
        crate::model::Service { derived_by: Some("GKE"), ..make::service("shop/gke-mcs-1", "http:80", "10.96.0.1") };
    let federation = federation(&[make::policy("default", Federate::All)]).service_object("a", derived);
    assert_eq!(merged(&federation), [""; 0]);
    assert_eq!(merged(&federation.export("a", "shop/gke-mcs-1", 1)), [""; 0], "an export would only echo it");
}

/// The hub's own namespace may have another name; in members Isthmus's is always the same.
#[test]
fn what_is_isthmuss_never_takes_part_whatever_the_hub_calls_it() {
    let mut federation = federation(&[make::policy("default", Federate::All)]);
    for name in ["isthmus-system/isthmus-region-eu", "mesh/isthmus-metrics", "mesh-2/web", "isthmus-regions/web"] {
        federation = federation.service_object("a", make::service(name, "http:80", "10.96.0.1"));
    }
    let mut engine = Engine::new(Config { own_namespace: make::ns("mesh"), ..TestFederation::config(Authority::Own) });
    engine.apply(federation.batches(), make::at(9));
    let keys: std::collections::BTreeSet<String> = engine.merged().keys().map(ToString::to_string).collect();
    assert!(keys.iter().eq(["isthmus-regions/web", "mesh-2/web"]), "{keys:?}");
}
