//! What the owners of a member's Services should know, in words: what was found, and what to do about it.

use federation::MAX_HOSTS;
use federation::model::ClusterId;
use federation::report::{Listed, MemberReport, NotExported, Notable, Notice, Subject};

use crate::api::LABEL_FEDERATE;

/// One line for each notice, and one for those that are not named.
pub fn notices(report: &MemberReport) -> Vec<String> {
    let Listed { total, first } = &report.notices;
    let mut lines: Vec<String> = first.iter().map(|notice| line(&report.id, notice)).collect();
    let rest = total.saturating_sub(first.len());
    if rest > 0 {
        lines.push(format!("and {rest} more"));
    }
    lines
}

fn line(member: &ClusterId, notice: &Notice) -> String {
    let subject = match &notice.subject {
        Subject::Namespace(name) => format!("Namespace {name}"),
        Subject::Service(key) => format!("Service {key}"),
    };
    match &notice.what {
        Notable::KeptLocal { why, exporter } => {
            let (why, remedy) = reason(member, why);
            format!(
                "{subject} is not exported here ({why}) although {exporter} exports it: callers in {member} keep its own \
                 pods; {remedy}, or rename it"
            )
        }
        Notable::NotExported(why) => {
            let (why, remedy) = reason(member, why);
            format!("{subject} is marked for export and not exported: {why}; {remedy}")
        }
        Notable::NoService => {
            let key = subject.trim_start_matches("Service ");
            format!(
                "ServiceExport {key} exports nothing: {member} has no Service {key} of its own; create it, or delete the \
                 ServiceExport"
            )
        }
        Notable::Misspelt(hint) => format!("{subject}: {hint}"),
        Notable::TooManyHosts { left_out } => format!(
            "{subject} has more hosts (ports times endpoints, over all clusters) than the {MAX_HOSTS} that are served of a \
             service: {left_out} of {member} are left out; give it fewer ports, or split it"
        ),
    }
}

/// Why a Service is not exported, and what would change that.
fn reason(member: &ClusterId, why: &NotExported) -> (String, String) {
    match why {
        NotExported::NotMarked => {
            ("it is not marked".to_owned(), format!("label it {LABEL_FEDERATE}=true to export it"))
        }
        NotExported::MarkedFalse { on_namespace } => {
            let whose = if *on_namespace { "its Namespace's label" } else { "its label" };
            (
                format!("{whose} {LABEL_FEDERATE} says no"),
                format!("label the Service {LABEL_FEDERATE}=true to export it"),
            )
        }
        NotExported::NotInExports => (
            "its Namespace is not in the member's export list".to_owned(),
            format!("add it to spec.exports.namespaces of MemberCluster {member}"),
        ),
        NotExported::PolicyExcludes { policy } => (
            format!("FederationPolicy {policy} selects it and federates None"),
            "change that policy, or make one that selects it more closely".to_owned(),
        ),
        NotExported::ExternalName => (
            "an ExternalName Service has no endpoints of its own".to_owned(),
            "export the Service that it leads to instead".to_owned(),
        ),
        NotExported::NodeLocal => (
            "spec.internalTrafficPolicy Local means endpoints of the client's own Node, which has none in other clusters"
                .to_owned(),
            "set it to Cluster to export it".to_owned(),
        ),
        NotExported::System => (
            "its Namespace belongs to Kubernetes or to Isthmus itself".to_owned(),
            "move it to another Namespace to export it".to_owned(),
        ),
        NotExported::Derived { by } => {
            (format!("{by} made it out of another cluster's Service"), "export that one where it is".to_owned())
        }
    }
}
