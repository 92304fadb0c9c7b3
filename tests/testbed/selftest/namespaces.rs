//! A network namespace: pod addresses work inside, and nothing leaves.

use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;

use crate::testbed::{Backend, Cluster, ClusterSpec, http, netns, ports};

const LIMIT: Duration = Duration::from_secs(2);

fn slice(address: &str) -> String {
    format!(
        "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4, \
         metadata: {{name: web-1, labels: {{kubernetes.io/service-name: web}}}}, \
         ports: [{{port: 8080}}], endpoints: [{{addresses: [{address}]}}]}}"
    )
}

#[test]
fn an_endpoint_of_a_cluster_can_be_called() {
    netns::isolated(async {
        let cluster = Cluster::start(ClusterSpec::named("netns").without_controllers()).await;
        let refusal = cluster.apply_or_refusal(&slice("127.9.4.1")).await;
        assert!(
            refusal.as_ref().is_err_and(|error| error.contains("loopback")),
            "the reason for all this: {refusal:?}"
        );

        cluster.apply(&slice("10.1.2.3")).await;
        let slice = Api::<EndpointSlice>::default_namespaced(cluster.client()).get("web-1").await.unwrap();
        let address = slice.endpoints.unwrap_or_default()[0].addresses[0].clone();
        let address = SocketAddr::new(address.parse().unwrap(), 8080);
        let _backend = Backend::start(address, "netns/z1/web-1").await;
        assert_eq!(http::get(address, "web", "/", LIMIT).await.unwrap().body, "netns/z1/web-1");
        let six = SocketAddr::new("fd00:1::7".parse().unwrap(), ports::free());
        let _backend = Backend::start(six, "netns/z1/web-6").await;
        assert_eq!(http::get(six, "web", "/", LIMIT).await.unwrap().body, "netns/z1/web-6");

        // TEST-NET-1 (RFC 5737): routed nowhere, and here not even towards anywhere.
        let outside = http::get("192.0.2.1:80".parse().unwrap(), "web", "/", LIMIT).await;
        assert!(outside.as_ref().is_err_and(|error| error.contains("unreachable")), "{outside:?}");
    });
}

#[test]
fn a_failure_inside_is_a_failure() {
    let outcome = std::panic::catch_unwind(|| netns::isolated(async { panic!("this is what went wrong inside") }));
    let panic = outcome.expect_err("the body panics");
    if netns::inside() {
        std::panic::resume_unwind(panic);
    }
    let message = panic.downcast_ref::<String>().expect("a message");
    assert!(message.contains("this is what went wrong inside"), "{message}");
}
