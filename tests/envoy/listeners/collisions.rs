//! Port numbers, names and headers that Isthmus uses itself are free for users.

use super::*;
use crate::envoy::client::call;
use crate::harness::SOON;
use crate::testbed::eventually;
use talker::{ask, echo, greeted, http};

/// Numbers that Isthmus and Istio use on a pod or a control plane.
const NUMBERS: [(u16, &str, &str); 6] = [
    (15_000, "egress/any", "10.100.1.1"),
    (15_001, "any/egress", "10.100.1.2"),
    (15_006, "vip/virtualoutbound", "10.100.1.3"),
    (15_010, "passthroughcluster/blackholecluster", "10.100.1.4"),
    (15_080, "shop/vip", "10.100.1.5"),
    (15_090, "shop/loop", "10.100.1.6"),
];

pub(super) async fn colliding(kind: Kind) {
    http(at("10.8.0.1", 8080), "http").await;
    echo(at("10.8.0.2", 8080), "bytes").await;
    let ports: Vec<(String, String)> = NUMBERS
        .iter()
        .map(|(number, ..)| {
            let port = |name| format!("{{name: {name}, port: {number}, targetPort: 8080}}");
            (port("http"), port("tcp"))
        })
        .collect();
    let tcp_vips: Vec<String> = NUMBERS.iter().map(|(.., vip)| vip.replace("10.100.1.", "10.100.2.")).collect();
    let names: Vec<String> = NUMBERS.iter().map(|(_, name, _)| format!("{name}-tcp")).collect();
    let mut services = vec![Service::private("private", "10.100.0.9", "{name: tcp, port: 15001}, {name: a, port: 80}")];
    for (i, (_, name, vip)) in NUMBERS.iter().enumerate() {
        services.push(Service::http(name, vip, &ports[i].0, "10.8.0.1"));
        services.push(Service::tcp(&names[i], &tcp_vips[i], &ports[i].1, "10.8.0.2"));
    }
    let mut scene = Scene::new(kind, &services).await;
    // For a sidecar that sees them come, and for one that starts when they are there.
    for when in ["a sidecar that starts with them", "the next sidecar"] {
        for (i, (number, name, vip)) in NUMBERS.iter().enumerate() {
            let (web, bytes) = (at(vip, *number), at(&tcp_vips[i], *number));
            eventually(&format!("{kind:?}: {when}: {name} answers at {web}"), SOON, async || {
                let answer = ask(web, "x-isthmus-vip: vip|10.8.0.2:8080\r\nX-Isthmus-Vip: again\r\n").await?;
                if answer.contains("\r\n\r\nhttp\n") { Ok(answer) } else { Err(answer) }
            })
            .await;
            eventually(&format!("{kind:?}: {when}: {name} greets at {bytes}"), SOON, async || {
                let greeting = greeted(bytes).await?;
                if greeting == "bytes" { Ok(()) } else { Err(greeting) }
            })
            .await;
        }
        let header = ask(at(NUMBERS[1].2, NUMBERS[1].0), "x-isthmus-vip: mine\r\n").await.unwrap();
        // The header steers nothing. Where nothing uses it, it is the application's own.
        assert_eq!(header.to_ascii_lowercase().contains("x-isthmus-vip"), kind != Kind::OnDemand, "{header}");
        let lost = call("127.0.0.1:15001".parse().unwrap(), "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(
            lost.as_ref().map_or(true, String::is_empty),
            "who dials the interception port has nowhere to go: {lost:?}"
        );
        scene.nothing_was_rejected().await;
        scene.envoy.restart().await;
        scene.envoy.wait_live(LIVE_LIMIT).await;
    }
    let private = at("10.100.0.9", 15_001);
    echo(private, "private").await;
    assert_eq!(
        greeted(private).await.as_deref(),
        Ok("private"),
        "{kind:?}: not federated, on the port of interception"
    );
}
