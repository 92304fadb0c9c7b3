//! A key that changes hands under unchanged names: virtual IPs that services exchange, pass on in a circle or hand to
//! another, and port numbers that move between services. Each time one write says all of it.

use super::*;
use crate::harness::SOON;
use crate::testbed::eventually;
use talker::{ask, http};

const HTTP_80: &str = "{name: http, port: 80, targetPort: 8080}";
const HTTP_81: &str = "{name: http, port: 81, targetPort: 8080}";
const PODS: [(&str, &str); 4] = [("a", "10.8.0.1"), ("b", "10.8.0.2"), ("c", "10.8.0.3"), ("d", "10.8.0.4")];
const VIPS: [&str; 4] = ["10.100.0.1", "10.100.0.2", "10.100.0.3", "10.100.0.4"];

/// (service, VIP, port): each by its place in the constants above.
type Places = [(usize, usize, u16)];

pub(super) async fn handed_over(kind: Kind) {
    for (name, pod) in PODS {
        http(at(pod, 8080), name).await;
    }
    let histories: [(&str, &Places); 6] = [
        ("at first", &[(0, 0, 80), (1, 1, 80), (2, 2, 80)]),
        ("two exchange their addresses", &[(0, 1, 80), (1, 0, 80), (2, 2, 80)]),
        ("three pass theirs on in a circle", &[(0, 2, 80), (1, 1, 80), (2, 0, 80)]),
        ("one is handed to another service and its owner gets a new one", &[(0, 3, 80), (3, 2, 80), (2, 0, 80)]),
        ("a port number moves to another service", &[(0, 3, 81), (3, 2, 80), (2, 0, 80)]),
        ("addresses and port numbers move", &[(0, 2, 80), (3, 3, 81), (2, 1, 81), (1, 0, 80)]),
    ];
    let scene = Scene::new(kind, &services(histories[0].1)).await;
    for (what, places) in histories {
        scene.services(&services(places));
        for (service, vip, port) in places {
            let (name, to) = (PODS[*service].0, at(VIPS[*vip], *port));
            eventually(&format!("{kind:?}: {what}: {name} answers at {to}"), SOON, async || {
                let answer = ask(to, "").await?;
                if answer.contains(&format!("\r\n\r\n{name}\n")) { Ok(()) } else { Err(answer) }
            })
            .await;
        }
        scene.nothing_was_rejected().await;
    }
}

fn services(places: &Places) -> Vec<Service<'static>> {
    let service = |(service, vip, port): &(usize, usize, u16)| {
        let (name, pod) = PODS[*service];
        Service::http(name, VIPS[*vip], if *port == 80 { HTTP_80 } else { HTTP_81 }, pod)
    };
    places.iter().map(service).collect()
}
