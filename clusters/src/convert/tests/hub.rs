use federation::model::{Federate, Tier, Traffic};

use super::{convert, read, reject, taken};
use crate::api::{FederationPolicy, MemberCluster, Region};
use crate::convert::Convert as _;

#[test]
fn regions() {
    let good = "{metadata: {name: eu}, spec: {failover: [us, ap]}}";
    let region = convert::<Region>(good).unwrap().unwrap();
    assert_eq!(region.failover.iter().map(ToString::to_string).collect::<Vec<_>>(), ["us", "ap"]);
    assert!(convert::<Region>("{metadata: {name: eu}, spec: {}}").unwrap().unwrap().failover.is_empty());
    let label = "an RFC 1123 label: lower-case letters, digits and '-', starting and ending with a letter or digit";
    reject::<Region>(
        good,
        &[
            (
                "[us, ap]",
                "[us, us]",
                "Region eu: spec.failover[1]: found \"us\" again; expected each region once; it is left out of the order",
            ),
            (
                "[us, ap]",
                "[us, a.p]",
                &format!("Region eu: spec.failover[1]: found \"a.p\"; expected {label}; it is left out of the order"),
            ),
            ("name: eu", "name: EU", &format!("Region EU: metadata.name: found \"EU\"; expected {label}")),
        ],
    );
}

const MEMBER: &str = r#"
metadata: {name: eu-1, creationTimestamp: "2026-11-01T00:00:00Z"}
spec:
  region: eu
  network: corp
  kubeconfigSecretRef: {name: eu-1}
  readKubeconfigSecretRef: {name: eu-1-reader}
  cidrs: {pods: [10.8.0.0/14], services: [10.12.0.0/20]}
  exports: {namespaces: [shop, "team-b-*"]}
  traffic: Drained
  weight: 100
status:
  admission: {at: "2026-11-02T00:00:00.250000Z", uid: u-1, pods: [10.8.0.0/14], services: [10.12.0.0/20]}
"#;

#[test]
fn members() {
    let member = convert::<MemberCluster>(MEMBER).unwrap().unwrap();
    assert_eq!((member.id.as_str(), member.region.as_str(), member.network.as_str()), ("eu-1", "eu", "corp"));
    assert_eq!(member.pods.unwrap()[0].to_string(), "10.8.0.0/14");
    let exports = member.exports.unwrap();
    let allowed = |namespace: &str| exports.iter().any(|pattern| pattern.matches(namespace));
    assert_eq!(["shop", "shop2", "team-b-x", "team-c"].map(allowed), [true, false, true, false]);
    assert_eq!(
        (member.traffic, member.weight, member.created.unix_ms),
        (Traffic::Drained, Some(100), 1_793_491_200_000)
    );
    let recorded = member.recorded.unwrap();
    assert_eq!((recorded.at.unix_ms, &*recorded.uid.0), (1_793_577_600_250, "u-1"));

    let least = convert::<MemberCluster>("{metadata: {name: eu-1}, spec: {region: eu}}").unwrap().unwrap();
    assert_eq!((least.network.as_str(), least.traffic, least.weight), ("default", Traffic::Active, None));
    assert_eq!((least.pods, least.services, least.recorded), (None, None, None));
    assert_eq!(least.exports, None, "left out means everything");
    let nothing = "{metadata: {name: eu-1}, spec: {region: eu, exports: {namespaces: []}}}";
    assert_eq!(convert::<MemberCluster>(nothing).unwrap().unwrap().exports, Some(Vec::new()), "empty means nothing");
}

#[test]
fn bad_members() {
    let label = "an RFC 1123 label: lower-case letters, digits and '-', starting and ending with a letter or digit";
    let id_64 = "e".repeat(64);
    reject::<MemberCluster>(
        MEMBER,
        &[
            (
                "pods: [10.8.0.0/14], services: [10.12",
                "pods: [10.8.1.0/14], services: [10.12",
                "MemberCluster eu-1: spec.cidrs.pods[0]: found \"10.8.1.0/14\"; expected 10.8.0.0/14 (host bits are set)",
            ),
            (
                "cidrs: {pods: [10.8.0.0/14],",
                "cidrs: {pods: [],",
                "MemberCluster eu-1: spec.cidrs.pods: found an empty list; expected at least one range, or no such field: then they are discovered",
            ),
            (
                "team-b-*",
                "*-b",
                "MemberCluster eu-1: spec.exports.namespaces[1]: found \"*-b\"; expected a namespace name, or a prefix ending in one '*'; it allows no namespace",
            ),
            (
                "team-b-*",
                "team-**",
                "MemberCluster eu-1: spec.exports.namespaces[1]: found \"team-**\"; expected a namespace name, or a prefix ending in one '*'; it allows no namespace",
            ),
            (
                "weight: 100",
                "weight: 0",
                "MemberCluster eu-1: spec.weight: found 0; expected a number from 1 to 10000; it has no weight of its own",
            ),
            (
                "weight: 100",
                "weight: 10001",
                "MemberCluster eu-1: spec.weight: found 10001; expected a number from 1 to 10000; it has no weight of its own",
            ),
            (
                "region: eu",
                "region: \"\"",
                "MemberCluster eu-1: spec.region: found nothing; expected a name such as \"eu-1\"",
            ),
            ("region: eu", "region: Eu", &format!("MemberCluster eu-1: spec.region: found \"Eu\"; expected {label}")),
            (
                "network: corp",
                &format!("network: {id_64}"),
                "MemberCluster eu-1: spec.network: found 64 bytes; expected at most 63 bytes",
            ),
            (
                "name: eu-1, creation",
                &format!("name: {id_64}, creation"),
                &format!("MemberCluster {id_64}: metadata.name: found 64 bytes; expected at most 63 bytes"),
            ),
            ("name: eu-1, creation", &format!("name: {}, creation", "e".repeat(63)), "accepted"),
            (
                "uid: u-1, pods: [10.8.0.0/14]",
                "uid: u-1, pods: [10.8.0.0]",
                "MemberCluster eu-1: status.admission.pods[0]: found \"10.8.0.0\"; expected a range in CIDR notation such as 10.8.0.0/14 or fd00:8::/32",
            ),
            (
                "uid: u-1",
                "uid: \"\"",
                "MemberCluster eu-1: status.admission.uid: found 0 bytes; expected a cluster UID of 1 to 128 bytes",
            ),
        ],
    );
}

/// What decides who may do what is used as a whole or not at all; anything else is lost by itself.
#[test]
fn one_bad_field_costs_no_more_than_itself() {
    let exports = taken::<MemberCluster>(&MEMBER.replace("team-b-*", "*-b")).exports.expect("a list");
    assert!(exports.len() == 1 && exports[0].matches("shop"), "what cannot be read allows nothing");
    let unweighted = taken::<MemberCluster>(&MEMBER.replace("weight: 100", "weight: 0"));
    assert_eq!((unweighted.weight, unweighted.traffic, unweighted.network.as_str()), (None, Traffic::Drained, "corp"));
    let region = taken::<Region>("{metadata: {name: eu}, spec: {failover: [us, a.p, ap, us]}}");
    assert_eq!(region.failover.iter().map(ToString::to_string).collect::<Vec<_>>(), ["us", "ap"]);

    let policy = taken::<FederationPolicy>(&POLICY.replace("weight: 20}", "weight: 0}, {name: ap-1, weight: 5}"));
    let weights: Vec<_> = policy.failover.clusters.iter().map(|w| (w.cluster.as_str(), w.weight)).collect();
    assert_eq!((weights, policy.federate), (vec![("ap-1", 5)], Federate::All));
    let policy = taken::<FederationPolicy>(&POLICY.replace("[Cluster, Zone, Any]", "[Zone, Zone, Any]"));
    assert_eq!(policy.failover.tiers, [Tier::Zone, Tier::Any]);

    let rejected = |object: &str| read::<MemberCluster>(object).convert().is_err();
    assert!(rejected(&MEMBER.replace("services: [10.12.0.0/20]}\n  exports", "services: [10.12.0.1/20]}\n  exports")));
    assert!(rejected(&MEMBER.replace("network: corp", "network: \"\"")), "the default network is another one");
    let rejected = |object: &str| read::<FederationPolicy>(object).convert().is_err();
    assert!(rejected(&POLICY.replace("192.168.0.0/16", "192.168.0.0")));
    assert!(rejected(&POLICY.replace("tier: gold", &format!("tier: {}", "g".repeat(64)))), "it would select more");
    assert!(rejected(&POLICY.replace("[Cluster, Zone, Any]", "[]")), "it may be meant to pin");
}

const POLICY: &str = r#"
metadata: {name: gold}
spec:
  selects: {namespaces: {matchLabels: {tier: gold}}, services: {matchLabels: {}}}
  federate: All
  mirror: {endpointSlices: false, pruneNamespaces: false}
  reservedCidrs: [192.168.0.0/16]
  failover:
    tiers: [Cluster, Zone, Any]
    clusters: [{name: us-1, weight: 20}]
    minHealthyPercent: 70
  safety: {demoteAfter: 30s, withdrawAfter: Never, maxLossPercent: 50, lossWindow: 60s}
"#;

#[test]
fn policies() {
    let policy = convert::<FederationPolicy>(POLICY).unwrap().unwrap();
    assert_eq!((&*policy.name, policy.federate), ("gold", Federate::All));
    assert_eq!((policy.namespaces.specificity(), policy.services.specificity()), (1, 0));
    assert_eq!(policy.reserved[0].to_string(), "192.168.0.0/16");
    assert_eq!(policy.failover.tiers, [Tier::Cluster, Tier::Zone, Tier::Any]);
    assert_eq!((policy.failover.clusters[0].cluster.as_str(), policy.failover.clusters[0].weight), ("us-1", 20));
    let built_in = federation::model::Policy::built_in();
    let least = convert::<FederationPolicy>("{metadata: {name: default}, spec: {}}").unwrap().unwrap();
    assert_eq!(least, built_in, "an empty default policy is what holds without one");
}

#[test]
fn bad_policies() {
    let form = "a duration such as \"30s\", \"5m\", \"1h30m\" or \"Never\"";
    let range = "a number from 0 to 100";
    reject::<FederationPolicy>(
        POLICY,
        &[
            (
                "name: gold}\n",
                "name: default}\n",
                "FederationPolicy default: spec.selects: found a selector; expected no labels: the policy named \"default\" is the federation's and selects everything",
            ),
            (
                "[Cluster, Zone, Any]",
                "[]",
                "FederationPolicy gold: spec.failover.tiers: found an empty list; expected at least one of Cluster, Zone, Region, Ordered, Any",
            ),
            (
                "[Cluster, Zone, Any]",
                "[Zone, Zone]",
                "FederationPolicy gold: spec.failover.tiers[1]: found Zone again; expected each tier once; it counts once",
            ),
            (
                "weight: 20}",
                "weight: 20}, {name: us-1, weight: 5}",
                "FederationPolicy gold: spec.failover.clusters[1].name: found \"us-1\" again; expected each cluster once; the cluster has no weight by this policy",
            ),
            (
                "weight: 20}",
                "weight: 0}",
                "FederationPolicy gold: spec.failover.clusters[0].weight: found 0; expected a number from 1 to 10000; the cluster has no weight by this policy",
            ),
            (
                "minHealthyPercent: 70",
                "minHealthyPercent: 101",
                &format!(
                    "FederationPolicy gold: spec.failover.minHealthyPercent: found 101; expected {range}; the field is passed over"
                ),
            ),
            (
                "maxLossPercent: 50",
                "maxLossPercent: 200",
                &format!(
                    "FederationPolicy gold: spec.safety.maxLossPercent: found 200; expected {range}; the field is passed over"
                ),
            ),
            (
                "demoteAfter: 30s",
                "demoteAfter: 30 s",
                &format!(
                    "FederationPolicy gold: spec.safety.demoteAfter: found \"30 s\"; expected {form}; the field is passed over"
                ),
            ),
            (
                "withdrawAfter: Never",
                "withdrawAfter: never",
                &format!(
                    "FederationPolicy gold: spec.safety.withdrawAfter: found \"never\"; expected {form}; the field is passed over"
                ),
            ),
            (
                "lossWindow: 60s",
                "lossWindow: 9000h",
                "FederationPolicy gold: spec.safety.lossWindow: found \"9000h\"; expected at most 8784h (a year), or \"Never\"; the field is passed over",
            ),
            (
                "192.168.0.0/16",
                "192.168.1.0/16",
                "FederationPolicy gold: spec.reservedCidrs[0]: found \"192.168.1.0/16\"; expected 192.168.0.0/16 (host bits are set)",
            ),
            ("{tier: gold}", "{tier: \"\"}", "accepted"),
        ],
    );
}
