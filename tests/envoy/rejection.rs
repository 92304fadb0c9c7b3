//! What a real Envoy rejects because of the moment: a port that something else holds. It is offered again when the cause may
//! be gone, and until then the control plane says so.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Isthmus, SOON, Source, objects, run};
use crate::testbed::{Backend, Envoy, EnvoySpec, eventually, http, netns};

const PLAIN_PORT: u16 = 15_080;
const INTERCEPT_PORT: u16 = 15_001;
/// A sidecar that fetches clusters on demand hears of no change here: the timer's first minute, give or take a fifth.
const TIMER: Duration = Duration::from_secs(100);
const LIMIT: Duration = Duration::from_secs(5);
const POD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 31, 0, 1));

/// A proxy that is asked to listen where something else does.
struct Case {
    node: &'static str,
    delta: bool,
    intercepted: bool,
    port: u16,
}

#[test]
fn what_a_proxy_rejected_is_offered_again_when_the_cause_is_gone() {
    netns::isolated_without_clusters(async {
        let cases = [
            Case { node: "plain-delta", delta: true, intercepted: false, port: PLAIN_PORT },
            Case { node: "plain-sotw", delta: false, intercepted: false, port: PLAIN_PORT },
            Case { node: "sidecar-delta", delta: true, intercepted: true, port: INTERCEPT_PORT },
            Case { node: "sidecar-sotw", delta: false, intercepted: true, port: INTERCEPT_PORT },
        ];
        let world = world();
        let mut plane = Isthmus::region("eu", Source::Folder(world.path()));
        plane.wait_ready().await;
        let _backend = Backend::start(SocketAddr::new(POD, 8080), "pod").await;
        let mut proxies = Vec::new();
        for (case, last) in cases.iter().zip(1..) {
            let listen = Ipv4Addr::new(127, 40, 0, last);
            let taken = TcpListener::bind((listen, case.port)).unwrap();
            let mode = if case.intercepted { "REDIRECT" } else { "NONE" };
            let mut spec = EnvoySpec::new(case.node, "eu", "eu-a", plane.xds())
                .metadata("CLUSTER_ID", "eu-1")
                .metadata("INTERCEPTION_MODE", mode)
                .metadata("LISTEN", listen.to_string());
            spec.delta = case.delta;
            proxies.push((case, SocketAddr::new(listen.into(), case.port), taken, Envoy::start(spec).await));
        }
        for (case, ..) in &proxies {
            let listed = shown(&plane, case.node, 1).await;
            assert!(listed.contains("REJECTED") && listed.contains("lds"), "{listed}");
        }
        // It stays so whatever else they accept: clusters come and go, nothing listens, and nothing is called well.
        std::fs::write(world.path().join("clusters/eu-1/api.yaml"), service("api", "10.101.0.8", 80)).unwrap();
        plane.has_service("shop/api", &["eu-1"], 1).await;
        for (case, ..) in &proxies {
            shown(&plane, case.node, 1).await;
        }

        let mut envoys = Vec::new();
        for (case, at, taken, envoy) in proxies {
            drop(taken);
            envoys.push((case, at, envoy));
        }
        std::fs::write(world.path().join("clusters/eu-1/more.yaml"), service("more", "10.101.0.9", 80)).unwrap();
        plane.has_service("shop/more", &["eu-1"], 1).await;
        for (case, at, _envoy) in &envoys {
            eventually(&format!("{} listens", case.node), TIMER, async || match case.intercepted {
                true => std::net::TcpStream::connect(at).map(|_| ()).map_err(|error| error.to_string()),
                false => match http::get(*at, "web.shop", "/", LIMIT).await {
                    Ok(answer) if answer.body == "pod" => Ok(()),
                    other => Err(format!("{other:?}")),
                },
            })
            .await;
            shown(&plane, case.node, 0).await;
        }
    });
}

/// What `isthmus proxy NODE` prints once it ends with `code`.
async fn shown(plane: &Isthmus, node: &str, code: i32) -> String {
    let admin = format!("--admin=http://{}", plane.admin());
    eventually(&format!("isthmus proxy {node} ends with {code}"), SOON, async || {
        let output = run(&["proxy", node, "-o", "json", &admin]).await;
        let detail: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
        let types = detail["proxy"]["types"].as_array().cloned().unwrap_or_default();
        let errors = detail["resources"].as_array().cloned().unwrap_or_default();
        let in_error = errors.iter().any(|resource| resource["state"] == "ERROR");
        let rejected = types.iter().any(|found| found["state"] == "REJECTED");
        match (output.status.code() == Some(code), in_error == (code != 0), rejected == in_error, types.is_empty()) {
            (true, true, true, false) => Ok(detail.to_string()),
            _ => Err(format!("{:?}: {detail:#}", output.status)),
        }
    })
    .await
}

fn world() -> tempfile::TempDir {
    let world = tempfile::tempdir().unwrap();
    let hub =
        [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["127.31.0.0/16"], &["10.101.0.0/16"])];
    std::fs::write(world.path().join("hub.yaml"), hub.concat()).unwrap();
    let folder = world.path().join("clusters/eu-1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("shop.yaml"), objects::namespace("shop")).unwrap();
    std::fs::write(folder.join("web.yaml"), service("web", "10.101.0.7", 80)).unwrap();
    world
}

fn service(name: &str, vip: &str, port: u16) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{namespace: shop, name: {name}, labels: {{isthmus.dev/federate: 'true'}}}}
spec: {{clusterIP: {vip}, clusterIPs: [{vip}], ports: [{{name: http, port: {port}, targetPort: 8080, protocol: TCP}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{namespace: shop, name: {name}-a, labels: {{kubernetes.io/service-name: {name}}}}}
addressType: IPv4
ports: [{{name: http, port: 8080, protocol: TCP}}]
endpoints: [{{addresses: [{POD}], zone: eu-a, conditions: {{ready: true}}}}]
"
    )
}
