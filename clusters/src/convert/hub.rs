//! The hub's own objects: regions, members, policies.

use std::collections::BTreeSet;
use std::sync::Arc;

use federation::model::{
    Admission, ClusterId, ClusterUid, ClusterWeight, Failover, Federate, Member, NamespacePattern, Network, Policy,
    Region, RegionId, Selector, Tier, Time, Traffic,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::check::Check;
use super::{Converted, meta};
use crate::api;
use crate::api::{
    MAX_CIDRS, MAX_CLUSTER_WEIGHTS, MAX_EXPORT_PATTERNS, MAX_FAILOVER_REGIONS, MAX_MATCH_LABELS, MAX_WEIGHT,
};

/// Ranges in the record of one admission: a cluster that declares none has one or two for each Node.
const MAX_RECORDED_CIDRS: usize = 4_096;
/// The policy that is the federation's own.
const DEFAULT_POLICY: &str = "default";

pub fn region(object: &api::Region) -> Converted<Region> {
    let mut check = Check::new("Region", &object.metadata);
    let name = check.name("metadata.name", meta::name(&object.metadata), RegionId::new);
    let list = &object.spec.failover;
    let mut failover: Vec<RegionId> = Vec::new();
    check.losing("it is left out of the order", |check| {
        for (index, text) in check.first("spec.failover", list, MAX_FAILOVER_REGIONS, "regions").iter().enumerate() {
            let field = format!("spec.failover[{index}]");
            match check.name(field.clone(), text, RegionId::new) {
                Some(id) if failover.contains(&id) => {
                    check.report(field, format!("{text:?} again"), "each region once");
                }
                Some(id) => failover.push(id),
                None => {}
            }
        }
    });
    check.finish(name.map(|name| Region { name, failover }))
}

pub fn key_region(meta: &ObjectMeta) -> Option<RegionId> {
    RegionId::new(meta::name(meta)).ok()
}

pub fn member(object: &api::MemberCluster) -> Converted<Member> {
    let mut check = Check::new("MemberCluster", &object.metadata);
    let spec = &object.spec;
    let id = check.name("metadata.name", meta::name(&object.metadata), ClusterId::new);
    let region = check.name("spec.region", &spec.region, RegionId::new);
    let network = spec.network.as_deref().map(|text| check.name("spec.network", text, Network::new));
    let network = network.unwrap_or_else(|| Some(Network::default_network()));
    let cidrs = spec.cidrs.clone().unwrap_or_default();
    let pods = declared(&mut check, "spec.cidrs.pods", cidrs.pods);
    let services = declared(&mut check, "spec.cidrs.services", cidrs.services);
    // What cannot be read allows nothing.
    let exports = spec
        .exports
        .as_ref()
        .map(|exports| check.losing("it allows no namespace", |check| patterns(check, &exports.namespaces)));
    let traffic = match spec.traffic {
        api::Traffic::Active => Traffic::Active,
        api::Traffic::Drained => Traffic::Drained,
    };
    let weight = spec.weight.and_then(|weight| {
        check.losing("it has no weight of its own", |check| self::weight(check, "spec.weight".into(), weight))
    });
    let record = object.status.as_ref().and_then(|status| status.admission.as_ref());
    let recorded = record.map(|record| admission(&mut check, record));
    let created = meta::created(&object.metadata);
    let member = id.zip(region).zip(network).map(|((id, region), network)| Member {
        id,
        region,
        network,
        pods,
        services,
        exports,
        traffic,
        weight,
        created,
        generation: object.metadata.generation.unwrap_or_default(),
        recorded,
    });
    check.finish(member)
}

pub fn key_member(meta: &ObjectMeta) -> Option<ClusterId> {
    ClusterId::new(meta::name(meta)).ok()
}

/// Ranges decide who is admitted and whose an address is: a list that is not wholly right is not used at all.
fn declared(check: &mut Check, field: &str, list: Option<Vec<String>>) -> Option<Vec<ipnet::IpNet>> {
    let list = list?;
    if list.is_empty() {
        check.report(field, "an empty list", "at least one range, or no such field: then they are discovered");
    }
    Some(check.cidrs(field, &list, MAX_CIDRS))
}

fn patterns(check: &mut Check, list: &[String]) -> Vec<NamespacePattern> {
    let field = "spec.exports.namespaces";
    let mut patterns = Vec::new();
    for (index, text) in check.first(field, list, MAX_EXPORT_PATTERNS, "patterns").iter().enumerate() {
        match NamespacePattern::new(text) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => check.report(
                format!("{field}[{index}]"),
                format!("{:?}", error.found),
                "a namespace name, or a prefix ending in one '*'",
            ),
        }
    }
    patterns
}

fn weight(check: &mut Check, field: String, weight: u32) -> Option<u32> {
    check.number(field, i64::from(weight), 1..=i64::from(MAX_WEIGHT))
}

/// A record that cannot be read rejects the object: without it the member could lose its place to a newcomer.
fn admission(check: &mut Check, record: &api::AdmissionRecord) -> Admission {
    if record.uid.is_empty() || record.uid.len() > meta::MAX_UID_LEN {
        let expected = format!("a cluster UID of 1 to {} bytes", meta::MAX_UID_LEN);
        check.report("status.admission.uid", format!("{} bytes", record.uid.len()), expected);
    }
    Admission {
        at: Time::from_unix_ms(record.at.0.as_millisecond()),
        uid: ClusterUid(Arc::from(record.uid.as_str())),
        pods: check.cidrs("status.admission.pods", &record.pods, MAX_RECORDED_CIDRS),
        services: check.cidrs("status.admission.services", &record.services, MAX_RECORDED_CIDRS),
    }
}

pub fn policy(object: &api::FederationPolicy) -> Converted<Policy> {
    let mut check = Check::new("FederationPolicy", &object.metadata);
    let spec = &object.spec;
    let name = meta::checked_subdomain(&mut check, &object.metadata);
    // A label that is left out would make it select more.
    let selects = spec.selects.clone().unwrap_or_default();
    let namespaces = selector(&mut check, "spec.selects.namespaces", selects.namespaces.as_ref());
    let services = selector(&mut check, "spec.selects.services", selects.services.as_ref());
    if name.as_deref() == Some(DEFAULT_POLICY) && namespaces.specificity() + services.specificity() > 0 {
        let expected = "no labels: the policy named \"default\" is the federation's and selects everything";
        check.report("spec.selects", "a selector", expected);
    }
    let federate = match spec.federate {
        api::Federate::Marked => Federate::Marked,
        api::Federate::All => Federate::All,
        api::Federate::None => Federate::None,
    };
    let reserved = check.cidrs("spec.reservedCidrs", &spec.reserved_cidrs, MAX_CIDRS);
    let failover = failover(&mut check, spec.failover.as_ref());
    check.losing("the field is passed over", |check| safety(check, spec));
    let created = meta::created(&object.metadata);
    let strict_cidrs = spec.strict_cidrs;
    let policy =
        name.map(|name| Policy { name, created, namespaces, services, federate, reserved, strict_cidrs, failover });
    check.finish(policy)
}

pub fn key_policy(meta: &ObjectMeta) -> Option<Arc<str>> {
    meta::subdomain(meta)
}

fn selector(check: &mut Check, field: &str, selector: Option<&api::LabelSelector>) -> Selector {
    let field = format!("{field}.matchLabels");
    let labels = selector.map(|selector| meta::pairs(check, &field, &selector.match_labels, MAX_MATCH_LABELS));
    Selector { match_labels: labels.unwrap_or_default() }
}

fn failover(check: &mut Check, failover: Option<&api::Failover>) -> Failover {
    let Some(failover) = failover else { return Failover::default() };
    let tiers = failover.tiers.as_deref().map_or_else(|| Failover::default().tiers, |list| tiers(check, list));
    let field = "spec.failover.clusters";
    let mut clusters = Vec::new();
    let mut names = BTreeSet::new();
    check.losing("the cluster has no weight by this policy", |check| {
        let few = check.first(field, &failover.clusters, MAX_CLUSTER_WEIGHTS, "clusters");
        for (index, entry) in few.iter().enumerate() {
            if !names.insert(&entry.name) {
                check.report(format!("{field}[{index}].name"), format!("{:?} again", entry.name), "each cluster once");
                continue;
            }
            let cluster = check.name(format!("{field}[{index}].name"), &entry.name, ClusterId::new);
            let weight = weight(check, format!("{field}[{index}].weight"), entry.weight);
            clusters.extend(cluster.zip(weight).map(|(cluster, weight)| ClusterWeight { cluster, weight }));
        }
    });
    if let Some(percent) = failover.min_healthy_percent {
        check.losing("the field is passed over", |check| {
            check.number::<u32>("spec.failover.minHealthyPercent", i64::from(percent), 0..=100)
        });
    }
    Failover { tiers, clusters }
}

/// An empty list could be meant to pin a service, so the default is no substitute for it.
fn tiers(check: &mut Check, list: &[api::Tier]) -> Vec<Tier> {
    if list.is_empty() {
        check.report("spec.failover.tiers", "an empty list", "at least one of Cluster, Zone, Region, Ordered, Any");
    }
    let mut tiers = Vec::new();
    for (index, tier) in list.iter().enumerate() {
        let tier = match tier {
            api::Tier::Cluster => Tier::Cluster,
            api::Tier::Zone => Tier::Zone,
            api::Tier::Region => Tier::Region,
            api::Tier::Ordered => Tier::Ordered,
            api::Tier::Any => Tier::Any,
        };
        if tiers.contains(&tier) {
            check.losing("it counts once", |check| {
                check.report(format!("spec.failover.tiers[{index}]"), format!("{tier:?} again"), "each tier once");
            });
        } else {
            tiers.push(tier);
        }
    }
    tiers
}

/// Nothing of it is in effect yet, but what will be must be right now.
fn safety(check: &mut Check, spec: &api::FederationPolicySpec) {
    let Some(safety) = &spec.safety else { return };
    let periods = [
        ("spec.safety.demoteAfter", &safety.demote_after),
        ("spec.safety.withdrawAfter", &safety.withdraw_after),
        ("spec.safety.lossWindow", &safety.loss_window),
    ];
    for (field, text) in periods {
        if let Some(text) = text
            && let Err(error) = text.parse::<api::Period>()
        {
            check.report(field, format!("{text:?}"), error.to_string());
        }
    }
    if let Some(percent) = safety.max_loss_percent {
        check.number::<u32>("spec.safety.maxLossPercent", i64::from(percent), 0..=100);
    }
}
