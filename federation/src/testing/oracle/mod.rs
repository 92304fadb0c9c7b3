//! The same decisions a second time, from nothing, the slow way. The oracle keeps what was reported in plain lists and computes
//! everything again for each question: no index, no trie, no set of changes, no stage that stops early. It
//! shares the model's types with the engine, and no code. One thing depends on history and is therefore kept: the ledger
//! of admissions.

mod admission;
mod facts;
mod hosts;
mod members;
mod mirrors;
mod ranges;
mod services;
mod taking_part;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Published;
use crate::change::{Batch, Change, Delta, HubChanges};
use crate::model::{Admission, ClusterId, Digest, Member, Namespace, Network, Policy, Region, Time};
use crate::report::Verdict;
use crate::{Authority, Awaits, Config};
use facts::{Reported, apply_delta};

/// What was reported, and which members are admitted.
#[derive(Clone, Debug)]
pub struct Oracle {
    authority: Authority,
    awaits: Awaits,
    own_namespace: Namespace,
    hub: Option<Digest>,
    regions: Vec<Region>,
    members: Vec<Member>,
    policies: Vec<Policy>,
    hub_listed: BTreeSet<&'static str>,
    reported: BTreeMap<ClusterId, Reported>,
    /// Each admission with the network it was granted for.
    ledger: BTreeMap<ClusterId, (Admission, Network)>,
    verdicts: BTreeMap<ClusterId, Verdict>,
}

impl Oracle {
    pub fn new(config: Config) -> Self {
        Self {
            authority: config.authority,
            awaits: config.awaits,
            own_namespace: config.own_namespace,
            hub: config.hub,
            regions: Vec::new(),
            members: Vec::new(),
            policies: Vec::new(),
            hub_listed: BTreeSet::new(),
            reported: BTreeMap::new(),
            ledger: BTreeMap::new(),
            verdicts: BTreeMap::new(),
        }
    }

    /// One round: the batches, then admission.
    pub fn round(&mut self, batches: &[Batch], now: Time) {
        for batch in batches {
            self.apply(batch, now);
        }
        if self.hub_is_listed() {
            self.judge(now);
        }
    }

    /// Everything that should be visible now.
    pub fn expected(&self) -> Published {
        if !self.hub_is_listed() {
            return Published::default(); // nothing is decided by a part of the rules
        }
        let services = self.merged();
        let merged = services.iter().map(|(key, (merged, ..))| (key.clone(), merged.clone())).collect();
        let rankings = services.iter().map(|(key, (_, found))| (key.clone(), found.rule.clone())).collect();
        let mirror_work = self.mirror_work(&merged);
        let found: Vec<_> = services.into_values().map(|(_, found)| found).collect();
        let reports = self.reports(&merged, &mirror_work, &found);
        Published {
            vips: self.vips(&merged),
            topology: self.topology(),
            synced: self.unknown().is_empty(),
            unknown: self.unknown(),
            hub_notices: self.hub_notices(),
            merged,
            rankings,
            mirror_work,
            reports,
        }
    }

    /// A member as it is, with the admission that holds put on record, as the hub does after each round.
    pub fn on_record(&self, id: &ClusterId) -> Option<Member> {
        let member = self.member(id)?.clone();
        Some(Member { recorded: self.ledger.get(id).map(|(admission, _)| admission.clone()), ..member })
    }

    fn apply(&mut self, batch: &Batch, now: Time) {
        match batch {
            Batch::Hub(HubChanges::Regions(delta)) => {
                self.list("regions", delta.is_full());
                apply_delta(&mut self.regions, delta);
            }
            Batch::Hub(HubChanges::Policies(delta)) => {
                self.list("policies", delta.is_full());
                apply_delta(&mut self.policies, delta);
            }
            Batch::Hub(HubChanges::Members(delta)) => {
                self.list("members", delta.is_full());
                self.apply_members(delta);
            }
            Batch::Member { cluster, epoch, changes } => {
                let admitted = match self.authority {
                    Authority::Own => self.ledger.get(cluster).map(|(admission, _)| admission.uid.clone()),
                    Authority::Recorded => {
                        self.member(cluster).and_then(|member| Some(member.recorded.as_ref()?.uid.clone()))
                    }
                };
                if let Some(reported) = self.reported.get_mut(cluster) {
                    reported.apply(*epoch, changes, admitted.as_ref(), now);
                }
            }
        }
    }

    fn list(&mut self, what: &'static str, is_full: bool) {
        if is_full {
            self.hub_listed.insert(what);
        }
    }

    /// One change after the other: a member that is removed and added again is a new member, of which nothing is known.
    fn apply_members(&mut self, delta: &Delta<Member>) {
        let steps = match delta {
            Delta::Full { .. } => vec![delta.clone()],
            Delta::Partial(changes) => {
                changes.iter().map(|change: &Change<Member>| Delta::Partial(vec![change.clone()])).collect()
            }
        };
        for step in steps {
            apply_delta(&mut self.members, &step);
            let members: BTreeSet<ClusterId> = self.members.iter().map(|member| member.id.clone()).collect();
            self.reported.retain(|id, _| members.contains(id));
            self.ledger.retain(|id, _| members.contains(id));
            for id in members {
                self.reported.entry(id).or_default();
            }
        }
    }

    fn member(&self, id: &ClusterId) -> Option<&Member> {
        self.members.iter().find(|member| member.id == *id)
    }

    fn hub_is_listed(&self) -> bool {
        self.hub_listed.len() == 3
    }

    fn is_fresh(&self, id: &ClusterId) -> bool {
        self.reported.get(id).is_some_and(|reported| reported.is_up() && reported.is_listed())
    }

    fn text(text: &str) -> Arc<str> {
        Arc::from(text)
    }
}
