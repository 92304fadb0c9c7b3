//! Transparent interception: a client that knows nothing of Envoy dials the VIP that its cluster's DNS gave it. Its
//! connections are redirected to port 15001; federated services are reached wherever they are, all else is left alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::client::{call, redirect, until};
use super::slices::State::{NotReady, Ready};
use super::slices::{Pod, slice};
use crate::harness::{Federation, Member, objects};
use crate::testbed::{Backend, Envoy, EnvoySpec, netns};

/// In no member's ranges.
const FOREIGN: Ipv4Addr = Ipv4Addr::new(10, 250, 0, 9);
const MARK: &str = "isthmus.dev/federate: 'true'";
const LIVE_LIMIT: Duration = Duration::from_secs(60);
/// Says something before it is spoken to, which no proxy that expects HTTP would let through.
const GREETING: &str = "220 not http at all\r\n";

#[test]
fn vips_lead_to_the_federation_and_all_else_passes() {
    netns::isolated(async {
        let federation = Federation::joined(&["eu-1", "us-1"]).await;
        let _controller = federation.controller().await;
        federation.all_ready().await;
        let (eu, us) = (federation.member("eu-1"), federation.member("us-1"));
        services(eu, us).await;
        let [web, db, private] = [vip(eu, "web").await, vip(eu, "db").await, vip(eu, "private").await];

        let plane = federation.region("eu").await;
        plane.has_service("shop/web", &["eu-1", "us-1"], 2).await;
        plane.has_service("shop/db", &["us-1"], 1).await;
        let spec = EnvoySpec::new("client", "eu", "eu-a", plane.xds()).metadata("CLUSTER_ID", "eu-1");
        let envoy = Envoy::start(spec).await;
        envoy.wait_live(LIVE_LIMIT).await;
        redirect();

        let _home = Backend::start(at(&eu.pod(1), 8080), "eu-1/web").await;
        let _away = Backend::start(at(&us.pod(1), 8080), "us-1/web").await;
        let _db = Backend::start(at(&us.pod(7), 5432), "us-1/db").await;
        // Where kube-proxy would be.
        let kube_proxy = Backend::start(SocketAddr::new(private, 80), "kube-proxy/private").await;
        let foreign = greet(SocketAddr::new(FOREIGN.into(), 80)).await;

        // HTTP to the member's own VIP, whatever the client calls it.
        for host in ["web", "web.shop", "web.shop.svc.cluster.local", "shop.example.org"] {
            let answer = until(SocketAddr::new(web, 80), host, "eu-1/web").await;
            assert!(!answer.contains("x-isthmus") && !answer.contains("x-envoy"), "nothing is added: {answer}");
        }
        // The VIP is that of eu-1; the pods may be those of us-1.
        eu.cluster.apply(&slice("web-1", "web", "{name: http, port: 8080}", &[pod(eu, 1, "eu-a", false)])).await;
        until(SocketAddr::new(web, 80), "web.shop", "us-1/web").await;

        // Bytes to a mirrored VIP: the service is nowhere but in us-1, and the answer is the backend's own.
        let answer = until(SocketAddr::new(db, 5432), "db", "us-1/db").await;
        assert_eq!(answer, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\nus-1/db");

        // Not federated, on the same port 80 and in the same range: as if there were no proxy in between.
        let answer = until(SocketAddr::new(private, 80), "private.shop", "kube-proxy/private").await;
        assert!(!answer.contains("envoy"), "it passed untouched: {answer}");
        assert!(kube_proxy.served() > 0);
        // An address of no member on port 80, whose server sends first and no HTTP.
        let greeting = call(foreign, "QUIT\r\n").await;
        assert_eq!(greeting.as_deref(), Ok(&*format!("{GREETING}QUIT\r\n")));

        let stats = envoy.stats("cluster.").await;
        let count = |name: &str| stats.get(name).copied().unwrap_or_default();
        assert!(count("cluster.PassthroughCluster.upstream_cx_total") >= 2, "what passed was intercepted first");
        assert!(count("cluster.outbound|80||web.shop.svc.cluster.local.upstream_rq_total") >= 5);
        assert!(count("cluster.outbound|5432||db.shop.svc.cluster.local.upstream_cx_total") >= 1);
        let by_address = stats.keys().find(|name| name.contains("vip|"));
        assert_eq!(by_address, None, "clusters that are asked for by address are counted as their service");
        // Who dials the interception port itself has nowhere to go, and must not be sent round in circles.
        let lost = call("127.0.0.1:15001".parse().unwrap(), "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(lost.as_ref().map_or(true, String::is_empty), "{lost:?}");
    });
}

/// `web` in both members, `db` in us-1 alone, `private` in eu-1 and not marked.
async fn services(eu: &Member, us: &Member) {
    for member in [eu, us] {
        member.cluster.apply(&objects::namespace("shop")).await;
        member.cluster.apply(&objects::federated("shop", "web")).await;
        let zone = if member.id == "eu-1" { "eu-a" } else { "us-a" };
        member.cluster.apply(&slice("web-1", "web", "{name: http, port: 8080}", &[pod(member, 1, zone, true)])).await;
    }
    us.cluster.apply(&objects::service("shop", "db", MARK, "ports: [{name: tcp-db, port: 5432}]")).await;
    us.cluster.apply(&slice("db-1", "db", "{name: tcp-db, port: 5432}", &[pod(us, 7, "us-a", true)])).await;
    eu.cluster.apply(&objects::service("shop", "private", "app: private", "ports: [{name: http, port: 80}]")).await;
}

fn pod(member: &Member, number: u8, zone: &'static str, ready: bool) -> Pod {
    Pod::new(member.pod(number), zone, if ready { Ready } else { NotReady })
}

async fn vip(member: &Member, name: &str) -> IpAddr {
    let service = member.until_service("shop", name, "is there", |_| true).await;
    service.spec.unwrap().cluster_ip.unwrap().parse().unwrap()
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// A server that sends first, repeats one line and closes.
async fn greet(at: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut line = [0; 64];
            let exchange = async {
                stream.write_all(GREETING.as_bytes()).await?;
                let length = stream.read(&mut line).await?;
                stream.write_all(&line[..length]).await?;
                stream.shutdown().await
            };
            let _: std::io::Result<()> = exchange.await; // the client judges what it got
        }
    });
    at
}
