//! `isthmus check` has three outcomes, and each way of not being as one should has one of them.

use std::path::Path;

use serde_json::Value;

use super::world::world;
use crate::harness::{objects, run};

/// What a world is made into, and what has to come of it.
struct Case {
    what: &'static str,
    change: fn(&Path),
    outcome: &'static str,
    says: &'static [&'static str],
}

fn add(world: &Path, file: &str, text: &str) {
    let path = world.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn change_hub(world: &Path, from: &str, to: &str) {
    let hub = std::fs::read_to_string(world.join("hub.yaml")).unwrap();
    assert!(hub.contains(from), "{from}: {hub}");
    std::fs::write(world.join("hub.yaml"), hub.replace(from, to)).unwrap();
}

/// A member that was admitted for these ranges, whatever it declares now.
fn on_record(id: &str, region: &str, declared: u8, recorded: u8) -> String {
    let member = objects::member_cluster(
        id,
        region,
        &[&format!("10.{declared}.0.0/16")],
        &[&format!("10.{}.0.0/16", 100 + u16::from(declared))],
    );
    format!(
        "{member}status:\n  admission: {{at: '2026-01-01T00:00:00.000000Z', uid: 'folder:{id}', pods: [10.{recorded}.0.0/16], \
         services: [10.{}.0.0/16]}}\n",
        100 + u16::from(recorded)
    )
}

fn policy(name: &str, spec: &str) -> String {
    format!("---\napiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

fn cases() -> Vec<Case> {
    vec![
        Case { what: "nothing is wrong", change: |_| {}, outcome: "ok", says: &["OK: 2 members"] },
        Case {
            what: "an empty folder",
            change: |world| {
                std::fs::remove_file(world.join("hub.yaml")).unwrap();
                std::fs::remove_dir_all(world.join("clusters")).unwrap();
            },
            outcome: "failed",
            says: &["found no Region, MemberCluster or FederationPolicy", "docs/world.md"],
        },
        Case {
            what: "a newcomer that overlaps",
            change: |world| {
                add(world, "new.yaml", &objects::member_cluster("zz-1", "eu", &["10.1.8.0/24"], &["10.109.0.0/16"]));
            },
            outcome: "failed",
            says: &["Admitted=False CIDROverlap", "1 of 3 members refused, 0 not decided"],
        },
        Case {
            what: "a member whose Region is gone",
            change: |world| {
                add(world, "old.yaml", &on_record("old-1", "mars", 7, 7));
                std::fs::create_dir(world.join("clusters/old-1")).unwrap();
            },
            outcome: "failed",
            says: &[
                "MemberCluster old-1: Admitted=True UnknownRegion: there is no Region mars any more: it stays admitted",
            ],
        },
        Case {
            what: "a member that declares another range than it was admitted for, which is taken",
            change: |world| {
                add(world, "old.yaml", &(on_record("old-1", "eu", 8, 7) + &on_record("there-1", "eu", 8, 8)));
                std::fs::create_dir(world.join("clusters/old-1")).unwrap();
                std::fs::create_dir(world.join("clusters/there-1")).unwrap();
            },
            outcome: "failed",
            says: &["MemberCluster old-1: Admitted=True CIDRDrift"],
        },
        Case {
            what: "a policy that reserves a member's range",
            change: |world| {
                add(world, "old.yaml", &on_record("old-1", "eu", 7, 7));
                std::fs::create_dir(world.join("clusters/old-1")).unwrap();
                add(world, "policy.yaml", &policy("default", "{reservedCidrs: [10.7.0.0/16]}"));
            },
            outcome: "failed",
            says: &["MemberCluster old-1: Admitted=True CIDRDrift", "which a FederationPolicy reserves"],
        },
        Case {
            what: "an address in another member's range",
            change: |world| {
                let all = objects::namespace("shop") + &objects::federated("shop", "api");
                add(
                    world,
                    "clusters/us-1/api.yaml",
                    &(all + &objects::slice("shop", "api", &["10.1.0.9".to_owned()], "a")),
                );
            },
            outcome: "failed",
            says: &["endpoint 10.1.0.9 lies in a range of member eu-1: not served"],
        },
        Case {
            what: "a MemberCluster that cannot be used",
            change: |world| change_hub(world, "10.2.0.0/16", "10.2.0.1/16"),
            outcome: "failed",
            says: &["spec.cidrs.pods[0]: found \"10.2.0.1/16\"", "1 of 2 members refused"],
        },
        Case {
            what: "an object that cannot be used",
            change: |world| {
                add(world, "clusters/us-1/bad.yaml", &objects::service("other", "x", "", "ports: [{port: 0}]"));
            },
            outcome: "failed",
            says: &["spec.ports[0].port", "1 objects with problems"],
        },
        Case {
            what: "a member that is not decided",
            change: |world| {
                add(world, "new.yaml", &objects::member_cluster("zz-1", "eu", &[], &[]));
                std::fs::create_dir(world.join("clusters/zz-1")).unwrap();
            },
            outcome: "warnings",
            says: &["warning: MemberCluster zz-1: Admitted=Unknown CIDRsUnknown", "3 members, 1 of them not decided"],
        },
        Case {
            what: "declared ranges that a Node contradicts",
            change: |world| add(world, "clusters/eu-1/node.yaml", &objects::node("node-1", "a", "10.9.0.0/24")),
            outcome: "warnings",
            says: &["Admitted=True CIDRMismatch", "pod range 10.9.0.0/24 of its Nodes is not in spec.cidrs.pods"],
        },
        Case {
            what: "declared ranges that a ServiceCIDR contradicts",
            change: |world| {
                let text = "---\napiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: kubernetes}\nspec: {cidrs: [10.99.0.0/16]}\n";
                add(world, "clusters/eu-1/cidr.yaml", text);
            },
            outcome: "warnings",
            says: &["service range 10.99.0.0/16 of its ServiceCIDR objects is not in spec.cidrs.services"],
        },
        Case {
            what: "a Region that is named and does not exist",
            change: |world| change_hub(world, "failover: [us]", "failover: [us, asia]"),
            outcome: "warnings",
            says: &["warning: Region eu: Accepted=True UnknownRegion: spec.failover names Region asia"],
        },
        Case {
            what: "a member that is named and does not exist",
            change: |world| {
                add(world, "policy.yaml", &policy("default", "{failover: {clusters: [{name: asia-1, weight: 1}]}}"));
            },
            outcome: "warnings",
            says: &["warning: FederationPolicy default: Accepted=True UnknownCluster"],
        },
        Case {
            what: "a mark that marks nothing",
            change: |world| {
                let text = objects::service("other", "x", "isthmus.dev/federate: 'True'", "ports: [{port: 80}]");
                add(world, "clusters/us-1/mark.yaml", &text);
            },
            outcome: "warnings",
            says: &["warning: MemberCluster us-1: Service other/x: label isthmus.dev/federate is \"True\""],
        },
    ]
}

#[tokio::test]
async fn each_way_of_not_being_right_has_its_outcome() {
    for Case { what, change, outcome, says } in cases() {
        let world = world();
        change(world.path());
        let folder = world.path().to_str().unwrap();
        let output = run(&["check", "--world", folder, "-o", "json"]).await;
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["outcome"], outcome, "{what}: {document:#}");
        assert_eq!(document["ok"], outcome != "failed", "{what}");
        let table = run(&["check", "--world", folder]).await;
        let text = String::from_utf8(table.stdout).unwrap();
        for line in says {
            assert!(text.contains(line), "{what}: {line}: {text}");
        }
        assert!(!text.contains("no MemberCluster named"), "{what}: {text}");
        let failed = i32::from(outcome == "failed");
        assert_eq!((output.status.code(), table.status.code()), (Some(failed), Some(failed)), "{what}: {text}");
        let strict = run(&["check", "--strict", "--world", folder]).await;
        assert_eq!(strict.status.code(), Some(i32::from(outcome != "ok")), "{what}, --strict");
    }
}
