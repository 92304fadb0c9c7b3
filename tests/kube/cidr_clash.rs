//! A newcomer whose ranges clash is refused, with the reason; other members are not disturbed.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::harness::{Federation, Isthmus, Scene, Source, Witness, objects, run, still};

const SETTLED: [&str; 3] = ["eu-1", "us-1", "ap-1"];
/// Long enough for a watch event to be acted upon many times over.
const WINDOW: Duration = Duration::from_secs(3);

/// What the newcomer asks for, and what its condition must name.
struct Case {
    what: &'static str,
    pods: &'static [&'static str],
    services: &'static [&'static str],
    names: &'static [&'static str],
}

const CASES: [Case; 6] = [
    Case {
        what: "its pods lie inside another's pods",
        pods: &["10.1.128.0/17"],
        services: &["10.104.0.0/16"],
        names: &["10.1.128.0/17", "10.1.0.0/16", "eu-1"],
    },
    Case {
        what: "its pods enclose the pods of three others",
        pods: &["10.0.0.0/14"],
        services: &["10.104.0.0/16"],
        names: &["10.0.0.0/14", "10.1.0.0/16", "eu-1", "10.2.0.0/16", "us-1", "10.3.0.0/16", "ap-1"],
    },
    Case {
        what: "its pods equal another's pods",
        pods: &["10.2.0.0/16"],
        services: &["10.104.0.0/16"],
        names: &["10.2.0.0/16", "us-1"],
    },
    Case {
        what: "its services lie in another's pods",
        pods: &["10.4.0.0/16"],
        services: &["10.3.4.0/24"],
        names: &["10.3.4.0/24", "10.3.0.0/16", "ap-1"],
    },
    Case {
        what: "its IPv6 pods lie inside another's",
        pods: &["10.4.0.0/16", "fd00:1:0:8000::/49"],
        services: &["10.104.0.0/16"],
        names: &["fd00:1:0:8000::/49", "fd00:1::/48", "eu-1"],
    },
    Case {
        what: "its pods lie in a reserved range",
        pods: &["192.168.7.0/24"],
        services: &["10.104.0.0/16"],
        names: &["192.168.7.0/24", "192.168.0.0/16", "FederationPolicy"],
    },
];

const POLICY: &str = "
apiVersion: isthmus.dev/v1alpha1
kind: FederationPolicy
metadata: {name: default}
spec: {reservedCidrs: [192.168.0.0/16]}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_with_clashing_ranges_is_refused_alone() {
    let federation = Federation::start(&["eu-1", "us-1", "ap-1", "us-2"]).await;
    let (eu, newcomer) = (federation.member("eu-1"), federation.member("us-2"));
    federation.add_regions().await;
    federation.hub.apply(POLICY).await;
    federation.add_secret("eu-1").await;
    let dual = objects::member_cluster("eu-1", "eu", &[&eu.pods(), "fd00:1::/48"], &[&eu.services()]);
    federation.hub.apply(&dual).await;
    federation.join("us-1").await;
    federation.join("ap-1").await;
    let controller = federation.controller().await;
    let region = federation.region("us").await;
    for id in SETTLED {
        federation.until_ready(id).await;
        federation.member(id).serve("shop", "web", 2).await;
        federation.member(id).serve("shop", &format!("only-{id}"), 1).await;
    }
    // The newcomer would add endpoints, and be given mirrors.
    newcomer.serve("shop", "web", 1).await;
    federation.add_secret("us-2").await;
    settle(&federation, &region).await;
    let proxy = Witness::start(region.xds(), "us", "us-a").await;
    proxy.has_endpoints("web.shop", 6).await;
    for id in SETTLED {
        proxy.has_endpoints(&format!("only-{id}.shop"), 1).await;
    }
    let scene = async || scene(&federation, &region).await + proxy.scene();
    let before = scene().await;

    for case in CASES {
        federation.hub.apply(&objects::member_cluster("us-2", "us", case.pods, case.services)).await;
        for kind in ["Admitted", "Ready"] {
            let names_all = |condition: &Condition| case.names.iter().all(|name| condition.message.contains(name));
            federation.until_message("us-2", kind, "False", "CIDROverlap", case.what, names_all).await;
        }
        // It was reached and looked into, so what follows is a decision and not ignorance.
        federation.until("us-2", "Connected", "True", "").await;
        before.assert_same(&scene().await, case.what);
    }
    still("a refused newcomer disturbs no member", WINDOW, scene).await;
    before.assert_same(&scene().await, "in all that time");
    assert_eq!(federation.status("us-2").await.admission, None, "nothing was put on record");

    // The right ranges, and it takes part: without a restart of anything.
    federation.hub.apply(&newcomer.declared()).await;
    federation.until_ready("us-2").await;
    region.has_service("shop/web", &["ap-1", "eu-1", "us-1", "us-2"], 7).await;
    proxy.has_endpoints("web.shop", 7).await;
    newcomer.until_mirror("shop", "only-eu-1", &["eu-1"]).await;
    // The others' own objects did not even change for that; their mirrors have one more source.
    let objects = |scene: Scene| scene.only(&["eu-1 ", "us-1 ", "ap-1 "]);
    objects(before).assert_same(&objects(scene().await), "admitting it wrote to the others");
    drop(controller);
}

/// All that exists everywhere: objects of all members, statuses of those that are settled, merged services.
async fn scene(federation: &Federation, region: &Isthmus) -> Scene {
    let all = ["eu-1", "us-1", "ap-1", "us-2"];
    federation.scene_in(&all).await + federation.scene_of_statuses(&SETTLED).await + region.scene().await
}

async fn settle(federation: &Federation, region: &Isthmus) {
    region.has_service("shop/web", &["ap-1", "eu-1", "us-1"], 6).await;
    for id in SETTLED {
        region.has_service(&format!("shop/only-{id}"), &[id], 1).await;
        for other in SETTLED.iter().filter(|other| **other != id) {
            federation.member(other).until_mirror("shop", &format!("only-{id}"), &[id]).await;
        }
        let counted = |status: &clusters::api::MemberClusterStatus| {
            status.counts.is_some_and(|counts| (counts.services, counts.endpoints, counts.mirrored) == (2, 3, 2))
        };
        federation.until_status(id, "its counts are reported", counted).await;
    }
}

/// `isthmus check` says the same before anything is applied, from the hub alone, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_with_clashing_ranges_is_refused_by_check() {
    let federation = Federation::start(&[]).await;
    let hub = &federation.hub;
    hub.apply(POLICY).await;
    for (number, id) in (1..).zip(SETTLED) {
        let (region, pods, services) = (&id[..2], format!("10.{number}.0.0/16"), format!("10.{}.0.0/16", 100 + number));
        let six = format!("fd00:{number}::/48");
        hub.apply(&objects::region(region, &[])).await;
        hub.apply(&objects::member_cluster(id, region, &[&pods, &six], &[&services])).await;
    }
    let flag = Source::Hub(&federation.hub_kubeconfig("isthmus-controller")).args().remove(0);
    let check = async |pods: &[&str], services: &[&str]| {
        let file = federation.file("newcomer.yaml", &objects::member_cluster("us-2", "us", pods, services));
        let output = run(&["check", &flag, "--add", &file.display().to_string()]).await;
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        (output.status.code(), text)
    };
    let versions = async || {
        let mut versions = Vec::new();
        for kind in ["mc", "regions.isthmus.dev", "fp"] {
            versions.push(hub.kubectl(&["get", kind, "-o", "jsonpath={.items[*].metadata.resourceVersion}"]).await);
        }
        versions
    };
    let before = versions().await;
    for case in CASES {
        let (code, text) = check(case.pods, case.services).await;
        assert_eq!(code, Some(1), "{}: {text}", case.what);
        for name in case.names {
            assert!(text.contains(name), "{}: {name} is missing in: {text}", case.what);
        }
    }
    let (code, text) = check(&["10.4.0.0/16"], &["10.104.0.0/16"]).await;
    assert_eq!(code, Some(0), "nothing is wrong with these: {text}");
    assert_eq!(before, versions().await, "a check applied something");
}
