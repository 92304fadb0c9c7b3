//! What `check` and `status` say of Services that do not take part, and of addresses that are not served.

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::world::world;
use crate::harness::{objects, run};

async fn print(command: &str, folder: &Path, format: &str) -> (Option<i32>, String) {
    let output = run(&[command, "--world", folder.to_str().unwrap(), "-o", format]).await;
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

/// The world with further objects in us-1.
fn with(objects: &str) -> TempDir {
    let world = world();
    std::fs::write(world.path().join("clusters/us-1/more.yaml"), objects).unwrap();
    world
}

/// The notices about us-1 in both commands' JSON, which must be equal; and they are no reason to fail.
async fn notices(world: &TempDir) -> Vec<String> {
    let mut all = Vec::new();
    for command in ["check", "status"] {
        let (code, json) = print(command, world.path(), "json").await;
        assert_eq!(code, Some(0), "{command}: {json}");
        let json: Value = serde_json::from_str(&json).unwrap();
        let members = json["members"].as_array().unwrap();
        let us = members.iter().find(|member| member["id"] == "us-1").unwrap();
        let lines: Vec<String> = serde_json::from_value(us["notes"].clone()).unwrap();
        let (code, table) = print(command, world.path(), "table").await;
        assert_eq!(code, Some(0), "{command}: {table}");
        for line in &lines {
            let shown = if command == "check" { "warning: MemberCluster us-1: " } else { "us-1: note: " };
            assert!(table.contains(&format!("{shown}{line}")), "{command} says {table}");
        }
        all.push(lines);
    }
    assert_eq!(all[0], all[1]);
    all.remove(0)
}

#[tokio::test]
async fn a_name_that_a_member_keeps_for_itself_is_reported() {
    assert_eq!(notices(&world()).await, [""; 0]);
    let own = objects::namespace("shop") + &objects::service("shop", "web", "app: web", "ports: [{port: 80}]");
    let kept = "Service shop/web is not exported here (it is not marked) although eu-1 exports it: callers in us-1 keep its \
                own pods; label it isthmus.dev/federate=true to export it, or rename it";
    assert_eq!(notices(&with(&own)).await, [kept]);
    // Two siblings: an ExternalName, and one whose Namespace may not export.
    let external = objects::namespace("shop")
        + &objects::service("shop", "web", "app: web", "type: ExternalName, externalName: example.org");
    let found = notices(&with(&external)).await;
    assert!(found[0].contains("(an ExternalName Service has no endpoints of its own) although eu-1"), "{found:?}");
    let world = with(&(objects::namespace("shop") + &objects::federated("shop", "web")));
    let hub = std::fs::read_to_string(world.path().join("hub.yaml")).unwrap();
    let hub = hub.replace("  kubeconfigSecretRef: {name: us-1}\n", "  exports: {namespaces: ['team-*']}\n");
    std::fs::write(world.path().join("hub.yaml"), hub).unwrap();
    let found = notices(&world).await;
    assert!(found[0].ends_with("add it to spec.exports.namespaces of MemberCluster us-1, or rename it"), "{found:?}");
}

#[tokio::test]
async fn misspelt_marks_and_marks_without_effect_are_reported() {
    let port = "ports: [{port: 80}]";
    let objects = [
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, annotations: {isthmus.dev/federate: 'true'}}\n"
            .to_owned(),
        objects::service("shop", "a", "isthmus.dev/federate: 'True'", port),
        objects::service("shop", "b", "isthmus.dev/federated: 'true'", port),
        objects::service("shop", "c", "isthmus.dev/federate: 'true', mirror.linkerd.io/mirrored-service: 'true'", port),
    ];
    let found = notices(&with(&objects.concat())).await;
    assert_eq!(
        found,
        [
            "Namespace shop: annotation isthmus.dev/federate marks nothing; expected a label of that name",
            "Service shop/a: label isthmus.dev/federate is \"True\", which marks nothing; expected \"true\" or \"false\"",
            "Service shop/b: label isthmus.dev/federated marks nothing; expected the label isthmus.dev/federate",
            "Service shop/c is marked for export and not exported: Linkerd made it out of another cluster's Service; export \
             that one where it is",
        ]
    );
}

#[tokio::test]
async fn addresses_that_are_not_served_fail_a_check_and_those_outside_do_not() {
    let serve = |pods: &[&str]| {
        let pods: Vec<String> = pods.iter().map(ToString::to_string).collect();
        objects::namespace("shop") + &objects::federated("shop", "api") + &objects::slice("shop", "api", &pods, "a")
    };
    let outside = with(&serve(&["10.2.0.9", "192.168.7.5"]));
    let (code, json) = print("check", outside.path(), "json").await;
    assert_eq!(code, Some(0), "{json}");
    let json: Value = serde_json::from_str(&json).unwrap();
    let admitted = &json["members"][1]["conditions"][1];
    assert_eq!((&admitted["status"], &admitted["reason"]), (&"True".into(), &"EndpointsOutOfRange".into()));
    assert!(admitted["message"].as_str().unwrap().contains("192.168.7.5 of Service shop/api"), "{admitted}");

    // The other member offers the same one, in another Service.
    let slice = objects::slice("shop", "db", &["192.168.7.5".to_owned()], "a");
    let all = objects::federated("shop", "db") + &slice;
    std::fs::write(outside.path().join("clusters/eu-1/more.yaml"), all).unwrap();
    let (code, table) = print("check", outside.path(), "table").await;
    assert_eq!(code, Some(1), "{table}");
    for (member, service, other) in [("eu-1", "db", "us-1"), ("us-1", "api", "eu-1")] {
        let line = format!(
            "{member}: Service shop/{service}: endpoint 192.168.7.5 lies in no declared or discovered range and is"
        );
        assert!(table.contains(&format!("{line} offered by member {other} too")), "{table}");
    }
    assert!(
        table.contains(
            "FAILED: 0 of 2 members refused, 0 not decided, 0 objects with problems, 2 more failures, 0 warnings"
        ),
        "{table}"
    );
    let (_, status) = print("status", outside.path(), "table").await;
    assert!(status.contains("DuplicateAddresses"), "{status}");

    // A strict policy.
    let strict = with(&serve(&["10.2.0.9", "192.168.7.5"]));
    let policy = "---\napiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {name: default}\n\
                  spec: {strictCidrs: true}\n";
    std::fs::write(strict.path().join("policy.yaml"), policy).unwrap();
    let (code, table) = print("check", strict.path(), "table").await;
    assert_eq!(code, Some(1), "{table}");
    assert!(
        table.contains("endpoint 192.168.7.5 lies in no declared or discovered range (strictCidrs): not served"),
        "{table}"
    );
    let node = "---\napiVersion: v1\nkind: Node\nmetadata: {name: n1}\nspec: {podCIDR: 10.2.0.0/24}\n\
                status: {addresses: [{type: InternalIP, address: 192.168.7.5}]}\n";
    std::fs::write(strict.path().join("clusters/us-1/node.yaml"), node).unwrap();
    let (code, table) = print("check", strict.path(), "table").await;
    assert_eq!((code, table.contains("\nOK: 2 members")), (Some(0), true), "{table}");
}
