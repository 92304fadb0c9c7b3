//! Facts in words. Every list is bounded: a thousand clashes are shown as the first few and their number.

use std::fmt::Display;
use std::sync::Arc;

use federation::change::MemberKind;
use federation::model::ClusterId;
use federation::model::Time;
use federation::references::HubNotice;
use federation::report::{
    AddressRefusal, CidrSource, Cidrs, Clash, FamilyConflict, Listed, MemberReport, RangeUse, RefusedAddress,
    UndeclaredRange,
};
use jiff::Timestamp;

use super::notices::notices;
use crate::api::ANNOTATION_TAKE_OVER;
use crate::conditions::progress::Claim;
use crate::foreign::visible;

/// Between the number of mirrors that are not written and why the first of them is not.
pub const LAST_FAILURE: &str = "; the last failure: ";
/// Items named in one message.
const MAX_NAMED: usize = 8;

/// Joins the first few; the rest is counted.
fn some<T: Display>(items: impl ExactSizeIterator<Item = T>) -> String {
    let rest = items.len().saturating_sub(MAX_NAMED);
    let mut text = items.take(MAX_NAMED).map(|item| item.to_string()).collect::<Vec<_>>().join("; ");
    if rest > 0 {
        text.push_str(&format!("; and {rest} more"));
    }
    text
}

pub fn clashes(clashes: &[Clash]) -> String {
    some(clashes.iter().map(clash))
}

fn clash(clash: &Clash) -> String {
    let Clash { mine, my_use, theirs, their_use, with } = clash;
    let (my_use, use_) = (my_use.as_str(), their_use.as_str());
    match with {
        Some(other) => format!("its {my_use} range {mine} overlaps {use_} range {theirs} of member {other}"),
        None if *their_use == RangeUse::Reserved => {
            format!("its {my_use} range {mine} overlaps {theirs}, which a FederationPolicy reserves")
        }
        None => format!("its {my_use} range {mine} overlaps its own {use_} range {theirs}"),
    }
}

/// What is wrong with the addresses that a member offers; empty if nothing is.
pub fn addresses(report: &MemberReport) -> Vec<String> {
    let mut texts = Vec::new();
    if !report.refused.is_empty() {
        let list = some_of(&report.refused, |address| {
            format!("{} of Service {} {}", address.ip, address.service, refusal(address))
        });
        texts.push(format!("endpoints that are not served: {list}"));
    }
    if !report.outside.is_empty() {
        let list = some_of(&report.outside, |address| format!("{} of Service {}", address.ip, address.service));
        texts.push(format!(
            "endpoints that are served although their addresses lie in no declared or discovered range: {list}; declare \
             their range in spec.cidrs.pods, or refuse them with strictCidrs in the FederationPolicy"
        ));
    }
    texts
}

/// Addresses that are not served, one to a line; the first ones only.
pub fn refused_addresses(report: &MemberReport) -> impl Iterator<Item = String> {
    report
        .refused
        .first
        .iter()
        .map(|address| format!("Service {}: endpoint {} {}: not served", address.service, address.ip, refusal(address)))
}

/// Its Region was deleted after it had been admitted.
pub fn region_missing(report: &MemberReport) -> String {
    format!(
        "there is no Region {} any more: it stays admitted, and its clients fail over to the other regions by name; create \
         the Region again",
        report.region
    )
}

/// Where its own objects contradict what is declared.
pub fn undeclared(report: &MemberReport) -> String {
    let list = some_of(&report.undeclared, |UndeclaredRange { used_for, range }| match used_for {
        RangeUse::Services => format!("service range {range} of its ServiceCIDR objects is not in spec.cidrs.services"),
        RangeUse::Pods | RangeUse::Reserved => format!("pod range {range} of its Nodes is not in spec.cidrs.pods"),
    });
    format!(
        "its own objects contradict the declared ranges: {list}; correct spec.cidrs, or leave the list out to have it discovered"
    )
}

/// Kind and name of the object that it is about.
pub fn hub_subject(notice: &HubNotice) -> (&'static str, &str) {
    match notice {
        HubNotice::UnknownRegion { region, .. } => ("Region", region.as_str()),
        HubNotice::UnknownCluster { policy, .. } | HubNotice::Shadowed { policy, .. } => ("FederationPolicy", policy),
    }
}

/// What an object of the hub names that does not exist, or says without an effect: reason and text.
pub fn hub_notice(notice: &HubNotice) -> (&'static str, String) {
    match notice {
        HubNotice::UnknownRegion { named, .. } => {
            let text = format!(
                "spec.failover names Region {named}, which does not exist: it is passed over; create it, or take it off the list"
            );
            ("UnknownRegion", text)
        }
        HubNotice::UnknownCluster { named, .. } => {
            let text = format!(
                "spec.failover.clusters names MemberCluster {named}, which does not exist: its weight has no effect; create it, or take it off the list"
            );
            ("UnknownCluster", text)
        }
        HubNotice::Shadowed { by, .. } => {
            let text = format!(
                "FederationPolicy {by} selects the same and is older: only the reserved ranges of this one have an effect; give it other selectors, or delete one of the two"
            );
            ("Shadowed", text)
        }
    }
}

fn refusal(address: &RefusedAddress) -> String {
    match &address.why {
        AddressRefusal::InRangeOf(owner) => format!("lies in a range of member {owner}"),
        AddressRefusal::AlsoOfferedBy(other) => format!(
            "lies in no declared or discovered range and is offered by member {other} too (served from neither: declare its \
             range in spec.cidrs.pods of the one that it belongs to)"
        ),
        AddressRefusal::VirtualIp => "lies in its own service range (a virtual IP is no pod)".to_owned(),
        AddressRefusal::Loopback => "is a loopback address".to_owned(),
        AddressRefusal::OutsideRanges => "lies in no declared or discovered range (strictCidrs)".to_owned(),
    }
}

/// As [`some`], of a list that was cut already.
fn some_of<T>(listed: &Listed<T>, text: impl Fn(&T) -> String) -> String {
    let named: Vec<String> = listed.first.iter().take(MAX_NAMED).map(text).collect();
    match listed.total.saturating_sub(named.len()) {
        0 => named.join("; "),
        rest => format!("{}; and {rest} more", named.join("; ")),
    }
}

pub fn family_conflict(conflict: &FamilyConflict) -> String {
    let FamilyConflict { service, mine, theirs, with } = conflict;
    format!(
        "Service {service}: IPFamilyConflict: it is {mine} here and {theirs} in member {with}, whose export is the oldest: \
         clients with one of the two families reach one of the two members only; give both Services a family in common"
    )
}

pub fn ranges(cidrs: &Cidrs) -> String {
    let list = |ranges: &[ipnet::IpNet], source: CidrSource| {
        let source = match source {
            CidrSource::Unknown => "unknown",
            CidrSource::Declared => "declared",
            CidrSource::Discovered => "discovered",
        };
        if ranges.is_empty() { source.to_owned() } else { format!("{} ({source})", some(ranges.iter())) }
    };
    let pods = list(&cidrs.pods, cidrs.pods_source);
    let services = list(&cidrs.services, cidrs.services_source);
    format!("pod ranges {pods}, service ranges {services}")
}

/// What works, but not as one might expect.
pub fn notes(report: &MemberReport) -> Vec<String> {
    let headless = report.counts.headless_mirrors;
    let headless = (headless > 0).then(|| {
        format!(
            "headless mirrors: {headless}; their names resolve to no address here, because EndpointSlices are not \
             mirrored in this version; proxies and gRPC clients of a control plane get their endpoints"
        )
    });
    let strangers = (!report.strangers.is_empty()).then(|| {
        format!(
            "Services that carry the label isthmus.dev/mirror but were not written by this hub, such as copies and \
             restored backups of another hub: {}; they are not exported, not changed, and no mirror is written in their \
             place; delete them, or take the label off to export them",
            some(report.strangers.iter())
        )
    });
    headless.into_iter().chain(strangers).chain(notices(report)).collect()
}

/// Another hub writes into the member, and how to change that.
pub fn held(member: &ClusterId, claim: &Claim) -> String {
    format!(
        "another hub (kube-system UID {}) writes mirrors into this cluster, so this one writes nothing there; delete its \
         MemberCluster in one of the two hubs, or take it over: kubectl annotate --overwrite membercluster {member} \
         {ANNOTATION_TAKE_OVER}={claim}",
        claim.hub
    )
}

/// Mirrored objects that differ from what they should be, and why the first of them was not written.
pub fn mirrors_pending(count: usize, error: Option<&str>) -> String {
    let error = error.map_or_else(String::new, |error| format!("{LAST_FAILURE}{error}"));
    format!("mirrored objects to be written: {count}{error}")
}

pub fn spec_problems(problems: &[String]) -> String {
    some(problems.iter())
}

/// Kinds that cannot be read, and what that means.
pub fn unreadable(kinds: &[(MemberKind, Arc<str>)]) -> String {
    let one = |(kind, message): &(MemberKind, Arc<str>)| {
        let stays = match kind {
            MemberKind::Nodes => "pod ranges on record stay in force",
            MemberKind::ServiceCidrs => "service ranges on record stay in force",
            _ => "what is known of them stays in use",
        };
        format!("{} cannot be read, and {stays}: {message}", kind.plural())
    };
    some(kinds.iter().map(one))
}

/// Whole seconds; times out of range become the epoch.
pub fn timestamp(time: Time) -> Timestamp {
    Timestamp::from_second(time.unix_ms.div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// With milliseconds.
pub fn precise_timestamp(time: Time) -> Timestamp {
    Timestamp::from_millisecond(time.unix_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// One line of at most so many characters, in which nothing is hidden.
pub fn bounded(text: &str, max: usize) -> String {
    let text = visible(text);
    if text.chars().count() <= max {
        return text.into_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}
