//! Who is admitted. Runs after every round, whether or not anything changed that matters to it: judging the same facts
//! again must change nothing.

use crate::Authority;
use crate::model::{Admission, ClusterId, Member, Network, Time};
use crate::report::{Cidrs, PendingReason, Refusal, Verdict};

use super::Oracle;

impl Oracle {
    pub(super) fn judge(&mut self, now: Time) {
        let on_record = |member: &Member| Some((member.id.clone(), (member.recorded.clone()?, member.network.clone())));
        match self.authority {
            Authority::Recorded => self.ledger = self.members.iter().filter_map(on_record).collect(),
            Authority::Own => {
                // An admission is for a network: a member that moves is a newcomer in the other network.
                let members = self.members.clone();
                let stays =
                    |id: &ClusterId, network: &Network| members.iter().any(|m| m.id == *id && m.network == *network);
                self.ledger.retain(|id, (_, network)| stays(id, network));
            }
        }
        loop {
            let before = self.ledger.clone();
            if self.authority == Authority::Own {
                self.honour_records();
            }
            self.disown_strangers(now);
            if self.authority == Authority::Own {
                self.adopt_desired_ranges();
            }
            if self.ledger == before {
                break;
            }
        }
        let mut by_age = self.members.clone();
        by_age.sort_by(|a, b| a.created.cmp(&b.created).then(a.id.cmp(&b.id)));
        for member in by_age.iter().filter(|member| !self.ledger.contains_key(&member.id)).collect::<Vec<_>>() {
            self.judge_newcomer(member, now);
        }
        // Only now is it known who is in whose way.
        self.verdicts.clear();
        for member in by_age {
            let verdict = match self.ledger.contains_key(&member.id) {
                true => self.incumbent_verdict(&member.id),
                false => self.judge_newcomer(&member, now),
            };
            self.verdicts.insert(member.id, verdict);
        }
    }

    /// In the order of their admission.
    fn incumbents(&self) -> Vec<ClusterId> {
        let mut ids: Vec<_> =
            self.ledger.iter().map(|(id, (admission, _))| (admission.at, self.created(id), id.clone())).collect();
        ids.sort();
        ids.into_iter().map(|(_, _, id)| id).collect()
    }

    fn created(&self, id: &ClusterId) -> Time {
        self.member(id).map(|member| member.created).unwrap_or_default()
    }

    fn honour_records(&mut self) {
        let mut records: Vec<(Time, Time, ClusterId)> = Vec::new();
        for member in self.members.iter().filter(|member| !self.ledger.contains_key(&member.id)) {
            if let Some(record) = &member.recorded {
                records.push((record.at, member.created, member.id.clone()));
            }
        }
        records.sort();
        for (_, _, id) in records {
            let Some(member) = self.member(&id).cloned() else { continue };
            let Some(record) = member.recorded.clone() else { continue };
            let twice = self.ledger.values().any(|(other, _)| other.uid == record.uid);
            let in_the_way = self.clashes(&member, &record.pods, &record.services);
            if !twice && in_the_way.iter().all(|clash| clash.with.is_none()) {
                self.ledger.insert(id, (record, member.network));
            }
        }
    }

    fn disown_strangers(&mut self, now: Time) {
        for (id, (admission, _)) in &self.ledger {
            if let Some(reported) = self.reported.get_mut(id)
                && reported.uid.as_ref().is_some_and(|uid| *uid != admission.uid)
            {
                reported.disown(&admission.uid, now);
            }
        }
    }

    fn adopt_desired_ranges(&mut self) {
        for id in self.incumbents() {
            let Some(member) = self.member(&id).cloned() else { continue };
            let Cidrs { pods, services, .. } = self.wants(&member);
            let known = !pods.is_empty() && !services.is_empty();
            if known
                && self.clashes(&member, &pods, &services).is_empty()
                && let Some((admission, _)) = self.ledger.get_mut(&id)
            {
                (admission.pods, admission.services) = (pods, services);
            }
        }
    }

    fn incumbent_verdict(&self, id: &ClusterId) -> Verdict {
        let Some(member) = self.member(id) else { return Verdict::Admitted };
        let Cidrs { pods, services, .. } = self.wants(member);
        if self.authority == Authority::Recorded || pods.is_empty() || services.is_empty() {
            return Verdict::Admitted;
        }
        match self.clashes(member, &pods, &services) {
            clashes if clashes.is_empty() => Verdict::Admitted,
            clashes => Verdict::AdmittedWithDrift(clashes),
        }
    }

    fn judge_newcomer(&mut self, member: &Member, now: Time) -> Verdict {
        if !self.regions.iter().any(|region| region.name == member.region) {
            return Verdict::Refused(Refusal::UnknownRegion);
        }
        let uid = self.reported.get(&member.id).and_then(|reported| reported.uid.clone());
        if let Some(uid) = &uid
            && let Some((of, _)) = self.ledger.iter().find(|(_, (admission, _))| admission.uid == *uid)
        {
            return Verdict::Refused(Refusal::DuplicateCluster { of: of.clone() });
        }
        let Cidrs { pods, services, .. } = self.wants(member);
        let clashes = self.clashes(member, &pods, &services);
        if !clashes.is_empty() {
            return Verdict::Refused(Refusal::CidrOverlap(clashes));
        }
        let Some(uid) = uid else { return Verdict::Pending(PendingReason::IdentityUnknown) };
        if pods.is_empty() || services.is_empty() {
            let (pods, services) = (pods.is_empty(), services.is_empty());
            return Verdict::Pending(PendingReason::CidrsUnknown { pods, services });
        }
        if self.authority == Authority::Recorded {
            return Verdict::Pending(PendingReason::AwaitingDecision);
        }
        let admission = Admission { at: now, uid, pods, services };
        self.ledger.insert(member.id.clone(), (admission, member.network.clone()));
        Verdict::Admitted
    }
}
