//! What the engine promises, checked from outside: batches in, effects and state out.

mod addresses;
mod admission;
mod cidr;
mod cost;
mod explain;
mod families;
mod identity;
mod kept_local;
mod knowledge;
mod last_resort;
mod limits;
mod loss;
mod memory;
mod merge;
mod mirror;

mod product;
mod property;
mod random;
mod ranking;
mod references;
mod selection;
mod zones;

use std::fmt::Write as _;

use crate::change::{Batch, Epoch, LinkChange, LinkFailure, MemberChanges};
use crate::desired::{Action, Desired, Key};
use crate::model::Merged;
use crate::report::{Clash, PendingReason, Refusal, Verdict};
use crate::testing::make;
use crate::{Effects, Engine};

/// One change of one kind in one member, on the given connection.
fn from_member(cluster: &str, epoch: u64, changes: MemberChanges) -> Batch {
    Batch::Member { cluster: make::cluster(cluster), epoch: Epoch(epoch), changes }
}

fn down(cluster: &str, epoch: u64) -> Batch {
    let down = LinkChange::Down { reason: LinkFailure::Unreachable, message: "no answer".into() };
    from_member(cluster, epoch, MemberChanges::Link(down))
}

fn up(cluster: &str, epoch: u64, uid: &str) -> Batch {
    from_member(cluster, epoch, MemberChanges::Link(LinkChange::Up { uid: make::uid(uid), version: "v1.36.0".into() }))
}

/// A member's verdict as text: `refused: pod 10.0.0.0/16 x pod 10.0.0.0/15 of eu-1`.
fn verdict(engine: &Engine, cluster: &str) -> String {
    let Some(report) = engine.reports().get(&make::cluster(cluster)) else { return "no member".to_owned() };
    let clashes = |list: &[Clash]| list.iter().map(clash).collect::<Vec<_>>().join(", ");
    match &report.admission {
        Verdict::Admitted => "admitted".to_owned(),
        Verdict::AdmittedWithDrift(list) => format!("drift: {}", clashes(list)),
        Verdict::Refused(Refusal::CidrOverlap(list)) => format!("refused: {}", clashes(list)),
        Verdict::Refused(Refusal::DuplicateCluster { of }) => format!("refused: same as {of}"),
        Verdict::Refused(Refusal::UnknownRegion) => "refused: unknown region".to_owned(),
        Verdict::Pending(PendingReason::IdentityUnknown) => "pending: identity".to_owned(),
        Verdict::Pending(PendingReason::CidrsUnknown { pods, services }) => {
            format!("pending: pods unknown={pods}, services unknown={services}")
        }
        Verdict::Pending(PendingReason::AwaitingDecision) => "pending: decision".to_owned(),
    }
}

fn clash(clash: &Clash) -> String {
    let Clash { mine, my_use, theirs, their_use, with } = clash;
    let mut text = format!("{} {mine} x {} {theirs}", my_use.as_str(), their_use.as_str());
    if let Some(with) = with {
        let _ = write!(text, " of {with}");
    }
    text
}

fn merged<'a>(engine: &'a Engine, key: &str) -> &'a Merged {
    engine.merged().get(&make::key(key)).unwrap_or_else(|| panic!("{key} is not merged"))
}

/// Ports and hosts as text: `http:80/TCP eu-1/z1 10.0.0.1:8080! | ...`, `!` not ready, `~` draining, `#` ended.
fn hosts(engine: &Engine, key: &str) -> String {
    let mut ports = Vec::new();
    for port in &merged(engine, key).ports {
        let mut text = format!("{}:{}/{}", port.name, port.port, port.protocol.as_str());
        for backend in &port.backends {
            let _ = write!(text, " {}/{}", backend.cluster, backend.zone.as_ref().map_or("-", |zone| zone.as_str()));
            for (host, second) in backend.hosts() {
                let second = second.map(|ip| format!("+{ip}")).unwrap_or_default();
                let _ = write!(text, " {}{second}{}", host.address(), health(host.health));
            }
        }
        ports.push(text);
    }
    ports.join(" | ")
}

fn health(health: crate::model::Health) -> &'static str {
    match health {
        crate::model::Health::Ready => "",
        crate::model::Health::Draining => "~",
        crate::model::Health::NotReady => "!",
        crate::model::Health::Ended => "#",
    }
}

/// What is still to be done in a member, as text, sorted.
fn work(engine: &Engine, cluster: &str) -> Vec<String> {
    let work = engine.mirror_work().get(&make::cluster(cluster));
    work.into_iter().flatten().map(|(key, action)| action_text(key, action)).collect()
}

fn action_text(key: &Key, action: &Action) -> String {
    assert_eq!(&action.key(), key);
    let name = match key {
        Key::Namespace(namespace) => namespace.to_string(),
        Key::Service(key) => key.to_string(),
    };
    match action {
        Action::Leave(_) => format!("leave {name}"),
        Action::Release(_) => format!("release {name}"),
        Action::Delete { uid, resource_version, .. } => format!("delete {name} ({uid}, {resource_version})"),
        Action::Apply(Desired::Namespace(namespace)) => {
            format!("apply namespace {name}{}", release_text(namespace.helm.as_deref()))
        }
        Action::Apply(Desired::Service(service)) => {
            let mut text = format!("apply {name}");
            if service.headless {
                text.push_str(" headless");
            }
            for port in &service.ports {
                let _ = write!(text, " {}:{}/{}", port.name, port.port, port.protocol.as_str());
            }
            let sources: Vec<&str> = service.sources.iter().map(crate::model::ClusterId::as_str).collect();
            format!("{text} for {}{}", sources.join(" "), release_text(service.helm.as_deref()))
        }
    }
}

fn release_text(helm: Option<&crate::model::HelmRelease>) -> String {
    helm.map_or_else(String::new, |helm| format!(" of release {}/{}", helm.namespace, helm.name))
}

/// Nothing but members' reports changed.
fn only_reports(effects: &Effects) -> bool {
    let Effects { services, vips, topology, mirrors, .. } = effects;
    services.is_empty() && vips.is_empty() && topology.is_none() && mirrors.is_empty()
}
