//! Proxies that are refused or too old: `isthmus proxy`, the log and a metric show it, and not only
//! the proxy's own log.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::node::UserAgentVersionType;
use envoy_types::pb::envoy::config::core::v3::{BuildVersion, Node};
use envoy_types::pb::envoy::r#type::v3::SemanticVersion;
use serde_json::{Value, json};

use super::world::world;
use crate::harness::ads::{AdsClient, CLUSTER};
use crate::harness::{Isthmus, SOON, Source, run};
use crate::testbed::{Envoy, EnvoySpec, eventually};

const LIVE_LIMIT: Duration = Duration::from_secs(60);

async fn proxy(region: &Isthmus, args: &[&str]) -> (Option<i32>, String) {
    let admin = format!("--admin=http://{}", region.admin());
    let args: Vec<&str> = ["proxy", &admin].into_iter().chain(args.iter().copied()).collect();
    let output = run(&args).await;
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).expect("text"))
}

/// Metadata that is wrong in one way each, and the message about it.
fn slips() -> [(&'static str, &'static str, Value, &'static str); 4] {
    [
        ("case", "INTERCEPTION_MODE", json!("redirect"), "is \"redirect\"; expected \"REDIRECT\" or \"NONE\""),
        ("list", "CLUSTERS", json!(["on-demand"]), "is a list; expected a string"),
        ("number", "TTL", json!(60), "is a number; expected a string"),
        ("generator", "GENERATOR", json!({}), "is an object; expected a string"),
    ]
}

#[tokio::test]
async fn misspelt_metadata_of_a_real_envoy_is_shown_and_logged() {
    let world = world();
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    region.wait_ready().await;
    let spec = |name: &str| EnvoySpec::new(name, "eu", "eu-a", region.xds()).metadata("CLUSTER_ID", "eu-1");
    for (name, key, value, says) in slips() {
        let envoy = Envoy::start(spec(name).metadata(key, value)).await;
        let text = format!("`node.metadata.{key}` {says}");
        eventually(&format!("{name} is listed as refused"), SOON, async || {
            let (code, out) = proxy(&region, &[]).await;
            let row = out.lines().any(|line| line.starts_with(name) && line.contains("REFUSED"));
            let reason = out.contains(&format!("{name} at 127.0.0.1 is refused (")) && out.contains(&text);
            if code == Some(1) && row && reason { Ok(()) } else { Err(out) }
        })
        .await;
        let (code, out) = proxy(&region, &[name]).await;
        assert!(code == Some(1) && out.contains(&text), "{out}");
        let (_, out) = proxy(&region, &["-o", "json"]).await;
        let listed: Vec<Value> = serde_json::from_str(&out).expect("JSON");
        let found = listed.iter().find(|proxy| proxy["node"] == name).expect("it is listed");
        assert_eq!((&found["connected"], &found["refused"]["reason"]), (&json!(false), &json!("node")), "{found}");
        let log = region.log();
        let line = log.lines().find(|line| line.contains("client refused") && line.contains(&format!("\"{name}\"")));
        assert!(line.is_some_and(|line| line.contains(key)), "{log}");
        drop(envoy);
    }
    let refused = region.metrics().await["isthmus_xds_streams_refused_total{reason=\"node\"}"];
    assert!(refused >= 4.0, "{refused}");

    // Spelt as it should be, it is let in, and no more refused.
    let envoy = Envoy::start(spec("case").metadata("INTERCEPTION_MODE", "REDIRECT")).await;
    envoy.wait_live(LIVE_LIMIT).await;
    let (_, out) = proxy(&region, &["-o", "json"]).await;
    let listed: Vec<Value> = serde_json::from_str(&out).expect("JSON");
    let found: Vec<&Value> = listed.iter().filter(|proxy| proxy["node"] == "case").collect();
    assert!(found.len() == 1 && found[0]["connected"] == true && found[0].get("refused").is_none(), "{found:?}");
    assert_eq!(
        (&found[0]["version"], &found[0]["notes"]),
        (&json!("1.40.0"), &json!([])),
        "a real Envoy says which it is"
    );
}

#[tokio::test]
async fn an_envoy_that_is_too_old_and_a_region_without_members_are_noted() {
    let world = world();
    let mut region = Isthmus::region("eu", Source::Folder(world.path()));
    region.wait_ready().await;
    let old = |id: &str, name: &str, minor_number: u32| {
        let version = Some(SemanticVersion { major_number: 1, minor_number, patch: 2 });
        let build = BuildVersion { version, metadata: None };
        Node {
            id: id.to_owned(),
            user_agent_name: name.to_owned(),
            user_agent_version_type: Some(UserAgentVersionType::UserAgentBuildVersion(build)),
            ..Node::default()
        }
    };
    let mut clients = Vec::new();
    for node in
        [old("old-1", "envoy", 36), old("old-2", "envoy", 36), old("new", "envoy", 40), old("grpc", "gRPC Go", 36)]
    {
        let mut client = AdsClient::open(region.xds()).await;
        client.ask_as(node, CLUSTER, &[]).await;
        client.next(None).await;
        clients.push(client);
    }
    let mut elsewhere = Node { id: "elsewhere".to_owned(), ..Node::default() };
    elsewhere.locality.get_or_insert_default().region = "mars".to_owned();
    let mut client = AdsClient::open(region.xds()).await;
    client.ask_as(elsewhere, CLUSTER, &[]).await;
    client.next(None).await;

    let (_, out) = proxy(&region, &["-o", "wide"]).await;
    assert!(out.contains("old-1, old-2: note: Envoy 1.36.2 is older than 1.38"), "{out}");
    assert!(out.contains("elsewhere: note: no member is in region \"mars\""), "{out}");
    assert_eq!(out.matches("note: ").count(), 2, "{out}");
    assert!(out.lines().any(|line| line.starts_with("new ") && line.ends_with("1.40.2")), "{out}");
    let metrics = region.metrics().await;
    assert_eq!(metrics["isthmus_xds_outdated_streams"], 2.0);
    let log = region.log();
    assert_eq!(log.matches("Envoy 1.36.2 is older than").count(), 1, "once for a version and an address: {log}");
}
