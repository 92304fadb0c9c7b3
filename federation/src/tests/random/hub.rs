//! Regions, members and policies.

use std::fmt;

use proptest::prelude::*;

use super::{CLUSTERS, LABELS, REGIONS, Spec, TIMES, of, sometimes};
use crate::model::{ClusterId, ClusterWeight, Failover, Federate, Member, Policy, Region, RegionId, Tier, Traffic};
use crate::testing::make;

#[derive(Clone)]
pub(in crate::tests) struct RegionSpec {
    name: &'static str,
    failover: Vec<&'static str>,
}

#[derive(Clone)]
pub(in crate::tests) struct MemberSpec {
    id: &'static str,
    region: &'static str,
    network: &'static str,
    pods: &'static str,
    services: &'static str,
    exports: &'static str,
    drained: bool,
    weight: Option<u32>,
    created: i64,
    /// Pod and service ranges, and the time, of an admission on record.
    recorded: Option<(&'static str, &'static str, i64)>,
    recorded_uid: &'static str,
}

#[derive(Clone)]
pub(in crate::tests) struct PolicySpec {
    name: &'static str,
    created: i64,
    namespaces: &'static str,
    services: &'static str,
    federate: Federate,
    reserved: &'static str,
    strict: bool,
    near_only: bool,
}

/// "own": ranges that clash with no other member's. "": to be discovered.
const PODS: [&str; 14] = [
    "own",
    "own",
    "own",
    "own",
    "own",
    "own",
    "",
    "",
    "10.0.0.0/16",
    "10.0.0.0/15",
    "10.0.128.0/17",
    "10.96.0.0/16",
    "fd00:1::/48",
    "fd00:1:0:8000::/49",
];
const SERVICE_RANGES: [&str; 12] = [
    "own",
    "own",
    "own",
    "own",
    "own",
    "own",
    "",
    "10.96.0.0/16",
    "10.97.128.0/17",
    "10.96.0.0/12",
    "10.1.0.0/16",
    "fd00:1:0:8000::/64",
];

/// What "own" means: no two of these overlap. One of them has two families.
pub(super) fn own_pods(cluster: &str) -> &'static str {
    match cluster {
        "a1" => "10.0.0.0/16",
        "a2" => "10.1.0.0/16",
        "b1" => "10.2.0.0/16 fd00:2::/64",
        _ => "10.3.0.0/16",
    }
}

pub(super) fn own_services(cluster: &str) -> &'static str {
    match cluster {
        "a1" => "10.96.0.0/16",
        "a2" => "10.97.0.0/16",
        "b1" => "10.98.0.0/16 fd00:98::/112",
        _ => "10.99.0.0/16",
    }
}

fn own_or<'a>(text: &'a str, own: &'a str) -> &'a str {
    if text == "own" { own } else { text }
}

/// `"own"`: the cluster's own identity; everything else is another cluster's.
pub(super) fn uid_text(text: &str, cluster: &str) -> String {
    if text == "own" { format!("uid-{cluster}") } else { text.to_owned() }
}

impl Spec for RegionSpec {
    type Model = Region;
    fn build(&self, _: &str) -> Region {
        make::region(self.name, &self.failover)
    }
    fn key(text: &'static str) -> RegionId {
        make::region_id(text)
    }
}

impl fmt::Debug for RegionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "region {} -> {:?}", self.name, self.failover)
    }
}

impl Spec for MemberSpec {
    type Model = Member;
    fn build(&self, _: &str) -> Member {
        let (pods, services) = (own_or(self.pods, own_pods(self.id)), own_or(self.services, own_services(self.id)));
        let recorded = self.recorded.map(|(pods, services, at)| {
            let (pods, services) = (own_or(pods, own_pods(self.id)), own_or(services, own_services(self.id)));
            make::admission(at, &uid_text(self.recorded_uid, self.id), pods, services)
        });
        Member {
            network: make::network(self.network),
            exports: (!self.exports.is_empty()).then(|| make::patterns(self.exports)),
            traffic: if self.drained { Traffic::Drained } else { Traffic::Active },
            weight: self.weight,
            created: make::at(self.created),
            recorded,
            ..make::member(self.id, self.region, pods, services)
        }
    }
    fn key(text: &'static str) -> ClusterId {
        make::cluster(text)
    }
}

impl fmt::Debug for MemberSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, region, network, pods, services, exports, drained, weight, created, recorded, recorded_uid } =
            self;
        write!(f, "member {id} in {region}/{network} pods={pods:?} services={services:?} created={created}")?;
        write!(f, " exports={exports:?} drained={drained} weight={weight:?}")?;
        recorded.map_or(Ok(()), |record| write!(f, " recorded={record:?} for {recorded_uid}"))
    }
}

impl Spec for PolicySpec {
    type Model = Policy;
    fn build(&self, _: &str) -> Policy {
        let weights = vec![ClusterWeight { cluster: make::cluster("a1"), weight: 7 }];
        let near = Failover { tiers: vec![Tier::Cluster, Tier::Any], clusters: weights };
        Policy {
            created: make::at(self.created),
            namespaces: make::selector(self.namespaces),
            services: make::selector(self.services),
            reserved: make::nets(self.reserved),
            strict_cidrs: self.strict,
            failover: if self.near_only { near } else { Failover::default() },
            ..make::policy(self.name, self.federate)
        }
    }
    fn key(text: &'static str) -> std::sync::Arc<str> {
        text.into()
    }
}

impl fmt::Debug for PolicySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, created, namespaces, services, federate, reserved, strict, near_only } = self;
        write!(f, "policy {name} {federate:?} created={created} namespaces={namespaces:?} services={services:?}")?;
        write!(f, " reserved={reserved:?} strict={strict} near_only={near_only}")
    }
}

pub(super) fn region() -> impl Strategy<Value = RegionSpec> + Clone {
    let failover = proptest::collection::vec(of(&REGIONS), 0..3);
    (of(&REGIONS), failover).prop_map(|(name, failover)| RegionSpec { name, failover })
}

/// Every region once.
pub(super) fn all_regions() -> impl Strategy<Value = Vec<RegionSpec>> {
    let called = |name| region().prop_map(move |spec| RegionSpec { name, ..spec });
    (called("ap"), called("eu"), called("us")).prop_map(|(a, b, c)| vec![a, b, c])
}

/// Mostly one by which everything takes part, and a few others.
pub(super) fn some_policies() -> impl Strategy<Value = Vec<PolicySpec>> {
    let open = policy().prop_map(|spec| PolicySpec {
        name: "default",
        namespaces: "",
        services: "",
        federate: Federate::All,
        reserved: "",
        ..spec
    });
    let others = proptest::collection::vec(policy(), 0..2);
    (proptest::option::weighted(0.8, open), others).prop_map(|(open, others)| others.into_iter().chain(open).collect())
}

pub(super) fn member_called(
    id: impl Strategy<Value = &'static str> + Clone,
) -> impl Strategy<Value = MemberSpec> + Clone {
    let place = (of(&["eu", "eu", "us", "ap", "nowhere"]), of(&["default", "default", "default", "other"]));
    let traits = (of(&["", "", "", "shop", "d*"]), sometimes(10), of(&[None, None, Some(3)]), TIMES);
    let record = proptest::option::weighted(0.3, (of(&PODS[..10]), of(&SERVICE_RANGES[..8]), TIMES));
    let uid = of(&["own", "own", "own", "own", "own", "uid-x"]);
    (id, place, of(&PODS), of(&SERVICE_RANGES), traits, record, uid).prop_map(
        |(id, (region, network), pods, services, (exports, drained, weight, created), recorded, recorded_uid)| {
            MemberSpec {
                id,
                region,
                network,
                pods,
                services,
                exports,
                drained,
                weight,
                created,
                recorded,
                recorded_uid,
            }
        },
    )
}

pub(super) fn member() -> impl Strategy<Value = MemberSpec> + Clone {
    member_called(of(&CLUSTERS))
}

/// A member that can be admitted, and whose admission is on record.
pub(super) fn recorded_member(id: &'static str) -> impl Strategy<Value = MemberSpec> + Clone {
    let admitted = |member| MemberSpec { recorded: Some(("own", "own", 1)), ..member };
    good_member(id).prop_map(admitted)
}

/// A member that can be admitted.
pub(super) fn good_member(id: &'static str) -> impl Strategy<Value = MemberSpec> + Clone {
    (of(&["eu", "us", "ap"]), of(&[None, None, Some(3)]), TIMES).prop_map(move |(region, weight, created)| MemberSpec {
        id,
        region,
        network: "default",
        pods: "own",
        services: "own",
        exports: "",
        drained: false,
        weight,
        created,
        recorded: None,
        recorded_uid: "own",
    })
}

pub(super) fn policy() -> impl Strategy<Value = PolicySpec> + Clone {
    let selectors = (of(&["", "", "team=a"]), of(&["", "", "tier=front", "team=a tier=front"]));
    let federate = of(&[Federate::All, Federate::All, Federate::Marked, Federate::None]);
    let switches = (sometimes(25), sometimes(30));
    let reserved = of(&["", "", "", "10.3.0.0/16", "10.0.0.0/8", "fd00:1::/32"]);
    (of(&POLICIES), TIMES, selectors, federate, reserved, switches).prop_map(
        |(name, created, (namespaces, services), federate, reserved, (strict, near_only))| PolicySpec {
            name,
            created,
            namespaces,
            services,
            federate,
            reserved,
            strict,
            near_only,
        },
    )
}

pub(super) const POLICIES: [&str; 3] = ["default", "p1", "p2"];
/// Kept here so that every file knows the same labels.
pub(super) fn labels() -> impl Strategy<Value = &'static str> + Clone {
    of(&LABELS)
}
