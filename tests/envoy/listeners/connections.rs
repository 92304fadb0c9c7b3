//! Open connections outlive whatever happens to services that are not theirs, in both directions: when a port number is
//! taken and when it is given up.

use super::*;
use crate::harness::SOON;
use crate::testbed::eventually;
use talker::{Line, ask, echo, http};

const WEB: Service<'_> = Service {
    name: "web",
    vip: "10.100.0.1",
    ports: "{name: http, port: 80, targetPort: 8080}",
    federated: true,
    pod: Some(("http", "10.8.0.1")),
};
const DB: Service<'_> = Service {
    name: "db",
    vip: "10.100.0.2",
    ports: "{name: tcp, port: 7000, targetPort: 8080}",
    federated: true,
    pod: Some(("tcp", "10.8.0.2")),
};
const PRIVATE: Service<'_> = Service {
    name: "private",
    vip: "10.100.0.3",
    ports: "{name: tcp, port: 7000}, {name: http, port: 80}",
    federated: false,
    pod: None,
};
/// What the strangers' pod serves.
const STRANGER: &str = "10.8.0.9";
/// Longer than Envoy lets connections live that it means to end.
const GRACE: Duration = Duration::from_millis(2_500);

pub(super) async fn undisturbed(kind: Kind) {
    http(at("10.8.0.1", 8080), "web").await;
    echo(at("10.8.0.2", 8080), "db").await;
    echo(at("10.100.0.3", 7000), "private").await;
    http(at("10.100.0.3", 80), "private-http").await;
    echo(at("10.100.0.77", 7000), "no service").await;
    echo(at("10.250.0.9", 7000), "foreign").await;
    http(at(STRANGER, 8080), "stranger").await;
    let scene = Scene::new(kind, &[WEB, DB, PRIVATE]).await;
    let mut lines = vec![
        Line::to_echo("bytes to a federated service", at("10.100.0.2", 7000), "db").await,
        Line::to_echo("bytes to a service that is not federated", at("10.100.0.3", 7000), "private").await,
        Line::to_echo("bytes to an address of no service", at("10.100.0.77", 7000), "no service").await,
        Line::to_echo("bytes to somewhere else", at("10.250.0.9", 7000), "foreign").await,
        Line::to_websocket("a websocket to a federated service", at("10.100.0.1", 80)).await,
        Line::to_http("requests to a federated service", at("10.100.0.1", 80)).await,
        Line::to_http("requests to a service that is not federated", at("10.100.0.3", 80)).await,
    ];
    let stranger = |ports| Service::http("stranger", "10.100.0.9", ports, STRANGER);
    let on_7000 = stranger("{name: http, port: 7000, targetPort: 8080}");
    let on_80 = stranger("{name: http, port: 80, targetPort: 8080}");
    let bytes_on_80 = Service::tcp("stranger", "10.100.0.9", "{name: tcp, port: 80, targetPort: 8080}", STRANGER);
    let on_15001 = stranger("{name: http, port: 15001, targetPort: 8080}");
    let unfederated = Service::private("stranger", "10.100.0.9", "{name: tcp, port: 7000}, {name: http, port: 80}");
    for (what, service, port) in [
        ("an HTTP service takes a port number of bytes", Some(&on_7000), 7000),
        ("and gives it up", None, 0),
        ("an HTTP service comes to an HTTP port", Some(&on_80), 80),
        ("it is TCP now", Some(&bytes_on_80), 80),
        ("it takes the port of interception", Some(&on_15001), 15_001),
        ("it is not federated any more", Some(&unfederated), 0),
        ("an HTTP service takes the port number again", Some(&on_7000), 7000),
        ("and is gone", None, 0),
    ] {
        let all: Vec<_> = [WEB, DB, PRIVATE].into_iter().chain(service.cloned()).collect();
        scene.services(&all);
        if port != 0 {
            let to = at("10.100.0.9", port);
            eventually(&format!("{kind:?}: {what}: it is served at {to}"), SOON, async || {
                let answer = ask(to, "").await?;
                if answer.contains("stranger") { Ok(()) } else { Err(answer) }
            })
            .await;
        }
        all_live(&mut lines, kind, what).await;
    }
    // The last federated HTTP service and the last of bytes on a port are gone, and so is the reason for exceptions.
    scene.services(&[WEB, DB, PRIVATE, on_7000.clone()]);
    all_live(&mut lines, kind, "once more").await;
    scene.ranges(&[SERVICES_V4, "fd00:100::/112"]);
    all_live(&mut lines, kind, "the member has a range more").await;
    scene.ranges(&[SERVICES_V4]);
    all_live(&mut lines, kind, "and again only one").await;
    lines.retain(|line| !line.name.ends_with("to a federated service"));
    scene.services(&[PRIVATE]);
    all_live(&mut lines, kind, "nothing is federated any more").await;
    scene.nothing_was_rejected().await;
}

async fn all_live(lines: &mut [Line], kind: Kind, what: &str) {
    tokio::time::sleep(GRACE).await;
    for line in lines {
        if let Err(error) = line.lives().await {
            panic!("{kind:?}: {what}: {error}");
        }
    }
}
