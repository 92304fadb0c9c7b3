//! What an API server accepts and Isthmus cannot use is reported, object by object, and harms nothing beside it. What our
//! own definitions can refuse never gets that far.

use std::time::Duration;

use crate::harness::{Federation, Isthmus, SOON, objects, still};
use crate::testbed::eventually;

const WINDOW: Duration = Duration::from_secs(2);

fn bad_slice(name: &str, service: &str, body: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, namespace: shop, labels: {{kubernetes.io/service-name: {service}}}}}\n{body}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_objects_are_reported_and_harm_nothing_else() {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    let eu = federation.member("eu-1");
    // A definition as loose as an old installation may have.
    let loose = "{type: object, x-kubernetes-preserve-unknown-fields: true}";
    eu.cluster.apply(&objects::service_exports("v1beta1", loose)).await;
    eu.cluster.apply(&objects::namespace("shop")).await;
    for service in ["zoneless", "half"] {
        eu.cluster.apply(&objects::federated("shop", service)).await;
    }
    let controller = federation.controller().await;
    let region = federation.region("eu").await;
    eu.serve("shop", "web", 2).await;
    federation.all_ready().await;
    region.has_service("shop/web", &["eu-1"], 2).await;
    let good = region.scene().await.only(&["shop/web"]);

    for object in bad() {
        eu.cluster.apply(&object.yaml).await;
    }
    for object in bad() {
        let reported = until_reported(&federation, object.says).await;
        assert!(reported.contains("expected"), "what would be right: {reported}");
        let page = controller.page("/debug/problems").await;
        let name = object.says[0].trim_start_matches("shop/");
        assert!(page.contains(name), "{name} is missing in: {page}");
    }
    odd_but_good(&federation, &region).await;
    good.assert_same(&region.scene().await.only(&["shop/web"]), "a bad object harmed a good one");
    // What can be used of them is.
    for (service, endpoints) in [("shop/zoneless", 1), ("shop/half", 2), ("shop/wide", 0)] {
        region.has_service(service, &["eu-1"], endpoints).await;
    }
    assert_eq!(region.services().await["shop/wide"].ports.len(), 1_000, "the first ones");
    still("after all of that", WINDOW, async || region.scene().await).await;
    assert_eq!(federation.condition("eu-1", "Ready").await.expect("Ready").status, "True", "it still takes part");
    let metrics = region.metrics().await;
    let rejected = metrics.iter().find(|(name, _)| name.contains("rejected_objects") && name.contains("eu-1"));
    assert_eq!(rejected.map(|(_, count)| *count), Some(bad().len() as f64), "{metrics:?}");
    eventually("an event names a rejected object", SOON, async || {
        let events = federation.hub.kubectl(&["get", "events", "-A", "-o", "yaml"]).await;
        if events.contains("shop/bad-zone") { Ok(()) } else { Err(events) }
    })
    .await;

    // A good object of which nothing can be used any more keeps its last good state; put right, it is used as it now is.
    let slice = |endpoints: &str| {
        let endpoints = format!("addressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints:\n{endpoints}");
        bad_slice("web-pods", "web", &endpoints)
    };
    eu.cluster.apply(&slice("- {addresses: [239.0.0.1]}")).await;
    until_reported(&federation, &["shop/web-pods", "addresses"]).await;
    still("the last good state", WINDOW, async || region.scene().await.only(&["shop/web"])).await;
    good.assert_same(&region.scene().await.only(&["shop/web"]), "the last good state was lost");
    // While a part of it is bad, the rest is followed through every change.
    let bad = "- {addresses: [239.0.0.1]}\n";
    eu.cluster.apply(&slice(&format!("{bad}- {{addresses: [10.1.0.9], zone: '{}'}}", "z".repeat(64)))).await;
    region.has_service("shop/web", &["eu-1"], 1).await;
    eu.cluster.apply(&slice(&format!("{bad}- {{addresses: [10.1.0.8]}}\n- {{addresses: [10.1.0.9]}}"))).await;
    region.has_service("shop/web", &["eu-1"], 2).await;
    until_reported(&federation, &["shop/web-pods", "endpoints[0].addresses[0]", "the endpoint is not used"]).await;
    eu.serve("shop", "web", 3).await;
    region.has_service("shop/web", &["eu-1"], 3).await;
    eventually("nothing is wrong with it any more", SOON, async || {
        let problems = federation.status("eu-1").await.problems;
        if problems.iter().any(|text| text.contains("shop/web-pods")) { Err(problems.join("\n")) } else { Ok(()) }
    })
    .await;
}

struct Bad {
    yaml: String,
    /// Object and field, as the problem names them.
    says: &'static [&'static str],
}

fn bad() -> Vec<Bad> {
    let of = |service: &str, name: &str, endpoints: &str| {
        bad_slice(
            name,
            service,
            &format!("addressType: IPv4\nports: [{{name: http, port: 8080}}]\nendpoints:\n{endpoints}"),
        )
    };
    let slice = |name: &str, endpoints: &str| of("web", name, endpoints);
    let ports: Vec<String> = (1..=1001).map(|port| format!("{{name: p{port}, port: {port}}}")).collect();
    vec![
        Bad {
            yaml: of("zoneless", "bad-zone", &format!("- {{addresses: [10.1.0.7], zone: '{}'}}", "z".repeat(5_000))),
            says: &["shop/bad-zone", "endpoints[0].zone", "used without its own zone"],
        },
        Bad {
            yaml: of(
                "half",
                "half-bad",
                "- {addresses: [10.1.0.30], zone: eu-a}\n- {addresses: [239.1.2.3]}\n- {addresses: [10.1.0.31]}",
            ),
            says: &["shop/half-bad", "endpoints[1].addresses[0]", "the endpoint is not used"],
        },
        Bad { yaml: slice("multicast", "- {addresses: [239.1.2.3]}"), says: &["shop/multicast", "addresses"] },
        Bad { yaml: slice("broadcast", "- {addresses: [255.255.255.255]}"), says: &["shop/broadcast", "addresses"] },
        Bad {
            yaml: bad_slice("odd-owner", "Web_1", "addressType: IPv4\nports: []\nendpoints: [{addresses: [10.1.0.8]}]"),
            says: &["shop/odd-owner", "service-name"],
        },
        Bad {
            yaml: objects::service(
                "shop",
                "wide",
                "isthmus.dev/federate: 'true'",
                &format!("ports: [{}]", ports.join(", ")),
            ),
            says: &["shop/wide", "ports", "1000", "the ports after these are not used"],
        },
        Bad {
            yaml: "---\napiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\n\
                   metadata: {name: odd, namespace: shop}\nspec: [not, a, mapping]\n"
                .to_owned(),
            says: &["shop/odd"],
        },
        Bad {
            yaml: format!(
                "---\napiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\n\
                 metadata: {{name: {}, namespace: shop}}\n",
                "long".repeat(20)
            ),
            says: &["longlonglong", "63"],
        },
    ]
}

/// Unusual, but right: names at their limits, addresses by name, no ports, slices without a Service.
async fn odd_but_good(federation: &Federation, region: &Isthmus) {
    let eu = federation.member("eu-1");
    let (namespace, name) = ("n".repeat(63), "s".repeat(63));
    eu.cluster.apply(&objects::namespace(&namespace)).await;
    let spec = "ports: [{name: a23456789012345, port: 65535, protocol: SCTP}]";
    eu.cluster.apply(&objects::service(&namespace, &name, "isthmus.dev/federate: 'true'", spec)).await;
    let slice = format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {}, namespace: {namespace}, labels: {{kubernetes.io/service-name: {name}}}}}\n\
         addressType: IPv4\nports: [{{name: a23456789012345, port: 1, protocol: SCTP}}]\n\
         endpoints: [{{addresses: [10.1.0.20], zone: 'a zone of its own kind'}}]\n",
        "x".repeat(253)
    );
    eu.cluster.apply(&slice).await;
    eu.cluster
        .apply(&bad_slice(
            "names",
            "web",
            "addressType: FQDN\nports: [{name: http, port: 80}]\nendpoints: [{addresses: [a.example.com]}]",
        ))
        .await;
    eu.cluster
        .apply(&bad_slice("portless", "web", "addressType: IPv4\nports: []\nendpoints: [{addresses: [10.1.0.21]}]"))
        .await;
    eu.cluster
        .apply(&bad_slice(
            "orphan",
            "absent",
            "addressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [10.1.0.22]}]",
        ))
        .await;
    let external = objects::service(
        "shop",
        "elsewhere",
        "isthmus.dev/federate: 'true'",
        "type: ExternalName, externalName: a.example.com",
    );
    eu.cluster.apply(&external).await;
    region.has_service(&format!("{namespace}/{name}"), &["eu-1"], 1).await;
    federation.member("us-1").until_mirror(&namespace, &name, &["eu-1"]).await;
    assert!(!region.services().await.contains_key("shop/elsewhere"), "an ExternalName is not federated");
    let problems = federation.status("eu-1").await.problems.join("\n");
    for good in ["shop/names", "shop/portless", "shop/orphan", "shop/elsewhere", "nnnnn"] {
        assert!(!problems.contains(good), "{good} is no problem: {problems}");
    }
}

/// Waits until the member's status lists a problem that contains all of these.
async fn until_reported(federation: &Federation, says: &[&str]) -> String {
    eventually(&format!("a problem that says {says:?}"), SOON, async || {
        let problems = federation.status("eu-1").await.problems;
        let found = problems.iter().find(|problem| says.iter().all(|text| problem.contains(text)));
        found.cloned().ok_or_else(|| problems.join("\n"))
    })
    .await
}

/// What the API server refuses because of the definitions, and the reasons in its answers.
#[tokio::test(flavor = "multi_thread")]
async fn bad_objects_of_our_own_kinds_are_refused_by_the_api_server() {
    let federation = Federation::start(&[]).await;
    let hub = &federation.hub;
    let member = |name: &str, spec: &str| {
        format!("apiVersion: isthmus.dev/v1alpha1\nkind: MemberCluster\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
    };
    let of_kind = |kind: &str, name: &str, spec: &str| {
        format!("apiVersion: isthmus.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n")
    };
    hub.apply(&member("eu-1", "region: eu, cidrs: {pods: [10.1.0.0/16]}")).await;
    let refused = [
        (member("eu-1", "region: us"), "cannot be changed"),
        (member("eu-2", "region: eu, cidrs: {pods: [10.1.2.0/16]}"), "no host bits"),
        (member("eu-2", "region: eu, cidrs: {services: ['fd00::1/64']}"), "no host bits"),
        (member("eu-2", "region: eu, cidrs: {pods: [ten]}"), "CIDR notation"),
        (member("eu-2", "region: eu, cidrs: {pods: []}"), "at least 1 item"),
        (member("eu-2", "{}".trim_matches(['{', '}'])), "region"),
        (member("eu-2", "region: EU"), "spec.region"),
        (member("eu.2", "region: eu"), "RFC 1123 label"),
        (member("eu-2", "region: eu, traffic: Paused"), "spec.traffic"),
        (member("eu-2", "region: eu, weight: 0"), "spec.weight"),
        (member("eu-2", "region: eu, exports: {namespaces: ['a*b']}"), "spec.exports.namespaces"),
        (of_kind("Region", "eu", "failover: [us, us]"), "each region once"),
        (of_kind("Region", "eu", "failover: [US]"), "spec.failover"),
        (of_kind("FederationPolicy", "default", "selects: {services: {matchLabels: {a: b}}}"), "selects everything"),
        (of_kind("FederationPolicy", "p", "reservedCidrs: [192.168.1.0/16]"), "no host bits"),
        (of_kind("FederationPolicy", "p", "failover: {tiers: [Zone, Zone]}"), "each tier once"),
        (of_kind("FederationPolicy", "p", "safety: {demoteAfter: soon}"), "spec.safety.demoteAfter"),
    ];
    for (yaml, why) in refused {
        let answer = hub.apply_or_refusal(&yaml).await;
        assert!(
            answer.as_ref().is_err_and(|error| error.contains(why)),
            "expected {why:?}, got {answer:?} for\n{yaml}"
        );
    }
    let names = hub.kubectl(&["get", "isthmus", "-o", "name"]).await;
    assert_eq!(names.trim(), "membercluster.isthmus.dev/eu-1", "what was refused is not there");
}
