//! Objects of the hub.
#![allow(clippy::expect_used, reason = "the patterns only make names that can be used")]

use federation::model::{
    Admission, ClusterUid, ClusterWeight, Failover, Federate, Member, NamespacePattern, Policy, Region, Selector, Tier,
    Traffic,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::values::{cluster, labels, name, network, ranges, text, time};

pub(super) fn region() -> impl Strategy<Value = Region> + Clone {
    (super::values::region(), vec(super::values::region(), 0..4)).prop_map(|(name, failover)| Region { name, failover })
}

pub(super) fn member() -> impl Strategy<Value = Member> + Clone {
    let place = (cluster(), super::values::region(), network());
    let declared = (option::of(ranges()), option::of(ranges()), option::of(vec(pattern(), 0..3)));
    let traffic = select(vec![Traffic::Active, Traffic::Drained]);
    let rest = (option::of(any::<u32>()), time(), any::<i64>(), option::of(admission()));
    (place, declared, traffic, rest).prop_map(
        |((id, region, network), (pods, services, exports), traffic, (weight, created, generation, recorded))| Member {
            id,
            region,
            network,
            pods,
            services,
            exports,
            traffic,
            weight,
            created,
            generation,
            recorded,
        },
    )
}

fn pattern() -> impl Strategy<Value = NamespacePattern> + Clone {
    prop_oneof!["[a-z0-9-]{1,63}", "[a-z0-9-]{0,63}\\*"]
        .prop_map(|text| NamespacePattern::new(&text).expect("a pattern"))
}

fn admission() -> impl Strategy<Value = Admission> + Clone {
    (time(), text(), ranges(), ranges()).prop_map(|(at, uid, pods, services)| Admission {
        at,
        uid: ClusterUid(uid),
        pods,
        services,
    })
}

pub(super) fn policy() -> impl Strategy<Value = Policy> + Clone {
    let federate = select(vec![Federate::Marked, Federate::All, Federate::None]);
    let selectors = (labels(), labels()).prop_map(|(namespaces, services)| {
        (Selector { match_labels: namespaces }, Selector { match_labels: services })
    });
    (name(), time(), selectors, federate, ranges(), any::<bool>(), failover()).prop_map(
        |(name, created, (namespaces, services), federate, reserved, strict_cidrs, failover)| Policy {
            name,
            created,
            namespaces,
            services,
            federate,
            reserved,
            strict_cidrs,
            failover,
        },
    )
}

fn failover() -> impl Strategy<Value = Failover> + Clone {
    let tier = select(vec![Tier::Cluster, Tier::Zone, Tier::Region, Tier::Ordered, Tier::Any]);
    let weight = (cluster(), any::<u32>()).prop_map(|(cluster, weight)| ClusterWeight { cluster, weight });
    (vec(tier, 0..6), vec(weight, 0..3)).prop_map(|(tiers, clusters)| Failover { tiers, clusters })
}
