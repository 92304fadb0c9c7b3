//! Members whose API servers are hostile, beside one that is not. The process that is attacked is a region's control
//! plane of its own; its hub and both members are scripted, because a real API server cannot be made to do this.

mod server;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use self::server::{Asked, Out, Server, list};
use crate::harness::{Isthmus, SOON, Source, attack_scale, innocents};
use crate::testbed::eventually;

/// Growth of the attacked process's memory for each hostile member, in KiB.
const GROWTH_KIB: u64 = 64 << 10;
/// The longest answer that is taken: one page, or one event, and what was on its way in buffers.
const TAKEN: u64 = 32 << 20;
const SERVICES: &str = "/api/v1/services";
const SLICES: &str = "/apis/discovery.k8s.io/v1/endpointslices";
const NAMESPACES: &str = "/api/v1/namespaces";
const NODES: &str = "/api/v1/nodes";

struct Attack {
    good: Server,
    /// One, or ten at the scale of docs/security.md. The first is `bad-1`.
    bad: Vec<Server>,
    region: Isthmus,
    _hub: Server,
    _folder: tempfile::TempDir,
    /// Before the attack.
    resident_kib: u64,
}

fn region_object() -> String {
    json!({"metadata": {"name": "eu", "uid": "eu", "resourceVersion": "1"}, "spec": {}}).to_string()
}

fn member(id: &str, number: u8) -> String {
    let (pods, services) = (format!("10.{number}.0.0/16"), format!("10.{}.0.0/16", 100 + number));
    json!({
        "metadata": {"name": id, "uid": id, "resourceVersion": "1"},
        "spec": {"region": "eu", "kubeconfigSecretRef": {"name": id, "key": "kubeconfig"}, "cidrs": {"pods": [pods], "services": [services]}},
        "status": {"admission": {"at": "2026-01-01T00:00:00.000000Z", "uid": id, "pods": [pods], "services": [services]}},
    })
    .to_string()
}

fn secret(id: &str, server: &Server) -> String {
    let kubeconfig = serde_json::to_value(ByteString(server.kubeconfig().into_bytes())).expect("base64");
    json!({"metadata": {"name": id, "uid": id, "resourceVersion": "1"}, "data": {"kubeconfig": kubeconfig}}).to_string()
}

fn namespace(name: &str) -> String {
    json!({"metadata": {"name": name, "uid": name, "resourceVersion": "1"}}).to_string()
}

fn service(name: &str, version: u64) -> String {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version.to_string(), "labels": {"isthmus.dev/federate": "true"}},
        "spec": {"clusterIP": "10.101.0.1", "clusterIPs": ["10.101.0.1"], "ipFamilies": ["IPv4"], "ports": [{"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP"}], "type": "ClusterIP"},
    })
    .to_string()
}

fn slice(name: &str, service: &str, version: u64, addresses: &[String]) -> String {
    let endpoints: Vec<Value> =
        addresses.iter().map(|ip| json!({"addresses": [ip], "conditions": {"ready": true}})).collect();
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version.to_string(), "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4", "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    })
    .to_string()
}

/// What the good member serves: `shop/web` with so many endpoints.
fn web(endpoints: u64) -> String {
    let ips: Vec<String> = (1..=endpoints).map(|number| format!("10.1.0.{number}")).collect();
    slice("web-1", "web", endpoints, &ips)
}

impl Attack {
    async fn start(
        flags: &[&str],
        attack: impl Fn(&Asked<'_>, &mut Out<'_>) -> Option<io::Result<()>> + Send + Sync + 'static,
    ) -> Self {
        let shop = || vec![namespace("shop")];
        let good = [(NAMESPACES, shop()), (SERVICES, vec![service("web", 1)]), (SLICES, vec![web(1)])];
        let good = Server::start("good-1", &good, |_, _| None);
        let attack = Arc::new(attack);
        let hostile = || {
            let attack = Arc::clone(&attack);
            move |asked: &Asked<'_>, out: &mut Out<'_>| attack(asked, out)
        };
        let ids: Vec<(u8, String)> =
            (1..).take(attack_scale()).map(|number| (number, format!("bad-{number}"))).collect();
        let bad: Vec<Server> =
            ids.iter().map(|(_, id)| Server::start(id, &[(NAMESPACES, shop())], hostile())).collect();
        let secrets = ids.iter().zip(&bad).map(|((_, id), server)| secret(id, server));
        let secrets: Vec<String> = [secret("good-1", &good)].into_iter().chain(secrets).collect();
        let hub = Server::start(
            "hub",
            &[
                ("/apis/isthmus.dev/v1alpha1/regions", vec![region_object()]),
                ("/apis/isthmus.dev/v1alpha1/memberclusters", vec![member("good-1", 1)]),
                ("/api/v1/namespaces/isthmus-system/secrets", secrets),
            ],
            |_, _| None,
        );
        let folder = tempfile::tempdir().expect("make a folder");
        let kubeconfig = folder.path().join("hub");
        std::fs::write(&kubeconfig, hub.kubeconfig()).expect("write a kubeconfig");
        let flags: Vec<String> =
            flags.iter().map(|flag| (*flag).to_owned()).chain(["--sync-deadline=1".to_owned()]).collect();
        let region = Isthmus::region_with("eu", Source::Hub(&kubeconfig), &flags);
        eventually("the control plane answers", SOON, async || region.try_page("/livez").await).await;
        region.has_service("shop/web", &["good-1"], 1).await;
        let resident_kib = region.resident_kib();
        // The hostile ones join when all else is as it should be.
        for (number, id) in &ids {
            hub.event("/apis/isthmus.dev/v1alpha1/memberclusters", "ADDED", &member(id, 1 + number));
        }
        Self { good, bad, region, _hub: hub, _folder: folder, resident_kib }
    }

    /// The hostile member as the pages show it.
    async fn bad(&self) -> String {
        self.region.members().await.remove("bad-1").map(|member| member.to_string()).unwrap_or_default()
    }

    async fn bad_says(&self, what: &str, expected: &[&str]) {
        eventually(&format!("{what}: the reason is shown"), SOON, async || {
            let text = self.bad().await;
            if expected.iter().all(|part| text.contains(part)) { Ok(()) } else { Err(text) }
        })
        .await;
        let text = self.bad().await;
        assert!(!text.contains("the-token"), "{what}: {text}");
    }

    /// Clients are served beside the attack, and changes of the good member reach them.
    async fn innocents(&self, beside: &str) {
        let change = |endpoints: usize| self.good.event(SLICES, "MODIFIED", &web(endpoints as u64));
        innocents(self.region.xds(), &format!("hostile members: {beside}"), change).await;
    }

    /// The good member's change is seen.
    async fn innocent(&self, endpoints: u64) {
        self.good.event(SLICES, "MODIFIED", &web(endpoints));
        self.region.has_service("shop/web", &["good-1"], endpoints).await;
    }

    fn must_be_small(&self, what: &str) {
        let grown = self.region.resident_kib().saturating_sub(self.resident_kib);
        let longest = self.bad.iter().map(Server::longest).max().unwrap_or_default();
        eprintln!("hostile: {what}: {grown} KiB more, longest answer {} KiB", longest >> 10);
        assert!(grown <= GROWTH_KIB * attack_scale() as u64, "{what}: {grown} KiB more");
        assert!(longest <= TAKEN, "{what}: {longest} bytes of one answer were taken");
    }
}

struct Endless {
    what: &'static str,
    path: &'static str,
    watch: bool,
    status: u16,
    first: &'static str,
    part: &'static str,
    /// What people are shown of it.
    says: &'static [&'static str],
}

const LIST: &str = r#"{"kind":"ServiceList","metadata":{"resourceVersion":"1"},"items":["#;

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_end_are_cut_off_beside_an_innocent_member() {
    let case = |what, path, status, first, part, says| Endless { what, path, watch: false, status, first, part, says };
    let answer: &[&str] = &["it sent an answer of more than 1048576 bytes"];
    let values: &[&str] = &["it sent an answer with more than 65536 values in it"];
    let page: &[&str] = &["it sent a page of a list of more than 8388608 bytes", "KindUnreadable"];
    let event: &[&str] = &["it sent a watch event of more than 3145728 bytes"];
    let watch = |what, first, part, says| Endless { what, path: SERVICES, watch: true, status: 200, first, part, says };
    let cases = [
        case("version", "/version", 200, "{\"gitVersion\":\"", "x", answer),
        case("identity", "/api/v1/namespaces/kube-system", 200, "{\"x\":[", "{},", values),
        case("refusal", "/api/v1/namespaces/kube-system", 403, "{\"message\":\"", "x", &["(403)"]),
        case("health", "/livez", 200, "ok", "ok", answer),
        case("list of objects", SERVICES, 200, LIST, "{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"}},", page),
        case("list that is one text", SERVICES, 200, "{\"x\":\"", "x", page),
        case("list of nothing", SERVICES, 200, "", " ", page),
        case("continue token", SERVICES, 200, "{\"items\":[],\"metadata\":{\"continue\":\"", "x", page),
        watch("watch event", "{\"type\":\"ADDED\",\"object\":{\"x\":\"", "x", event),
        watch("watch event of empty values", "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"x\":[", "[],", event),
    ];
    for Endless { what, path, watch, status, first, part, says } in cases {
        let attack = Attack::start(&[], move |asked, out| {
            let hit = asked.path == path && asked.is_watch() == watch && asked.query != "limit=1";
            hit.then(|| out.endless(status, first, part))
        })
        .await;
        attack.bad_says(what, says).await;
        // It is asked again and again.
        attack.innocents(what).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        attack.must_be_small(what);
        attack.innocent(3).await;
    }
}

/// All kinds at once, lists first.
#[tokio::test(flavor = "multi_thread")]
async fn six_lists_without_end_are_read_a_few_at_a_time() {
    let attack = Attack::start(&[], |asked, out| {
        let list = asked.query.contains("limit=") && asked.query != "limit=1";
        list.then(|| {
            out.endless(200, LIST, "{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"},\"spec\":{\"ports\":[{}]}},")
        })
    })
    .await;
    attack.bad_says("all lists", &["services cannot be read", "namespaces cannot be read", "KindUnreadable"]).await;
    attack.innocents("six lists without end at once").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    attack.must_be_small("all lists");
    attack.innocent(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_without_end_page_by_page_are_given_up() {
    let page = |asked: &Asked<'_>, number: usize| {
        let items: Vec<String> =
            (0..500).map(|item| service(&format!("s-{}-{number}-{item}", asked.query.len()), 1)).collect();
        items.join(",")
    };
    let counter = AtomicUsize::new(0);
    let next = Arc::new(move || counter.fetch_add(1, Ordering::Relaxed));
    type Pages = Box<dyn Fn(&Asked<'_>, usize) -> String + Send + Sync>;
    let cases: [(&str, Pages, &[&str]); 4] = [
        (
            "objects",
            Box::new(move |asked, number| list(&page(asked, number), "1", &format!("t{number}"))),
            &["the list has more than 4000 objects and is not used", "--max-member-objects"],
        ),
        (
            "empty pages",
            Box::new(|_, number| list("", "1", &format!("t{number}"))),
            &["the list has no end: too many of its pages"],
        ),
        (
            "one token",
            Box::new(|_, _| list(&service("a", 1), "1", "t")),
            &["the list has no end: it gives the same continue token again"],
        ),
        (
            "bytes",
            Box::new(|_, number| {
                let text = "x".repeat(100_000);
                let object = json!({"metadata": {"name": format!("s{number}"), "namespace": "shop", "annotations": {"a": text}}, "spec": {}});
                list(&object.to_string(), "1", &format!("t{number}"))
            }),
            &["the list has more than 16000000 bytes and is not used", "--max-member-bytes"],
        ),
    ];
    for (what, pages, says) in cases {
        let next = Arc::clone(&next);
        let attack = Attack::start(&["--max-member-objects=2000", "--max-member-bytes=8000000"], move |asked, out| {
            let hit = asked.path == SERVICES && !asked.is_watch() && asked.query != "limit=1";
            hit.then(|| out.json(&pages(asked, next())))
        })
        .await;
        attack.bad_says(what, says).await;
        attack.must_be_small(what);
        attack.innocents(&format!("lists page by page: {what}")).await;
        assert_eq!(attack.region.services().await.len(), 1, "{what}: nothing of it is used");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_without_end_on_a_watch_are_rejected_and_cost_others_nothing() {
    type Event = fn(u64) -> String;
    let cases: [(&str, &str, Event, &[&str]); 5] = [
        (
            "services",
            SERVICES,
            |number| service(&format!("s{number}"), number),
            &["Service: found ", "at most 1000 objects of one member"],
        ),
        (
            "namespaces",
            NAMESPACES,
            |number| namespace(&format!("n{number}")),
            &["Namespace: found ", "at most 1000 objects of one member"],
        ),
        (
            "endpoints",
            SLICES,
            |number| {
                let ips: Vec<String> = (0..500).map(|ip| format!("10.2.{}.{}", ip / 250, 1 + ip % 250)).collect();
                slice(&format!("w{number}"), &format!("w{number}"), number, &ips)
            },
            &["EndpointSlice: found ", "at most 10000 endpoints of one member"],
        ),
        (
            "unusable services",
            SERVICES,
            |number| service(&format!("s{number}"), number).replace("\"TCP\"", "\"Odd\""),
            &["Service shop/s", "Odd"],
        ),
        // One object that never stops changing is not too much, but must not be in the way either.
        (
            "changes",
            SERVICES,
            |number| service("same", number).replace("\"port\":80", &format!("\"port\":{}", 1 + number % 60_000)),
            &["bad-1"],
        ),
    ];
    for (what, path, event, says) in cases {
        let attack = Attack::start(&["--max-member-objects=1000"], move |asked, out| {
            (asked.path == path && asked.is_watch()).then(|| {
                out.begin(200)?;
                for number in 2..200_000 {
                    out.write(format!("{{\"type\":\"ADDED\",\"object\":{}}}\n", event(number)).as_bytes())?;
                }
                Ok(())
            })
        })
        .await;
        attack.bad_says(what, says).await;
        attack.innocents(&format!("events without end: {what}")).await;
        let grown = attack.region.resident_kib().saturating_sub(attack.resident_kib);
        eprintln!("hostile: {what} without end: {grown} KiB more");
        assert!(grown <= GROWTH_KIB * attack_scale() as u64, "{what}: {grown} KiB more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_read_is_reported_at_once() {
    type Reply = fn(&mut Out<'_>) -> io::Result<()>;
    let cases: [(&str, Reply, &str); 10] = [
        ("bad JSON", |out| out.json("{\"items\":[the-token]}"), "the list is not JSON (line 1, column 12)"),
        ("HTML", |out| out.answer(200, "text/html", b"<html>\x07the-token</html>"), "the list is HTML and not JSON"),
        (
            "no text",
            |out| out.answer(200, "application/json", b"{\"items\":[\"\xff\xfe\"]}"),
            "the list is not UTF-8 text",
        ),
        ("empty", |out| out.json(""), "the list ends in the middle, after 0 bytes"),
        (
            "cut JSON",
            |out| out.json("{\"metadata\":{},\"items\":[{\"metadata\""),
            "the list ends in the middle, after 35 bytes",
        ),
        (
            "cut body",
            |out| {
                let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n{\"items\":[";
                out.raw(head.as_bytes())?;
                Err(io::ErrorKind::Other.into())
            },
            "the list ends in the middle, after 10 bytes",
        ),
        ("another kind", |out| out.json("{\"kind\":\"the-token\",\"items\":[]}"), "expected a ServiceList"),
        ("a status", |out| out.json("{\"kind\":\"Status\",\"message\":\"the-token\"}"), "expected a ServiceList"),
        (
            "no version",
            |out| out.json("{\"kind\":\"ServiceList\",\"items\":[]}"),
            "what it sent has no resourceVersion",
        ),
        (
            "a redirect",
            |out| {
                out.raw(
                    b"HTTP/1.1 302 Found\r\nlocation: https://169.254.169.254/the-token\r\ncontent-length: 0\r\n\r\n",
                )
            },
            "it answered 302",
        ),
    ];
    for (what, reply, says) in cases {
        let attack = Attack::start(&[], move |asked, out| {
            let hit = asked.path == SERVICES && !asked.is_watch() && asked.query != "limit=1";
            hit.then(|| reply(out))
        })
        .await;
        attack.bad_says(what, &[says, "KindUnreadable", "services cannot be read"]).await;
        // As long as it lasts.
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let text = attack.bad().await;
            assert!(text.contains(says) && !text.contains("\"Listing\""), "{what}: {text}");
        }
        attack.innocent(2).await;
    }
}

/// A watch whose events cannot be read is a trouble of its kind as well, and what is known stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_cannot_be_read_is_reported() {
    for (what, line, says) in [
        ("bad JSON", "the-token\n", "a watch event is not JSON"),
        ("no event", "{\"the-token\":1}\n", "a watch event does not have the form"),
        ("another event", "{\"type\":\"the-token\",\"object\":{}}\n", "expected an event of a type"),
    ] {
        let attack = Attack::start(&[], move |asked, out| {
            (asked.path == NODES && asked.is_watch()).then(|| {
                out.begin(200)?;
                out.write(line.as_bytes())?;
                Err(io::ErrorKind::Other.into())
            })
        })
        .await;
        attack.bad_says(what, &[says, "nodes cannot be read"]).await;
        attack.innocent(2).await;
    }
}

/// A member that worked is listed again, and its lists have become unusable: what is known of it stays in use.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_turns_bad_takes_nothing_away() {
    type Reply = fn(&mut Out<'_>) -> io::Result<()>;
    let cases: [(&str, Reply, &str); 3] = [
        ("HTML", |out| out.answer(200, "text/html", b"<html></html>"), "the list is HTML and not JSON"),
        (
            "without end",
            |out| out.endless(200, LIST, "{\"metadata\":{\"name\":\"a\"}},"),
            "it sent a page of a list of more than",
        ),
        (
            "too many",
            |out| {
                let many: Vec<String> = (0..2_001).map(|number| namespace(&format!("n{number}"))).collect();
                out.json(&list(&many.join(","), "1", ""))
            },
            "the list has more than 2000 objects and is not used",
        ),
    ];
    for (what, reply, says) in cases {
        let unusable = Arc::new(AtomicBool::new(false));
        let bad = Arc::clone(&unusable);
        let attack = Attack::start(&["--max-member-objects=1000"], move |asked, out| {
            let bad = || bad.load(Ordering::Relaxed);
            match (asked.path, asked.is_watch()) {
                (SERVICES, true) => Some({
                    let begun = out.begin(200);
                    while !bad() {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    let gone = r#"{"type":"ERROR","object":{"kind":"Status","status":"Failure","code":410}}"#;
                    begun.and_then(|()| out.write(format!("{gone}\n").as_bytes())).and(Err(io::ErrorKind::Other.into()))
                }),
                (SERVICES, false) if bad() && asked.query != "limit=1" => Some(reply(out)),
                (SERVICES, false) => Some(out.json(&list(&service("old", 1), "1", ""))),
                (SLICES, false) => Some(out.json(&list(&slice("old-1", "old", 1, &["10.2.0.1".to_owned()]), "1", ""))),
                _ => None,
            }
        })
        .await;
        // Each has it; the address lies in the first one's range.
        let mut ids: Vec<String> = (1..=attack_scale()).map(|number| format!("bad-{number}")).collect();
        ids.sort();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        attack.region.has_service("shop/old", &ids, 1).await;
        unusable.store(true, Ordering::Relaxed);
        attack.bad_says(what, &[says, "services cannot be read, and what is known of them stays in use"]).await;
        attack.innocent(2).await;
        attack.region.has_service("shop/old", &ids, 1).await;
        attack.must_be_small(what);
    }
}
