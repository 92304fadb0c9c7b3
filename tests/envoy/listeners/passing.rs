//! What is not federated passes through untouched, on port numbers that federated services use too.

use super::*;
use crate::harness::SOON;
use crate::testbed::eventually;
use talker::{ask, echo, greeted, http};

/// Federated HTTP on three ports, one of which is that of the Kubernetes API.
const WEB: Service<'_> = Service {
    name: "web",
    vip: "10.100.0.1",
    ports: "{name: http, port: 80, targetPort: 8080}, {name: http-api, port: 443, targetPort: 8080}",
    federated: true,
    pod: Some(("http", "10.8.0.1")),
};
const OTHER: Service<'_> = Service {
    name: "other",
    vip: "10.100.0.2",
    ports: "{name: http, port: 9999, targetPort: 8080}",
    federated: true,
    pod: Some(("http", "10.8.0.2")),
};

pub(super) async fn passing_by(kind: Kind) {
    http(at("10.8.0.1", 8080), "web").await;
    http(at("10.8.0.2", 8080), "other").await;
    let kubernetes = Service::private("default/kubernetes", "10.100.0.3", "{name: https, port: 443}");
    let private = Service::private("private", "10.100.0.4", "{name: http, port: 80}");
    let udp = Service::private("dns", "10.100.0.5", "{name: dns, port: 80, protocol: UDP}");
    let scene = Scene::new(kind, &[WEB, OTHER, kubernetes, private, udp]).await;
    // Servers that send first and no HTTP: no proxy that expects requests would let them through.
    for (who, to) in [
        ("the Kubernetes API", at("10.100.0.3", 443)),
        ("a service that is not federated", at("10.100.0.4", 80)),
        ("an external address", at("10.250.0.9", 80)),
        ("a node port", at("10.250.0.9", 9999)),
        ("a pod", at("10.8.0.77", 9999)),
    ] {
        echo(to, who).await;
        assert_eq!(greeted(to).await.as_deref(), Ok(who), "{kind:?}");
    }
    // HTTP to addresses that no service has, or that have no such TCP port.
    for (who, to) in [
        ("an address of no service", at("10.100.0.77", 80)),
        ("another port of an address of a federated service", at("10.100.0.1", 9999)),
        ("a port that is UDP", at("10.100.0.5", 80)),
        ("an address of no service, on another port", at("10.100.0.77", 9999)),
    ] {
        http(to, who).await;
        let answer = ask(to, "x-isthmus-vip: mine\r\n").await.unwrap();
        assert!(answer.contains(who), "{kind:?}: {who}: {answer}");
        if kind != Kind::OnDemand {
            assert!(answer.contains("x-isthmus-vip: mine") && !answer.contains("envoy"), "{kind:?}: {who}: {answer}");
        }
    }
    if kind != Kind::OnDemand {
        let to = at("10.100.0.78", 80);
        echo(to, "bytes").await;
        assert_eq!(greeted(to).await.as_deref(), Ok("bytes"), "an address of no service is not looked into");
    }
    // And meanwhile what is federated is served, also where another's address was let through before.
    let served = async |to: SocketAddr, who: &str| {
        eventually(&format!("{kind:?}: {who} answers at {to}"), SOON, async || {
            let answer = ask(to, "").await?;
            if answer.contains(&format!("\r\n\r\n{who}\n")) { Ok(()) } else { Err(answer) }
        })
        .await;
    };
    served(at("10.100.0.1", 80), "web").await;
    served(at("10.100.0.2", 9999), "other").await;
    let born = Service { vip: "10.100.0.77", name: "born", ..OTHER };
    scene.services(&[WEB, OTHER, born]);
    served(at("10.100.0.77", 9999), "other").await;
    scene.nothing_was_rejected().await;
}
