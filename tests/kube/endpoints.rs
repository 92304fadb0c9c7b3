//! What real API servers say of endpoints in several objects comes out as one host: its zone from its Node, its two
//! addresses from two slices, and its use from whether another endpoint is ready.

use crate::harness::{Federation, SOON, Witness, objects};
use crate::testbed::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_put_together_from_all_that_is_known_of_them() {
    let federation = Federation::joined(&["eu-1"]).await;
    let eu = federation.member("eu-1");
    let _controller = federation.controller().await;
    let region = federation.region("eu").await;
    federation.all_ready().await;
    eu.cluster.apply(&objects::namespace("shop")).await;
    let witness = Witness::start(region.xds(), "eu", "eu-a").await;

    // A zone that only the Node knows, through its changes.
    eu.cluster.apply(&objects::node("n1", "eu-x", "10.1.1.0/24")).await;
    eu.cluster.apply(&objects::federated("shop", "web")).await;
    eu.cluster.apply(&slice("web-v4", "web", "IPv4", "10.1.1.1", "nodeName: n1", READY)).await;
    shows(&witness, "web.shop", &["zone: \"eu-x\"", "\"10.1.1.1\"", HEALTHY], &[]).await;
    eu.cluster.kubectl(&["label", "node", "n1", "topology.kubernetes.io/zone=eu-y", "--overwrite"]).await;
    shows(&witness, "web.shop", &["zone: \"eu-y\""], &["eu-x"]).await;
    // A second slice of the same address, as while the controller moves it, that knows better.
    eu.cluster.apply(&slice("web-moved", "web", "IPv4", "10.1.1.1", "zone: eu-a", READY)).await;
    eu.cluster.apply(&slice("web-v4", "web", "IPv4", "10.1.1.1", "hostname: web-0", READY)).await;
    shows(&witness, "web.shop", &["zone: \"eu-a\""], &["eu-y", "zone: \"\""]).await;
    eu.cluster.kubectl(&["delete", "endpointslice", "-n", "shop", "web-moved"]).await;
    shows(&witness, "web.shop", &["zone: \"\""], &["eu-a\""]).await;

    // It terminates: while it serves and no other one is ready, it is used.
    for (conditions, status) in [
        ("{ready: false, serving: true, terminating: true}", HEALTHY),
        ("{ready: false, terminating: true}", HEALTHY),
        ("{ready: false, serving: false, terminating: true}", DRAINING),
        ("{ready: false}", UNHEALTHY),
        (READY, HEALTHY),
    ] {
        eu.cluster.apply(&slice("web-v4", "web", "IPv4", "10.1.1.1", "hostname: web-0", conditions)).await;
        shows(&witness, "web.shop", &[status], &[]).await;
    }

    // A headless Service without a selector has both families, whatever its cluster has (Service API).
    let headless = "clusterIP: None, ports: [{name: http, port: 80}]";
    eu.cluster.apply(&objects::service("shop", "db", "isthmus.dev/federate: 'true'", headless)).await;
    let pod = "targetRef: {kind: Pod, namespace: shop, name: db-0, uid: uid-of-db-0}, zone: eu-a";
    eu.cluster.apply(&slice("db-v4", "db", "IPv4", "10.1.1.2", pod, READY)).await;
    eu.cluster.apply(&slice("db-v6", "db", "IPv6", "fd00:1::2", pod, READY)).await;
    shows(&witness, "db.shop", &["\"10.1.1.2\"", "AdditionalAddress", "\"fd00:1::2\""], &[]).await;
    region.has_service("shop/db", &["eu-1"], 1).await;
}

const READY: &str = "{ready: true}";
const HEALTHY: &str = "health_status: Healthy";
const UNHEALTHY: &str = "health_status: Unhealthy";
const DRAINING: &str = "health_status: Draining";

fn slice(name: &str, service: &str, family: &str, ip: &str, more: &str, conditions: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: {name}, namespace: shop, labels: {{kubernetes.io/service-name: {service}}}}}\n\
         addressType: {family}\nports: [{{name: http, port: 8080}}]\n\
         endpoints: [{{addresses: ['{ip}'], {more}, conditions: {conditions}}}]\n"
    )
}

/// Waits until the load assignments of a service contain all of `present` and nothing of `absent`.
async fn shows(witness: &Witness, service: &str, present: &[&str], absent: &[&str]) {
    eventually(&format!("{service} with {present:?} and without {absent:?}"), SOON, async || {
        let name = format!("xds endpoints outbound|80||{service}.svc.cluster.local");
        let text = witness.scene().only(&[&name]).text();
        let fits = present.iter().all(|part| text.contains(part)) && !absent.iter().any(|part| text.contains(part));
        if fits { Ok(()) } else { Err(text) }
    })
    .await;
}
