//! gRPC clients and servers without a proxy: they name what they want, mostly in state-of-the-world xDS.

use super::ResourceType::{Assignment, Cluster, Listener, Route};
use super::*;

const A: &str = "a.shop.svc.cluster.local:80";
const B: &str = "b.shop.svc.cluster.local:80";
const C: &str = "c.shop.svc.cluster.local:80";
const SERVER: &str = "grpc/server?xds.resource.listening_address=127.0.0.1:80";

fn talk(variant: Variant) -> Talk {
    let mut catalog = Catalog::new(Arc::new(Stats::default()));
    catalog.apply(&two_members());
    catalog.apply(&services(vec![web("shop/a", &["10.8.0.1:80"]), web("shop/b", &["10.8.0.2:80"])]));
    catalog.set_ready();
    Talk::of(variant, grpc(), catalog)
}

fn said(names: &[&str]) -> Vec<String> {
    vec![std::iter::once("lds").chain(names.iter().copied()).collect::<Vec<_>>().join(" +")]
}

#[test]
fn c49_a_client_finds_its_way_from_a_listener_to_hosts() {
    let mut talk = talk(Variant::Sotw);
    assert_eq!(talk.sotw(Listener, &[A]), said(&[A]));
    assert_eq!(talk.sotw(Listener, &[A]), NOTHING, "the ACK");
    assert_eq!(talk.sotw(Route, &["a"]), ["rds +a"]);
    assert_eq!(talk.sotw(Cluster, &["a"]), ["cds +a"]);
    assert_eq!(talk.sotw(Assignment, &["a"]), ["eds +a"]);
    for t in [Route, Cluster, Assignment] {
        assert_eq!(talk.sotw(t, &["a"]), NOTHING, "the ACK");
    }
    assert_eq!(talk.world(&services(vec![web("shop/a", &["10.8.0.9:80"])])), ["eds +a"]);
}

#[test]
fn c23_what_is_not_there_is_answered_at_once_and_again_when_it_is_born() {
    let mut talk = talk(Variant::Sotw);
    let nowhere = talk.version(Listener, C);
    assert_eq!(talk.sotw(Listener, &[C]), said(&[C]));
    talk.sotw(Listener, &[C]);
    assert_eq!(talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])])), said(&[C]));
    assert_ne!(talk.version(Listener, C), nowhere);
    talk.sotw(Listener, &[C]);
    assert_eq!(talk.world(&service_gone("shop/c")), said(&[C]));
    assert_eq!(talk.version(Listener, C), nowhere);
}

#[test]
fn c24_the_same_in_incremental_xds() {
    let mut talk = talk(Variant::Delta);
    assert_eq!(talk.delta(Listener, &[C], &[]), said(&[C]));
    talk.ack(Listener);
    assert_eq!(talk.world(&services(vec![web("shop/c", &["10.8.0.3:80"])])), said(&[C]));
}

#[test]
fn c53_a_server_is_answered_by_its_address() {
    let mut talk = talk(Variant::Sotw);
    assert_eq!(talk.sotw(Listener, &[SERVER]), said(&[SERVER]));
    assert_eq!(talk.sotw(Listener, &[SERVER]), NOTHING, "the ACK");
    assert_eq!(talk.sotw(Listener, &[A, SERVER]), said(&[A, SERVER]), "a full state: what it lacks is gone");
    talk.sotw(Listener, &[A, SERVER]);
    let broken = "grpc/server?xds.resource.listening_address=nowhere:80";
    assert_eq!(talk.sotw(Listener, &[broken]), [format!("lds ?{broken}")], "no address, no listener");
}

#[test]
fn c54_a_refused_listener_keeps_no_other_one_back() {
    let mut talk = talk(Variant::Sotw);
    talk.sotw(Listener, &[A]);
    assert_eq!(talk.sotw_full(Listener, &[A], &talk.nonce(Listener), Some("no good")), NOTHING);
    assert_eq!(talk.sotw(Listener, &[A]), NOTHING, "C08: not the same again");
    assert_eq!(talk.sotw(Listener, &[A, B]), said(&[A, B]), "the client takes what is good of it");
    assert_eq!(talk.sotw_full(Listener, &[A, B], &talk.nonce(Listener), Some("no good")), NOTHING);
    assert_eq!(talk.sotw(Listener, &[A, B]), NOTHING);
}
