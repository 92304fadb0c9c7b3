//! Who takes part, told as a row of voices: the first that says anything decides.

use std::collections::{BTreeMap, BTreeSet};

use super::Oracle;
use super::facts::Told;
use crate::model::{ClusterId, Federate, Labels, Member, Merged, Owner, Service, ServiceKey, ServiceKind};
use crate::report::{NotExported, Notable, Notice, Subject};

/// `Some(true)`: take part; `Some(false)`: do not; `None`: the label does not say.
fn says(labels: &Labels) -> Option<bool> {
    let value = labels.get("isthmus.dev/federate")?;
    if value == "true" {
        return Some(true);
    }
    matches!(value.to_lowercase().as_str(), "false" | "no" | "off" | "0" | "n" | "disabled").then_some(false)
}

impl Oracle {
    /// Why a member's own Service does not take part; `None`: it does.
    pub(super) fn why_not(&self, member: &Member, told: &Told, service: &Service) -> Option<NotExported> {
        let namespace = service.key.namespace.as_str();
        let policy = self.policy_of(told, service);
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
        self.unmarked(told, service)
    }

    /// What is against it if only marks and the policy's default are asked.
    fn unmarked(&self, told: &Told, service: &Service) -> Option<NotExported> {
        let exported = told.objects.exports.iter().any(|export| export.key == service.key);
        let own = says(&service.labels);
        let veto = (own == Some(false)).then_some((false, NotExported::MarkedFalse { on_namespace: false }));
        let all = self.policy_of(told, service).federate == Federate::All;
        let yes = |is: bool| is.then_some((true, NotExported::NotMarked));
        let outer = says(&told.labels_of(&service.key.namespace));
        let outer = outer.map(|yes| (yes, NotExported::MarkedFalse { on_namespace: true }));
        let voices = [veto, yes(exported), yes(own == Some(true)), outer, Some((all, NotExported::NotMarked))];
        let (takes_part, why) = voices.into_iter().flatten().next()?;
        (!takes_part).then_some(why)
    }

    /// Whether the owner of a Service that does not take part should hear of it.
    fn is_surprising(&self, told: &Told, service: &Service, why: &NotExported) -> bool {
        let exported = told.objects.exports.iter().any(|export| export.key == service.key);
        let own = says(&service.labels);
        match why {
            NotExported::NotMarked => false,
            NotExported::MarkedFalse { .. } => exported,
            NotExported::Derived { .. } => self.unmarked(told, service).is_none(),
            _ if own.is_none() => exported || says(&told.labels_of(&service.key.namespace)) == Some(true),
            _ => exported || own == Some(true),
        }
    }

    /// All notices, by member.
    pub(super) fn notices(&self, merged: &BTreeMap<ServiceKey, Merged>) -> BTreeMap<ClusterId, BTreeSet<Notice>> {
        let mut all: BTreeMap<ClusterId, BTreeSet<Notice>> = BTreeMap::new();
        for member in &self.members {
            let Some(told) = self.told.get(&member.id) else { continue };
            let notices = all.entry(member.id.clone()).or_default();
            for object in &told.objects.namespaces {
                let subject = Subject::Namespace(object.name.clone());
                notices.extend(object.hint.iter().map(|hint| misspelt(subject.clone(), hint)));
            }
            for service in &told.objects.services {
                let subject = Subject::Service(service.key.clone());
                notices.extend(service.hint.iter().map(|hint| misspelt(subject.clone(), hint)));
            }
            if self.ledger.contains_key(&member.id) && told.is_known() {
                notices.extend(self.notices_of_services(member, told, merged));
            }
        }
        all
    }

    fn notices_of_services(&self, member: &Member, told: &Told, merged: &BTreeMap<ServiceKey, Merged>) -> Vec<Notice> {
        let is_mirror =
            |service: &Service| matches!(service.owner, Owner::Mirror(_) | Owner::Restored(_) | Owner::Lookalike);
        let own: Vec<&Service> = told.objects.services.iter().filter(|service| !is_mirror(service)).collect();
        let mut notices = Vec::new();
        for service in &own {
            let Some(why) = self.why_not(member, told, service) else { continue };
            let exporter = merged.get(&service.key).map(|merged| merged.sources[0].clone());
            let what = match exporter {
                Some(exporter) => Notable::KeptLocal { why, exporter },
                None if self.is_surprising(told, service, &why) => Notable::NotExported(why),
                None => continue,
            };
            notices.push(Notice { subject: Subject::Service(service.key.clone()), what });
        }
        for export in &told.objects.exports {
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
