//! What the control plane says of a real Envoy: that it took everything, what that is, and what load it reports.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::client::{redirect, until};
use crate::harness::{Isthmus, SOON, Source, objects, run};
use crate::testbed::{Backend, Envoy, EnvoySpec, eventually, netns};

const LIVE_LIMIT: Duration = Duration::from_secs(60);
const CLUSTER: &str = "outbound|80||web.shop.svc.cluster.local";
const POD: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 31, 0, 1));
const VIP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 101, 0, 7));

/// One service in one member.
fn world() -> TempDir {
    let world = tempfile::tempdir().unwrap();
    let hub =
        [objects::region("eu", &[]), objects::member_cluster("eu-1", "eu", &["127.31.0.0/16"], &["10.101.0.0/16"])];
    std::fs::write(world.path().join("hub.yaml"), hub.concat()).unwrap();
    let folder = world.path().join("clusters/eu-1");
    std::fs::create_dir_all(&folder).unwrap();
    let service = format!(
        "{}---
apiVersion: v1
kind: Service
metadata: {{namespace: shop, name: web, labels: {{isthmus.dev/federate: 'true'}}}}
spec: {{clusterIP: {VIP}, clusterIPs: [{VIP}], ports: [{{name: http, port: 80, targetPort: 8080, protocol: TCP}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{namespace: shop, name: web-a, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: 8080, protocol: TCP}}]
endpoints: [{{addresses: [{POD}], zone: eu-a, conditions: {{ready: true}}}}]
",
        objects::namespace("shop")
    );
    std::fs::write(folder.join("web.yaml"), service).unwrap();
    world
}

#[test]
fn a_sidecar_is_shown_with_what_it_holds_and_what_it_sends() {
    netns::isolated_without_clusters(async {
        let world = world();
        let mut plane = Isthmus::region("eu", Source::Folder(world.path()));
        plane.wait_ready().await;
        let mut spec = EnvoySpec::new("web-1", "eu", "eu-a", plane.xds()).metadata("CLUSTER_ID", "eu-1");
        spec.load_reports = true;
        let envoy = Envoy::start(spec).await;
        envoy.wait_live(LIVE_LIMIT).await;
        redirect();
        let _backend = Backend::start(SocketAddr::new(POD, 8080), "pod").await;

        let admin = format!("--admin=http://{}", plane.admin());
        // Envoy reports every ten seconds, of clusters that it had before, what happened since.
        let detail = eventually("all is accepted, and load was reported", SOON, async || {
            until(SocketAddr::new(VIP, 80), "web.shop", "pod").await;
            let output = run(&["proxy", "web-1", "-o", "json", &admin]).await;
            let detail: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
            let synced = output.status.code() == Some(0)
                && detail["proxy"]["types"].as_array().unwrap().iter().all(|found| found["state"] == "SYNCED");
            let reported = detail["loads"].as_array().unwrap().iter().any(|load| load["cluster"] == CLUSTER);
            if synced && reported { Ok(detail) } else { Err(format!("{detail:#}")) }
        })
        .await;
        assert_eq!(detail["proxy"]["profile"], "sidecar,on-demand");
        assert_eq!((&detail["proxy"]["variant"], &detail["proxy"]["cluster"]), (&"delta".into(), &"eu-1".into()));
        let load = detail["loads"].as_array().unwrap().iter().find(|load| load["cluster"] == CLUSTER).unwrap();
        assert_eq!(load["locality"], "eu/eu-a/eu-1");
        assert!(load["succeeded"].as_u64() >= Some(1), "{load:#}");
        let metrics = plane.metrics().await;
        assert!(metrics["isthmus_xds_load_requests_total{outcome=\"succeeded\"}"] >= 1.0, "{metrics:?}");

        // The dump is what Envoy says it holds, by type and name.
        let output = run(&["proxy", "web-1", "--dump", &admin]).await;
        let dump: Value = serde_json::from_slice(&output.stdout).unwrap();
        let names = |kind: &str| -> Vec<String> {
            let resources = dump["resources"].as_array().unwrap().iter().filter(|found| found["type"] == kind);
            resources.map(|found| found["name"].as_str().unwrap().to_owned()).collect()
        };
        let config: Value = serde_json::from_str(&envoy.admin("/config_dump?include_eds").await).unwrap();
        let held = |section: &str, list: &str, inner: &str, name: &str| -> Vec<String> {
            let sections = config["configs"].as_array().unwrap().iter();
            let found = sections.filter(|found| found["@type"].as_str().unwrap().ends_with(section));
            let entries = found.flat_map(|found| found[list].as_array().into_iter().flatten().cloned());
            let mut names: Vec<String> = entries
                .map(|entry| if inner.is_empty() { entry.clone() } else { entry[inner].clone() })
                .filter_map(|entry| entry[name].as_str().map(str::to_owned))
                .collect();
            names.sort();
            names
        };
        assert_eq!(names("cds"), held("ClustersConfigDump", "dynamic_active_clusters", "cluster", "name"));
        assert_eq!(names("lds"), held("ListenersConfigDump", "dynamic_listeners", "", "name"));
        assert!(names("eds").contains(&CLUSTER.to_owned()), "{dump:#}");
        assert!(names("srds").is_empty(), "a route finds its cluster by itself: {dump:#}");
        let text = dump.to_string();
        assert!(
            text.contains("type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"),
            "Anys are expanded"
        );
    });
}
