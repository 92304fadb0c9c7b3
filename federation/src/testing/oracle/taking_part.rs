//! Which Services take part, as a list of rules: the first that applies decides.

use std::collections::{BTreeMap, BTreeSet};

use super::Oracle;
use super::facts::Reported;
use crate::model::{ClusterId, Federate, Labels, Member, Merged, Owner, Service, ServiceKey, ServiceKind};
use crate::report::{NotExported, Notable, Notice, Subject};

/// `Some(true)`: take part; `Some(false)`: do not; `None`: there is no such label, or it has another value.
fn label_of(labels: &Labels) -> Option<bool> {
    let value = labels.get("isthmus.dev/federate")?;
    if value == "true" {
        return Some(true);
    }
    matches!(value.to_lowercase().as_str(), "false" | "no" | "off" | "0" | "n" | "disabled").then_some(false)
}

impl Oracle {
    /// Why a member's own Service does not take part; `None`: it does.
    pub(super) fn why_not(&self, member: &Member, reported: &Reported, service: &Service) -> Option<NotExported> {
        let namespace = service.key.namespace.as_str();
        let policy = self.policy_of(reported, service);
        let system = ["kube-system", "kube-public", "kube-node-lease", "isthmus-system", self.own_namespace.as_str()];
        if system.contains(&namespace) || service.key.to_string() == "default/kubernetes" {
            return Some(NotExported::System);
        }
        if let Some(by) = service.derived_by {
            return Some(NotExported::Derived { by });
        }
        if service.kind == ServiceKind::ExternalName {
            return Some(NotExported::ExternalName);
        }
        if service.node_local {
            return Some(NotExported::NodeLocal);
        }
        if let Some(list) = &member.exports
            && list.iter().all(|entry| !entry.matches(namespace))
        {
            return Some(NotExported::NotInExports);
        }
        if policy.federate == Federate::None {
            return Some(NotExported::PolicyExcludes { policy: policy.name });
        }
        self.unmarked(reported, service)
    }

    /// Why it does not take part, by marks and the policy's default alone.
    fn unmarked(&self, reported: &Reported, service: &Service) -> Option<NotExported> {
        let exported = reported.objects.exports.iter().any(|export| export.key == service.key);
        let own = label_of(&service.labels);
        let veto = (own == Some(false)).then_some((false, NotExported::MarkedFalse { on_namespace: false }));
        let all = self.policy_of(reported, service).federate == Federate::All;
        let yes = |is: bool| is.then_some((true, NotExported::NotMarked));
        let outer = label_of(&reported.labels_of(&service.key.namespace));
        let outer = outer.map(|yes| (yes, NotExported::MarkedFalse { on_namespace: true }));
        let rules = [veto, yes(exported), yes(own == Some(true)), outer, Some((all, NotExported::NotMarked))];
        let (takes_part, why) = rules.into_iter().flatten().next()?;
        (!takes_part).then_some(why)
    }

    /// Whether it is reported to the owner of a Service that it does not take part.
    fn is_surprising(&self, reported: &Reported, service: &Service, why: &NotExported) -> bool {
        let exported = reported.objects.exports.iter().any(|export| export.key == service.key);
        let own = label_of(&service.labels);
        match why {
            NotExported::NotMarked => false,
            NotExported::MarkedFalse { .. } => exported,
            NotExported::Derived { .. } => self.unmarked(reported, service).is_none(),
            _ if own.is_none() => exported || label_of(&reported.labels_of(&service.key.namespace)) == Some(true),
            _ => exported || own == Some(true),
        }
    }

    /// All notices, by member.
    pub(super) fn notices(&self, merged: &BTreeMap<ServiceKey, Merged>) -> BTreeMap<ClusterId, BTreeSet<Notice>> {
        let mut all: BTreeMap<ClusterId, BTreeSet<Notice>> = BTreeMap::new();
        for member in &self.members {
            let Some(reported) = self.reported.get(&member.id) else { continue };
            let notices = all.entry(member.id.clone()).or_default();
            for object in &reported.objects.namespaces {
                let subject = Subject::Namespace(object.name.clone());
                notices.extend(object.hint.iter().map(|hint| misspelt(subject.clone(), hint)));
            }
            for service in &reported.objects.services {
                let subject = Subject::Service(service.key.clone());
                notices.extend(service.hint.iter().map(|hint| misspelt(subject.clone(), hint)));
            }
            if self.ledger.contains_key(&member.id) && reported.is_known() {
                notices.extend(self.notices_of_services(member, reported, merged));
            }
        }
        all
    }

    fn notices_of_services(
        &self,
        member: &Member,
        reported: &Reported,
        merged: &BTreeMap<ServiceKey, Merged>,
    ) -> Vec<Notice> {
        let is_mirror =
            |service: &Service| matches!(service.owner, Owner::Mirror(_) | Owner::Restored(_) | Owner::Lookalike);
        let own: Vec<&Service> = reported.objects.services.iter().filter(|service| !is_mirror(service)).collect();
        let mut notices = Vec::new();
        for service in &own {
            let Some(why) = self.why_not(member, reported, service) else { continue };
            let exporter = merged.get(&service.key).map(|merged| merged.sources[0].clone());
            let what = match exporter {
                Some(exporter) => Notable::KeptLocal { why, exporter },
                None if self.is_surprising(reported, service, &why) => Notable::NotExported(why),
                None => continue,
            };
            notices.push(Notice { subject: Subject::Service(service.key.clone()), what });
        }
        for export in &reported.objects.exports {
            if own.iter().all(|service| service.key != export.key) {
                notices.push(Notice { subject: Subject::Service(export.key.clone()), what: Notable::NoService });
            }
        }
        notices
    }
}

fn misspelt(subject: Subject, hint: &std::sync::Arc<str>) -> Notice {
    Notice { subject, what: Notable::Misspelt(hint.clone()) }
}
