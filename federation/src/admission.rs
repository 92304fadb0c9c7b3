//! May a cluster take part? **Refuse the newcomer, never disturb members.**
//!
//! Who is admitted stays admitted with the ranges on record in the [`Ledger`]; what it wants beyond that is checked like
//! a newcomer's wish, and refused without touching its membership. Newcomers are tried in the order of their creation.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::cidr::Claims;
use crate::model::{Admission, ClusterId, ClusterUid, Member, Network, RegionId, Time};
use crate::report::{Cidrs, Clash, PendingReason, RangeUse, Refusal, Verdict};

/// Who decides about admission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    /// This engine: the hub's controller, or whoever reads a folder.
    #[default]
    Own,
    /// Somebody else; only admissions on record count. Regional control planes follow the hub in this way, so that all
    /// replicas agree about newcomers that clash with each other.
    Recorded,
}

/// Admissions that hold: the only state of the engine that depends on history, and therefore kept on record.
pub(crate) type Ledger = BTreeMap<ClusterId, Admission>;

/// What is known of a member when it is judged.
pub(crate) struct Candidate<'a> {
    pub member: &'a Member,
    pub uid: Option<&'a ClusterUid>,
    pub wants: &'a Cidrs,
}

/// The rules around the candidates.
pub(crate) struct Rules<'a> {
    pub regions: &'a BTreeSet<RegionId>,
    pub reserved: &'a [IpNet],
    pub authority: Authority,
}

pub(crate) struct Decision {
    pub verdicts: BTreeMap<ClusterId, Verdict>,
    pub claims: BTreeMap<Network, Claims>,
}

/// Judges every member and brings the ledger up to date. O(members · ranges); runs only when a range, an identity, a
/// region or a rule changed, never for endpoints.
pub(crate) fn decide(
    candidates: &BTreeMap<ClusterId, Candidate<'_>>,
    rules: &Rules<'_>,
    ledger: &mut Ledger,
    now: Time,
) -> Decision {
    let mut verdicts = BTreeMap::new();
    let mut claims = honour_records(candidates, rules, ledger);
    let order = |id: &&ClusterId, at: Time| (at, candidates.get(*id).map(|c| c.member.created), (*id).clone());

    let mut incumbents: Vec<ClusterId> = ledger.keys().cloned().collect();
    incumbents.sort_by_key(|id| order(&id, ledger.get(id).map(|admission| admission.at).unwrap_or_default()));
    for id in incumbents {
        let (Some(candidate), Some(admission)) = (candidates.get(&id), ledger.get_mut(&id)) else { continue };
        let claims = claims.entry(candidate.member.network.clone()).or_insert_with(|| reserved_claims(rules.reserved));
        let verdict = match rules.authority {
            Authority::Own => judge_incumbent(&id, candidate, admission, claims),
            Authority::Recorded => Verdict::Admitted,
        };
        verdicts.insert(id, verdict);
    }

    let mut newcomers: Vec<&ClusterId> = candidates.keys().filter(|id| !ledger.contains_key(id)).collect();
    newcomers.sort_by_key(|id| order(id, Time::default()));
    for id in newcomers {
        let Some(candidate) = candidates.get(id) else { continue };
        let claims = claims.entry(candidate.member.network.clone()).or_insert_with(|| reserved_claims(rules.reserved));
        let verdict = match (rules.authority, judge_newcomer(candidate, rules, ledger, claims)) {
            (Authority::Recorded, Ok(_)) => Verdict::Pending(PendingReason::AwaitingDecision),
            (_, Err(verdict)) => verdict,
            (Authority::Own, Ok(uid)) => {
                let Cidrs { pods, services, .. } = candidate.wants.clone();
                let admission = Admission { at: now, uid, pods, services };
                claims.add_admission(id, &admission);
                ledger.insert(id.clone(), admission);
                Verdict::Admitted
            }
        };
        verdicts.insert(id.clone(), verdict);
    }
    Decision { verdicts, claims }
}

/// Brings the ledger in line with who is a member and with what is on record, oldest admission first.
fn honour_records(
    candidates: &BTreeMap<ClusterId, Candidate<'_>>,
    rules: &Rules<'_>,
    ledger: &mut Ledger,
) -> BTreeMap<Network, Claims> {
    let own = rules.authority == Authority::Own;
    // Whoever follows keeps nothing of its own: what is not on record is not admitted.
    ledger.retain(|id, _| own && candidates.contains_key(id));
    let mut claims: BTreeMap<Network, Claims> = BTreeMap::new();
    for (id, admission) in ledger.iter() {
        if let Some(candidate) = candidates.get(id) {
            let network =
                claims.entry(candidate.member.network.clone()).or_insert_with(|| reserved_claims(rules.reserved));
            network.add_admission(id, admission);
        }
    }
    let mut records: Vec<(&ClusterId, &Member, &Admission)> = candidates
        .iter()
        .filter(|(id, _)| !ledger.contains_key(id))
        .filter_map(|(id, candidate)| Some((id, candidate.member, candidate.member.recorded.as_ref()?)))
        .collect();
    records.sort_by_key(|(id, member, admission)| (admission.at, member.created, (*id).clone()));
    for (id, member, admission) in records {
        let network = claims.entry(member.network.clone()).or_insert_with(|| reserved_claims(rules.reserved));
        // A record that contradicts an older one was not written by us; its member is judged like a newcomer.
        let twice = ledger.values().any(|other| other.uid == admission.uid);
        let clash = network.clashes(&admission.pods, &admission.services).iter().any(|clash| clash.with.is_some());
        if !own || !(twice || clash) {
            network.add_admission(id, admission);
            ledger.insert(id.clone(), admission.clone());
        }
    }
    claims
}

fn reserved_claims(reserved: &[IpNet]) -> Claims {
    let mut claims = Claims::default();
    for range in reserved {
        claims.add(None, RangeUse::Reserved, *range);
    }
    claims
}

fn judge_incumbent(
    id: &ClusterId,
    candidate: &Candidate<'_>,
    admission: &mut Admission,
    claims: &mut Claims,
) -> Verdict {
    let wants = candidate.wants;
    let known = !wants.pods.is_empty() && !wants.services.is_empty();
    claims.remove_admission(id, admission);
    let clashes = if known { claims.clashes(&wants.pods, &wants.services) } else { Vec::new() };
    if known && clashes.is_empty() {
        admission.pods.clone_from(&wants.pods);
        admission.services.clone_from(&wants.services);
    }
    claims.add_admission(id, admission);
    if clashes.is_empty() { Verdict::Admitted } else { Verdict::AdmittedWithDrift(clashes) }
}

/// `Ok`: nothing speaks against it.
fn judge_newcomer(
    candidate: &Candidate<'_>,
    rules: &Rules<'_>,
    ledger: &Ledger,
    claims: &Claims,
) -> Result<ClusterUid, Verdict> {
    let Candidate { member, uid, wants } = candidate;
    if !rules.regions.contains(&member.region) {
        return Err(Verdict::Refused(Refusal::UnknownRegion));
    }
    if let Some((of, _)) = uid.and_then(|uid| ledger.iter().find(|(_, admission)| admission.uid == *uid)) {
        return Err(Verdict::Refused(Refusal::DuplicateCluster { of: of.clone() }));
    }
    // Clashes of what is known are told at once, even while something else is still missing.
    let clashes: Vec<Clash> = claims.clashes(&wants.pods, &wants.services);
    if !clashes.is_empty() {
        return Err(Verdict::Refused(Refusal::CidrOverlap(clashes)));
    }
    let Some(uid) = uid else { return Err(Verdict::Pending(PendingReason::IdentityUnknown)) };
    let (pods, services) = (wants.pods.is_empty(), wants.services.is_empty());
    if pods || services {
        return Err(Verdict::Pending(PendingReason::CidrsUnknown { pods, services }));
    }
    Ok((*uid).clone())
}
