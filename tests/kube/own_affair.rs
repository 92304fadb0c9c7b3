//! What takes part, on real API servers: names that a member keeps for itself, what others derived, and addresses that two
//! members offer.

use std::time::Duration;

use crate::harness::{Federation, objects};

const IDS: [&str; 2] = ["eu-1", "us-1"];
const PORT: &str = "ports: [{name: http, port: 80, targetPort: 8080}]";
const WINDOW: Duration = Duration::from_secs(3);

async fn federation() -> (Federation, crate::harness::Isthmus) {
    let federation = Federation::joined(&IDS).await;
    let controller = federation.controller().await;
    federation.all_ready().await;
    (federation, controller)
}

/// Waits until the notices of us-1 are these, each by some words of it.
async fn notices(federation: &Federation, words: &[&str]) {
    federation
        .until_status("us-1", &format!("notices {words:?}"), |status| {
            status.notes.len() == words.len()
                && status.notes.iter().zip(words).all(|(notice, words)| notice.contains(words))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_own_service_is_its_own_affair() {
    let (federation, _controller) = federation().await;
    let [eu, us] = IDS.map(|id| federation.member(id));
    us.cluster.apply(&objects::namespace("shop")).await;
    us.cluster.apply(&objects::service("shop", "web", "app: web", &format!("selector: {{app: web}}, {PORT}"))).await;
    let own = us.service("shop", "web").await.expect("just applied");
    eu.serve("shop", "web", 1).await;
    const KEPT: &str = "Service shop/web is not exported here (it is not marked) although eu-1 exports it";
    notices(&federation, &[KEPT]).await;
    assert_eq!(federation.condition("us-1", "Ready").await.map(|ready| ready.reason), Some("Ready".to_owned()));
    // A resourceVersion that is the same at the end of a window proves that nothing was written in it.
    tokio::time::sleep(WINDOW).await;
    let found = us.service("shop", "web").await.expect("it is still there");
    assert_eq!(objects::version(&found.metadata), objects::version(&own.metadata));

    // Marked it takes part, and no longer when the mark is gone, by a label on either.
    let counts = async |services: u64| {
        let what = format!("contributes to {services} services");
        let is = |found: &clusters::api::MemberCounts| found.services == services;
        federation.until_status("us-1", &what, |status| status.counts.as_ref().is_some_and(is)).await;
    };
    let label = async |kind: &str, name: &str, value: &str| {
        us.cluster
            .kubectl(&["label", "--overwrite", "-n", "shop", kind, name, &format!("isthmus.dev/federate{value}")])
            .await;
    };
    for (value, services) in [("=true", 1), ("-", 0), ("=false", 0), ("-", 0)] {
        label("service", "web", value).await;
        counts(services).await;
    }
    notices(&federation, &[KEPT]).await;
    label("namespace", "shop", "=true").await;
    counts(1).await;
    notices(&federation, &[]).await;
    label("service", "web", "=false").await;
    notices(&federation, &["(its label isthmus.dev/federate says no) although eu-1"]).await;
    counts(0).await;

    // It is deleted: the mirror comes. A user makes an unmarked Service out of that: it is theirs, and reported.
    us.cluster.kubectl(&["label", "namespace", "shop", "isthmus.dev/federate-"]).await;
    us.cluster.kubectl(&["delete", "service", "-n", "shop", "web"]).await;
    us.until_mirror("shop", "web", &["eu-1"]).await;
    notices(&federation, &[]).await;
    us.cluster.apply(&objects::service("shop", "web", "app: web", &format!("selector: {{app: web}}, {PORT}"))).await;
    notices(&federation, &[KEPT]).await;
    us.until_service("shop", "web", "is the user's", |service| objects::sources(service).is_none()).await;
    counts(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_derived_is_left_out_and_reported() {
    let (federation, _controller) = federation().await;
    let [eu, us] = IDS.map(|id| federation.member(id));
    us.cluster
        .apply("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {isthmus.dev/federate: 'true'}}\n")
        .await;
    let service = |name: &str, labels: &str| objects::service("shop", name, labels, PORT);
    let derived = [
        service("gke-mcs-1a8qqpah56", ""),
        service("web-eu-1", "mirror.linkerd.io/mirrored-service: 'true'"),
        service("derived-web", "karmada.io/managed: 'true'"),
        service("slip", "isthmus.dev/federate: 'True', app: web"),
    ];
    us.cluster.apply(&derived.concat()).await;
    // A Service that its maker owns, as implementations of the MCS API have it.
    let owned = service("derived-k2", "app: x").replace(
        "labels:",
        "ownerReferences: [{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceImport, name: k2, \
         uid: 00000000-0000-0000-0000-000000000001}], labels:",
    );
    us.cluster.apply(&owned).await;
    eu.until_mirror("shop", "slip", &["us-1"]).await;
    notices(
        &federation,
        &[
            "Service shop/derived-k2 is marked for export and not exported: an implementation of the MCS API made it",
            "Service shop/derived-web is marked for export and not exported: Karmada",
            "Service shop/gke-mcs-1a8qqpah56 is marked for export and not exported: GKE Multi-Cluster Services",
            "Service shop/slip: label isthmus.dev/federate is \"True\", which marks nothing",
            "Service shop/web-eu-1 is marked for export and not exported: Linkerd",
        ],
    )
    .await;
    for name in ["derived-k2", "derived-web", "gke-mcs-1a8qqpah56", "web-eu-1"] {
        assert_eq!(eu.service("shop", name).await, None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_two_members_offer_is_served_from_neither() {
    let (federation, _controller) = federation().await;
    let [eu, us] = IDS.map(|id| federation.member(id));
    let contributes = async |id: &str, count: u64| {
        let is = |found: &clusters::api::MemberCounts| found.endpoints == count;
        let what = format!("contributes {count} endpoints");
        federation.until_status(id, &what, |status| status.counts.as_ref().is_some_and(is)).await;
    };
    for member in [eu, us] {
        member.serve("shop", "web", 1).await;
    }
    // Both use one pool of addresses that neither declares.
    let stray = |member: &crate::harness::Member| {
        let pods = [member.pod(1), "192.168.7.5".to_owned()];
        objects::slice("shop", "web", &pods, "a")
    };
    eu.cluster.apply(&stray(eu)).await;
    let condition = federation.until("eu-1", "Admitted", "True", "EndpointsOutOfRange").await;
    assert!(
        condition.message.contains("are served") && condition.message.contains("192.168.7.5 of Service shop/web"),
        "{condition:?}"
    );
    us.cluster.apply(&stray(us)).await;
    for (id, other) in [("eu-1", "us-1"), ("us-1", "eu-1")] {
        let condition = federation.until(id, "Admitted", "True", "DuplicateAddresses").await;
        assert!(condition.message.contains(&format!("offered by member {other} too")), "{condition:?}");
        contributes(id, 1).await;
    }
    // The member that declares the range keeps it.
    let pods = us.pods();
    let declared = objects::member_cluster("us-1", "us", &[&pods, "192.168.7.0/24"], &[&us.services()]);
    federation.hub.apply(&declared).await;
    federation.until("eu-1", "Admitted", "True", "EndpointsOutOfRange").await;
    federation.until("us-1", "Admitted", "True", "Admitted").await;
    contributes("us-1", 2).await;
    // A strict policy, and a Node that explains an address.
    let policy = "---\napiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {name: default}\n\
                  spec: {strictCidrs: true}\n";
    federation.hub.apply(policy).await;
    eu.cluster.apply(&objects::slice("shop", "web", &[eu.pod(1), "172.18.0.9".to_owned()], "a")).await;
    federation
        .until_message("eu-1", "Admitted", "True", "EndpointsOutOfRange", "strict", |found| {
            found.message.contains("172.18.0.9") && found.message.contains("(strictCidrs)")
        })
        .await;
    eu.cluster.apply(&objects::node("n1", "eu-a", "10.1.0.0/24")).await;
    let addresses = "{\"status\": {\"addresses\": [{\"type\": \"InternalIP\", \"address\": \"172.18.0.9\"}]}}";
    eu.cluster.kubectl(&["patch", "node", "n1", "--subresource=status", "--type=merge", "-p", addresses]).await;
    federation.until("eu-1", "Admitted", "True", "Admitted").await;
}
