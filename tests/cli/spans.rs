//! What lines of the log name beside their own fields: the stream that they are about, at level debug.

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use serde_json::Value as Line;

use super::world::world;
use crate::harness::ads::{AdsClient, CLUSTER};
use crate::harness::{Isthmus, SOON, Source};
use crate::testbed::eventually;

/// In its metadata: the member it runs in.
fn node(id: &str) -> Node {
    let cluster = Value { kind: Some(Kind::StringValue("eu-1".to_owned())) };
    let metadata = Struct { fields: [("CLUSTER_ID".to_owned(), cluster)].into() };
    Node { id: id.to_owned(), metadata: Some(metadata), ..Node::default() }
}

/// What a region with this filter logs about a client: that its stream was opened (at debug), and that it rejected something.
async fn logged(filter: &str) -> (Option<Line>, Line) {
    let world = world();
    let mut region = Isthmus::region_logging("eu", Source::Folder(world.path()), filter);
    region.wait_ready().await;
    let mut client = AdsClient::open(region.xds()).await;
    client.ask_as(node("web-1\n"), CLUSTER, &[]).await;
    client.next(Some("no such thing")).await;
    let find = |message: &str| {
        let lines: Vec<Line> = region.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        lines.into_iter().find(|line| line["message"] == message)
    };
    let rejected = eventually("the rejection is logged", SOON, async || {
        find("configuration rejected").ok_or_else(|| region.log())
    })
    .await;
    (find("stream opened"), rejected)
}

#[tokio::test]
async fn lines_of_a_stream_name_its_client_and_region() {
    let (opened, rejected) = logged("info,regions=debug").await;
    // The first names neither region nor member by itself.
    for line in [opened.expect("the stream is logged"), rejected] {
        let span = &line["span"];
        assert_eq!((&span["name"], &span["region"]), (&"stream".into(), &"eu".into()), "{line}");
        assert_eq!((&span["client"], &span["cluster"]), (&"web-1\n".into(), &"eu-1".into()), "{line}");
        assert!(span["peer"].as_str().is_some_and(|peer| peer.starts_with("127.0.0.1:")), "{line}");
    }
}

#[tokio::test]
async fn there_is_no_span_unless_debug_is_asked_for() {
    let (opened, rejected) = logged("info").await;
    assert_eq!(opened, None);
    assert_eq!((&rejected["node"], rejected.get("span")), (&"web-1\n".into(), None), "{rejected}");
}
