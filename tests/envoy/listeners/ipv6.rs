//! The same over IPv6: a dual-stack member's second listener behind interception.

use std::process::Command;

use super::*;
use crate::harness::SOON;
use crate::testbed::eventually;
use talker::{CLIENT_V6, Line, ask, echo, greeted, http};

const HTTP_80: &str = "{name: http, port: 80, targetPort: 8080}";
const V6: &str = "fd00:100::/112";

fn redirect_v6() {
    let rule = format!(
        "table ip6 nat {{ chain output {{ type nat hook output priority -100; ip6 saddr {CLIENT_V6} meta l4proto tcp \
         redirect to :15001; }} }}"
    );
    let ip6tables =
        ["-t", "nat", "-A", "OUTPUT", "-p", "tcp", "-s", "fd00:200::1", "-j", "REDIRECT", "--to-ports", "15001"];
    let works =
        |program: &str, args: &[&str]| Command::new(program).args(args).output().is_ok_and(|o| o.status.success());
    let done = works("ip6tables", &ip6tables) || works("nft", &[&rule]);
    assert!(done, "\n\nThis test redirects IPv6 in its own network namespace:\n  apt-get install iptables\n");
}

pub(super) async fn over_ipv6(kind: Kind) {
    http(at("10.8.0.1", 8080), "web").await;
    http(at("10.8.0.3", 8080), "new").await;
    let web = Service::http("web", "fd00:100::1", HTTP_80, "10.8.0.1");
    let private = Service::private("private", "fd00:100::2", "{name: tcp, port: 80}");
    let scene = Scene::with_ranges(kind, &[SERVICES_V4, V6], &[web.clone(), private.clone()]).await;
    redirect_v6();
    let served = async |to: SocketAddr, who: &str| {
        eventually(&format!("{kind:?}: {who} answers at {to}"), SOON, async || {
            let answer = ask(to, "").await?;
            if answer.contains(&format!("\r\n\r\n{who}\n")) { Ok(()) } else { Err(answer) }
        })
        .await;
    };
    served(at("fd00:100::1", 80), "web").await;
    for (who, to) in [("private", at("fd00:100::2", 80)), ("somewhere else", at("fd00:250::1", 80))] {
        echo(to, who).await;
        assert_eq!(greeted(to).await.as_deref(), Ok(who), "{kind:?}");
    }
    let mut lines = [
        Line::to_echo("bytes to a service that is not federated", at("fd00:100::2", 80), "private").await,
        Line::to_http("requests to a federated service", at("fd00:100::1", 80)).await,
    ];
    // A service takes a number, changes places with another, and a port of bytes turns to HTTP.
    let new = Service::http("new", "fd00:100::3", "{name: http, port: 81, targetPort: 8080}", "10.8.0.3");
    scene.services(&[web.clone(), private.clone(), new]);
    served(at("fd00:100::3", 81), "new").await;
    tokio::time::sleep(2 * DRAIN).await;
    for line in &mut lines {
        line.lives().await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
    let swapped = Service { vip: "fd00:100::3", ..web };
    let new = Service::http("new", "fd00:100::1", HTTP_80, "10.8.0.3");
    scene.services(&[swapped, private, new]);
    served(at("fd00:100::3", 80), "web").await;
    served(at("fd00:100::1", 80), "new").await;
    scene.nothing_was_rejected().await;
}
