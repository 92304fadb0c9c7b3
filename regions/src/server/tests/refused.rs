//! What is shown of clients that are refused, and of old Envoys.

use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
use envoy_types::pb::envoy::config::core::v3::{BuildVersion, Locality};
use envoy_types::pb::envoy::r#type::v3::SemanticVersion;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{ListValue, Struct, Value};

use super::*;

fn ask(node: Node) -> xds::DeltaDiscoveryRequest {
    xds::DeltaDiscoveryRequest { node: Some(node), type_url: url(ResourceType::Cluster), ..<_>::default() }
}

fn node_with(id: &str, key: &str, kind: Kind) -> Node {
    let fields = [(key.to_owned(), Value { kind: Some(kind) })].into();
    Node { id: id.to_owned(), metadata: Some(Struct { fields }), ..Node::default() }
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

/// Each way in which metadata can be wrong: misspelt, in the wrong case, of the wrong type, no name.
fn bad_nodes() -> Vec<(Node, &'static str)> {
    let mut region = Node { id: "region".to_owned(), ..Node::default() };
    region.locality = Some(Locality { region: "EU".to_owned(), ..Locality::default() });
    vec![
        (
            node_with("case", "INTERCEPTION_MODE", text("redirect")),
            "`node.metadata.INTERCEPTION_MODE` is \"redirect\"; expected \"REDIRECT\" or \"NONE\"",
        ),
        (
            node_with("number", "INTERCEPTION_MODE", Kind::NumberValue(1.0)),
            "`node.metadata.INTERCEPTION_MODE` is a number; expected a string",
        ),
        (
            node_with("list", "CLUSTERS", Kind::ListValue(ListValue::default())),
            "`node.metadata.CLUSTERS` is a list; expected a string",
        ),
        (
            node_with("clusters", "CLUSTERS", text("ondemand")),
            "`node.metadata.CLUSTERS` is \"ondemand\"; expected \"on-demand\" or \"eager\"",
        ),
        (node_with("endpoints", "ENDPOINTS", text("Single")), "`node.metadata.ENDPOINTS` is \"Single\"; expected"),
        (
            node_with("routes", "ROUTES", Kind::BoolValue(true)),
            "`node.metadata.ROUTES` is a boolean; expected a string",
        ),
        (node_with("generator", "GENERATOR", Kind::NumberValue(7.0)), "`node.metadata.GENERATOR` is a number"),
        (node_with("grcp", "GENERATOR", text("grcp")), "`node.metadata.GENERATOR` is \"grcp\"; expected \"grpc\""),
        (node_with("ttl", "TTL", text("60s")), "`node.metadata.TTL` is \"60s\"; expected seconds"),
        (
            node_with("listen", "LISTEN", text("localhost")),
            "`node.metadata.LISTEN` is \"localhost\"; expected an IP address",
        ),
        (node_with("member", "CLUSTER_ID", text("EU_1")), "`node.metadata.CLUSTER_ID` "),
        (region, "`node.locality.region` "),
        (Node::default(), "`node.id` is empty; expected"),
    ]
}

#[tokio::test]
async fn clients_that_are_refused_are_listed_with_the_reason_until_they_are_let_in() {
    let server = Server::start(Effects::default()).await;
    for (bad, begin) in bad_nodes() {
        let id = bad.id.clone();
        for times in 1..=2 {
            let mut talk = server.delta().await;
            talk.send(ask(bad.clone())).await;
            let status = talk.refusal().await;
            assert_eq!(status.code(), Code::InvalidArgument, "{id}: {status}");
            assert!(status.message().starts_with(begin), "{id}: {status}");
            server
                .until(&format!("{id} is listed {times} times"), |server| {
                    let listed = server.streams.refused();
                    listed
                        .iter()
                        .any(|client| *client.node == *id && client.count == times && client.message.starts_with(begin))
                })
                .await;
        }
    }
    let bad = bad_nodes().len();
    let listed = server.streams.refused();
    assert_eq!(listed.len(), bad);
    assert!(listed.iter().all(|client| client.kind == RefusalKind::Node && client.address.is_loopback()));
    let streams = &server.stats.streams;
    assert_eq!(streams.refused_of(RefusalKind::Node).get(), 2 * bad as u64);
    assert!(server.streams.is_empty(), "none of them is connected");

    let mut talk = server.delta().await;
    talk.send(ask(node_with("case", "INTERCEPTION_MODE", text("REDIRECT")))).await;
    talk.response().await;
    let listed = server.streams.refused();
    assert!(listed.len() == bad - 1 && listed.iter().all(|client| &*client.node != "case"), "{listed:?}");
    // What ends a stream later is listed too, by its own reason.
    talk.send(xds::DeltaDiscoveryRequest { node: node("another"), ..<_>::default() }).await;
    talk.refusal().await;
    server
        .until("the change of name is listed", |server| {
            let is = |client: &RefusedClient| &*client.node == "case" && client.kind == RefusalKind::Request;
            server.streams.refused().iter().any(is)
        })
        .await;
}

#[tokio::test]
async fn old_envoys_are_counted_while_they_are_connected() {
    let server = Server::start(Effects::default()).await;
    let old = |server: &Server| server.stats.streams.outdated.get();
    let of = |minor_number: u32, user_agent_name: &str| {
        let version = Some(SemanticVersion { major_number: 1, minor_number, patch: 0 });
        let build = UserAgentVersionType::UserAgentBuildVersion(BuildVersion { version, metadata: None });
        let (id, user_agent_name) = (format!("{user_agent_name}-1.{minor_number}"), user_agent_name.to_owned());
        Node { id, user_agent_name, user_agent_version_type: Some(build), ..Node::default() }
    };
    let mut talks = Vec::new();
    for (node, count) in [(of(40, "envoy"), 0), (of(36, "envoy"), 1), (of(30, "gRPC C-core"), 1), (of(30, "envoy"), 2)]
    {
        let mut talk = server.delta().await;
        talk.send(ask(node.clone())).await;
        if node.user_agent_name == "envoy" {
            talk.response().await;
        }
        server
            .until(&node.id, |server| {
                server.streams.list().iter().any(|s| s.client.as_ref().is_some_and(|c| c.node_id == node.id))
            })
            .await;
        assert_eq!(old(&server), count, "{}", node.id);
        talks.push(talk);
    }
    drop(talks);
    server.until("all are gone", |server| old(server) == 0).await;
}
