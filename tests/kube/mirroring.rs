//! What a member's DNS needs is written there, put back, taken away again, and nothing else is touched.

use std::time::Duration;

use k8s_openapi::api::core::v1::Service;

use crate::harness::{Federation, Member, Scene, objects, still};
use crate::testbed::CoreDns;

const IDS: [&str; 3] = ["eu-1", "us-1", "ap-1"];
const DNS_LIMIT: Duration = Duration::from_secs(20);
const WINDOW: Duration = Duration::from_secs(3);
/// Enough for a lost API server to be noticed and for a delete to be thought over many times.
const HOLD: Duration = Duration::from_secs(6);

/// All three joined and ready, and a controller.
async fn federation() -> (Federation, crate::harness::Isthmus) {
    let federation = Federation::joined(&IDS).await;
    let controller = federation.controller().await;
    federation.all_ready().await;
    (federation, controller)
}

#[tokio::test(flavor = "multi_thread")]
async fn mirroring_makes_names_resolve_everywhere() {
    let (federation, _controller) = federation().await;
    let [eu, us, ap] = IDS.map(|id| federation.member(id));
    let [eu_dns, us_dns, ap_dns] = {
        let all = IDS.map(|id| CoreDns::start(&federation.member(id).cluster));
        let all: Vec<CoreDns> = futures::future::join_all(all).await;
        <[CoreDns; 3]>::try_from(all).unwrap_or_else(|_| unreachable!("three"))
    };

    eu.serve("shop", "web", 2).await;
    for (member, dns) in [(eu, &eu_dns), (us, &us_dns), (ap, &ap_dns)] {
        let service = member.until_service("shop", "web", "is there", |_| true).await;
        let ip = service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()).unwrap_or_default().parse();
        let ip = ip.unwrap_or_else(|_| panic!("{}: no ClusterIP: {service:?}", member.id));
        assert!(member.owns(ip), "{}: {ip} is not its own", member.id);
        dns.resolves_to("web.shop.svc.cluster.local.", &[ip], DNS_LIMIT).await;
    }
    // A mirror says what it is, and serves by no pods of its own.
    let mirror = us.until_mirror("shop", "web", &["eu-1"]).await;
    assert_eq!(objects::label(&mirror.metadata, "app.kubernetes.io/managed-by"), Some("isthmus"));
    assert_eq!(objects::managers(&mirror.metadata), [objects::MANAGER]);
    assert_eq!(mirror.spec.as_ref().and_then(|spec| spec.selector.as_ref()), None);
    assert_eq!(objects::ports(&mirror), [("http", 80, "TCP")]);
    let namespace = us.namespace("shop").await.expect("the namespace came with it");
    assert_eq!(objects::label(&namespace.metadata, "app.kubernetes.io/managed-by"), Some("isthmus"));
    // A service without the mark is not mirrored.
    eu.cluster.apply(&objects::service("shop", "private", "app: x", "ports: [{port: 80}]")).await;

    shapes(eu, us).await;
    second_source(eu, us, ap).await;

    // Gone at its source, gone everywhere; its namespace stays, because users may have put objects into it.
    eu.withdraw("shop", "web").await;
    us.until_gone("shop", "web").await;
    ap.until_gone("shop", "web").await;
    us_dns.resolves_to_nothing("web.shop.svc.cluster.local.", DNS_LIMIT).await;
    assert!(us.namespace("shop").await.is_some_and(|found| found.metadata.deletion_timestamp.is_none()));
    // And it comes back.
    eu.serve("shop", "web", 1).await;
    ap.until_mirror("shop", "web", &["eu-1"]).await;
    assert_eq!(us.service("shop", "private").await, None);
}

/// Several ports and protocols; headless; from one to the other.
async fn shapes(eu: &Member, us: &Member) {
    let mark = "isthmus.dev/federate: 'true'";
    let ports = "ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}, {name: web, port: 443, \
                 appProtocol: kubernetes.io/h2c}]";
    eu.cluster.apply(&objects::service("shop", "ports", mark, ports)).await;
    let mirror = us.until_mirror("shop", "ports", &["eu-1"]).await;
    let mut found = objects::ports(&mirror);
    found.sort_unstable();
    assert_eq!(found, [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP"), ("web", 443, "TCP")]);
    let apps: Vec<_> = mirror.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).collect();
    assert!(apps.iter().any(|port| port.app_protocol.as_deref() == Some("kubernetes.io/h2c")), "{apps:?}");
    // One port less.
    eu.cluster.apply(&objects::service("shop", "ports", mark, "ports: [{name: web, port: 443}]")).await;
    us.until_service("shop", "ports", "has one port", |service| objects::ports(service) == [("web", 443, "TCP")]).await;

    let headless =
        |service: &Service| service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) == Some("None");
    let spec = "clusterIP: None, ports: [{name: peers, port: 7000}]";
    eu.cluster.apply(&objects::service("shop", "peers", mark, spec)).await;
    us.until_mirror("shop", "peers", &["eu-1"]).await;
    us.until_service("shop", "peers", "is headless", headless).await;
    // A ClusterIP cannot be changed in place, so the mirror has to go and come back.
    eu.cluster.kubectl(&["delete", "service", "-n", "shop", "peers"]).await;
    eu.cluster.apply(&objects::service("shop", "peers", mark, "ports: [{name: peers, port: 7000}]")).await;
    us.until_service("shop", "peers", "has an address of its own", |service| !headless(service)).await;
}

/// A user's own Service of the name is the local part: it is used where it is, and not written to.
async fn second_source(eu: &Member, us: &Member, ap: &Member) {
    us.cluster.apply(&objects::namespace("both")).await;
    us.serve("both", "web", 1).await;
    let own = us.service("both", "web").await.expect("just applied");
    ap.until_mirror("both", "web", &["us-1"]).await;
    eu.serve("both", "web", 1).await;
    ap.until_mirror("both", "web", &["eu-1", "us-1"]).await;
    us.withdraw("both", "web").await;
    ap.until_mirror("both", "web", &["eu-1"]).await;
    // What was the user's own is now missing there, so a mirror takes its place.
    let mirror = us.until_mirror("both", "web", &["eu-1"]).await;
    assert_ne!(mirror.metadata.uid, own.metadata.uid);
}

#[tokio::test(flavor = "multi_thread")]
async fn mirroring_touches_nothing_foreign() {
    let (federation, _controller) = federation().await;
    let [eu, us, ap] = IDS.map(|id| federation.member(id));
    // In `ap-1` the names are taken: by a user's Service, and by one that looks like ours but was not written by us.
    ap.cluster.apply(&objects::namespace("shop")).await;
    ap.cluster.apply(&objects::service("shop", "own", "app: own", "selector: {app: own}, ports: [{port: 9000}]")).await;
    let labels = "app.kubernetes.io/managed-by: isthmus, isthmus.dev/mirror: 'true'";
    ap.cluster.apply(&objects::service("shop", "forged", labels, "ports: [{port: 9000}]")).await;
    // One of our kind that no member backs: still not ours.
    ap.cluster.apply(&objects::service("shop", "forged-too", labels, "ports: [{port: 9000}]")).await;
    let foreign = async || federation.scene_in(&["ap-1"]).await.only(&["/own", "/forged", "Namespace"]);
    let before = foreign().await;

    for name in ["own", "forged", "web"] {
        eu.serve("shop", name, 1).await;
        us.until_mirror("shop", name, &["eu-1"]).await;
    }
    ap.until_mirror("shop", "web", &["eu-1"]).await;
    before.assert_same(&foreign().await, "objects that are not ours were written to");

    put_back(us).await;
    let_go(&federation, eu, us).await;

    for name in ["own", "forged", "web"] {
        eu.withdraw("shop", name).await;
        us.until_gone("shop", name).await;
    }
    ap.until_gone("shop", "web").await;
    still("foreign objects after the last source is gone", WINDOW, foreign).await;
    before.assert_same(&foreign().await, "objects that are not ours were written to");
}

/// Hand edits of a mirror.
async fn put_back(us: &Member) {
    let whole = |service: &Service| {
        objects::ports(service) == [("http", 80, "TCP")]
            && objects::sources(service) == Some("eu-1")
            && objects::label(&service.metadata, "app.kubernetes.io/managed-by") == Some("isthmus")
    };
    let edit = async |what: &str, args: &[&str]| {
        let version = us.service("shop", "web").await.expect("the mirror").metadata.resource_version;
        us.cluster.kubectl(&[&["-n", "shop"], args].concat()).await;
        let edited = |service: &Service| service.metadata.resource_version != version && whole(service);
        us.until_service("shop", "web", &format!("is put back after {what}"), edited).await;
    };
    edit(
        "a port was changed",
        &[
            "patch",
            "service",
            "web",
            "--type=json",
            "-p",
            r#"[{"op":"replace","path":"/spec/ports/0/port","value":81}]"#,
        ],
    )
    .await;
    edit("a port was added", &["patch", "service", "web", "-p", r#"{"spec":{"ports":[{"name":"more","port":90}]}}"#])
        .await;
    edit("its sources were edited", &["annotate", "--overwrite", "service", "web", "isthmus.dev/sources=mars"]).await;
    // Its own label makes it ours: without it, it belongs to another owner from then on. The managed-by label alone does not.
    us.cluster.kubectl(&["-n", "shop", "delete", "service", "web"]).await;
    us.until_mirror("shop", "web", &["eu-1"]).await;
    // What a user adds beside our fields is the user's.
    us.cluster.kubectl(&["-n", "shop", "label", "service", "web", "team=blue"]).await;
    us.until_service("shop", "web", "keeps a user's label", |service| {
        objects::label(&service.metadata, "team") == Some("blue") && whole(service)
    })
    .await;
}

/// A user applies a real Service over a mirror.
async fn let_go(federation: &Federation, eu: &Member, us: &Member) {
    eu.serve("shop", "moved", 1).await;
    let mirror = us.until_mirror("shop", "moved", &["eu-1"]).await;
    // The way most people do it: a plain `kubectl apply`, which knows nothing of field managers.
    let real =
        objects::service("shop", "moved", "app: moved", "selector: {app: moved}, ports: [{name: http, port: 80}]");
    let file = federation.file("moved.yaml", &real);
    us.cluster.kubectl(&["apply", "-f", &file.display().to_string()]).await;
    let free = us
        .until_service("shop", "moved", "is the user's alone", |service| {
            objects::sources(service).is_none()
                && objects::label(&service.metadata, "isthmus.dev/mirror").is_none()
                && !objects::managers(&service.metadata).contains(&objects::MANAGER)
        })
        .await;
    assert_eq!(free.metadata.uid, mirror.metadata.uid, "it was not replaced");
    assert_eq!(objects::ports(&free), [("http", 80, "TCP")]);
    let selector = free.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
    assert_eq!(selector.get("app").map(String::as_str), Some("moved"));
    // Its source goes: it is not a mirror and stays.
    eu.withdraw("shop", "moved").await;
    still("a Service that we let go", WINDOW, async || {
        let found = us.service("shop", "moved").await.expect("it stays");
        Scene::of("moved", &objects::version(&found.metadata))
    })
    .await;
    // Deleted by its user, with a source again, the mirror returns.
    us.cluster.kubectl(&["-n", "shop", "delete", "service", "moved"]).await;
    eu.serve("shop", "moved", 1).await;
    us.until_mirror("shop", "moved", &["eu-1"]).await;
    eu.withdraw("shop", "moved").await;
    us.until_gone("shop", "moved").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mirroring_holds_deletes_while_a_member_is_down() {
    let (mut federation, _controller) = federation().await;
    for (member, name) in [("eu-1", "web"), ("ap-1", "other")] {
        federation.member(member).serve("shop", name, 1).await;
        federation.member("us-1").until_mirror("shop", name, &[member]).await;
    }
    federation.member_mut("ap-1").cluster.kill_apiserver();
    federation.until("ap-1", "Connected", "False", "Unreachable").await;
    let look = async || federation.scene_in(&["us-1"]).await;
    let before = look().await;
    federation.member("eu-1").withdraw("shop", "web").await;
    // `ap-1` could back it, which is unknown.
    still("mirrors while a member is down", HOLD, look).await;
    before.assert_same(&look().await, "a mirror went although a member was down");
    federation.member_mut("ap-1").cluster.restart_apiserver().await;
    federation.member("us-1").until_gone("shop", "web").await;
    federation.member("ap-1").until_gone("shop", "web").await;
    federation.until_ready("ap-1").await;
    federation.member("us-1").until_mirror("shop", "other", &["ap-1"]).await;
}
