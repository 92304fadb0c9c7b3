//! The gRPC client of docs/grpc.md, with the bootstrap of that page, in a pod of a member.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;

use super::stage::Stage;
use crate::harness::{SOON, objects};
use crate::testbed::binaries::{Tool, obtain_all};
use crate::testbed::{Pod, PodSpec, eventually, http};

const PAGE: &str = include_str!("../../../docs/grpc.md");
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 3, 0, 9);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 60);
/// The port on which the programs take orders.
const CONTROL: u16 = 9_000;
const LIMIT: Duration = Duration::from_secs(30);
const IDENTITY: &str = "us-1-greeter";
/// A Service of the same owner, in a namespace that is marked.
const SLICE: &str = "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: greeter-pods\n  namespace: shop\n  \
                     labels: {kubernetes.io/service-name: greeter}\naddressType: IPv4\n\
                     ports: [{name: grpc, port: 50051}]\nendpoints:\n\
                     - {addresses: [10.3.0.9], zone: us-a, conditions: {ready: true}}\n";

/// A client in `eu-1` is answered by a server in `us-1`. Both run until they are dropped.
pub async fn is_answered(stage: &Stage) -> [Pod; 2] {
    let us = stage.cluster("us-1");
    us.apply(&objects::service("shop", "greeter", "", "ports: [{name: grpc, port: 50051}]")).await;
    us.apply(SLICE).await;
    let server = peer(SERVER, Vec::new()).await;
    tell(SERVER, &format!("/serve?address={SERVER}:50051&identity={IDENTITY}")).await;

    let bootstrap = stage.file("grpc.json");
    std::fs::write(
        &bootstrap,
        documented().replace("/etc/isthmus-tls", &stage.file("isthmus-tls").display().to_string()),
    )
    .unwrap();
    let env = vec![("GRPC_XDS_BOOTSTRAP".to_owned(), bootstrap.display().to_string())];
    let client = peer(CLIENT, env).await;
    eventually("the gRPC client is answered", SOON, async || {
        let call = "/call?target=xds:///greeter.shop.svc.cluster.local:50051&count=1&seconds=10";
        let answers: Value = serde_json::from_str(&tell(CLIENT, call).await).map_err(|error| error.to_string())?;
        let answered = answers.as_object().is_some_and(|answers| answers.keys().eq([IDENTITY]));
        if answered { Ok(()) } else { Err(answers.to_string()) }
    })
    .await;
    [server, client]
}

/// The first block of JSON of the page.
fn documented() -> String {
    let (_, text) = PAGE.split_once("```json\n").expect("a bootstrap");
    let (text, _) = text.split_once("```").expect("its end");
    let parsed: Value = serde_json::from_str(text).expect("JSON");
    assert!(parsed["xds_servers"][0]["server_uri"].is_string(), "{text}");
    text.to_owned()
}

async fn peer(address: Ipv4Addr, env: Vec<(String, String)>) -> Pod {
    let [program] = obtain_all([Tool::GrpcPeer]).await;
    let spec = PodSpec {
        name: "grpcpeer".to_owned(),
        program,
        args: vec![SocketAddr::from((address, CONTROL)).to_string()],
        env,
        user: None,
        dns: Some((IpAddr::from([10, 101, 0, 10]), "shop".to_owned())),
    };
    let pod = Pod::start(&spec, address).await;
    eventually("the gRPC program answers", LIMIT, async || {
        http::get(SocketAddr::from((address, CONTROL)), "localhost", "/version", LIMIT).await
    })
    .await;
    pod
}

async fn tell(to: Ipv4Addr, what: &str) -> String {
    let answer = http::get(SocketAddr::from((to, CONTROL)), "localhost", what, LIMIT).await.unwrap();
    assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    answer.body
}
