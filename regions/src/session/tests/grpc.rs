//! gRPC clients and servers without a proxy: they name what they want, mostly in state-of-the-world xDS.

use super::ResourceType::{Assignment, Cluster, Listener, Route};
use super::*;

const A: &str = "a.shop.svc.cluster.local:80";
const B: &str = "b.shop.svc.cluster.local:80";
const C: &str = "c.shop.svc.cluster.local:80";
const SERVER: &str = "grpc/server?xds.resource.listening_address=127.0.0.1:80";

fn client(variant: Variant) -> TestClient {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/a", &["10.8.0.1:80"]), web("shop/b", &["10.8.0.2:80"])]));
    catalog.set_ready();
    TestClient::of(variant, grpc(), catalog)
}

fn sent(names: &[&str]) -> Vec<String> {
    vec![std::iter::once("lds").chain(names.iter().copied()).collect::<Vec<_>>().join(" +")]
}

#[test]
fn c49_a_client_finds_its_way_from_a_listener_to_hosts() {
    let mut client = client(Variant::Sotw);
    assert_eq!(client.sotw(Listener, &[A]), sent(&[A]));
    assert_eq!(client.sotw(Listener, &[A]), NOTHING, "the ACK");
    assert_eq!(client.sotw(Route, &["a"]), ["rds +a"]);
    assert_eq!(client.sotw(Cluster, &["a"]), ["cds +a"]);
    assert_eq!(client.sotw(Assignment, &["a"]), ["eds +a"]);
    for t in [Route, Cluster, Assignment] {
        assert_eq!(client.sotw(t, &["a"]), NOTHING, "the ACK");
    }
    assert_eq!(client.apply(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
}

#[test]
fn c23_what_does_not_exist_is_answered_at_once_and_again_when_it_exists() {
    let mut client = client(Variant::Sotw);
    let nowhere = client.version(Listener, C);
    assert_eq!(client.sotw(Listener, &[C]), sent(&[C]));
    client.sotw(Listener, &[C]);
    assert_eq!(client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])])), sent(&[C]));
    assert_ne!(client.version(Listener, C), nowhere);
    client.sotw(Listener, &[C]);
    assert_eq!(client.apply(&service_gone("shop/c")), sent(&[C]));
    assert_eq!(client.version(Listener, C), nowhere);
}

#[test]
fn c24_the_same_in_incremental_xds() {
    let mut client = client(Variant::Delta);
    assert_eq!(client.delta(Listener, &[C], &[]), sent(&[C]));
    client.ack(Listener);
    assert_eq!(client.apply(&services(vec![web("shop/c", &["10.8.0.3:80"])])), sent(&[C]));
}

#[test]
fn c53_a_server_is_answered_by_its_address() {
    let mut client = client(Variant::Sotw);
    assert_eq!(client.sotw(Listener, &[SERVER]), sent(&[SERVER]));
    assert_eq!(client.sotw(Listener, &[SERVER]), NOTHING, "the ACK");
    assert_eq!(client.sotw(Listener, &[A, SERVER]), sent(&[A, SERVER]), "a full state: what it lacks is gone");
    client.sotw(Listener, &[A, SERVER]);
    let broken = "grpc/server?xds.resource.listening_address=nowhere:80";
    assert_eq!(client.sotw(Listener, &[broken]), [format!("lds ?{broken}")], "no address, no listener");
}

#[test]
fn c54_a_refused_listener_keeps_no_other_one_back() {
    let mut client = client(Variant::Sotw);
    client.sotw(Listener, &[A]);
    assert_eq!(client.sotw_full(Listener, &[A], &client.nonce(Listener), Some("no good")), NOTHING);
    assert_eq!(client.sotw(Listener, &[A]), NOTHING, "C08: not the same again");
    assert_eq!(client.sotw(Listener, &[A, B]), sent(&[A, B]), "the client takes what is good of it");
    assert_eq!(client.sotw_full(Listener, &[A, B], &client.nonce(Listener), Some("no good")), NOTHING);
    assert_eq!(client.sotw(Listener, &[A, B]), NOTHING);
}
