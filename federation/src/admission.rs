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

/// Verdicts by member, as far as they were reached.
pub(crate) type Verdicts = BTreeMap<ClusterId, Verdict>;

/// Brings the ledger in line with who is a member and with what is on record, oldest admission first.
pub(crate) fn honour_records(members: &BTreeMap<ClusterId, Member>, rules: &Rules<'_>, ledger: &mut Ledger) {
    let own = rules.authority == Authority::Own;
    // Whoever follows keeps nothing of its own: what is not on record is not admitted.
    ledger.retain(|id, _| own && members.contains_key(id));
    let mut claims = claims(members, rules, ledger);
    let mut records: Vec<(&ClusterId, &Member, &Admission)> = members
        .iter()
        .filter(|(id, _)| !ledger.contains_key(id))
        .filter_map(|(id, member)| Some((id, member, member.recorded.as_ref()?)))
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
}

/// Lets those who are admitted move to the ranges they want now, where nothing speaks against it. One member's new ranges
/// may be in the way of, or make way for, an older one's: to be repeated until the ledger stays as it is.
pub(crate) fn judge_incumbents(
    candidates: &BTreeMap<ClusterId, Candidate<'_>>,
    rules: &Rules<'_>,
    ledger: &mut Ledger,
) -> Verdicts {
    let mut claims = claims(candidates.iter().map(|(id, candidate)| (id, candidate.member)), rules, ledger);
    let mut incumbents: Vec<(Time, Time, ClusterId)> = ledger
        .iter()
        .filter_map(|(id, admission)| Some((admission.at, candidates.get(id)?.member.created, id.clone())))
        .collect();
    incumbents.sort();
    let mut verdicts = Verdicts::new();
    for (_, _, id) in incumbents {
        let (Some(candidate), Some(admission)) = (candidates.get(&id), ledger.get_mut(&id)) else { continue };
        let claims = claims.entry(candidate.member.network.clone()).or_insert_with(|| reserved_claims(rules.reserved));
        let verdict = match rules.authority {
            Authority::Own => judge_incumbent(&id, candidate, admission, claims),
            Authority::Recorded => Verdict::Admitted,
        };
        verdicts.insert(id, verdict);
    }
    verdicts
}

/// Judges all who are not in the ledger, in the order of their creation, and enters those who are admitted.
pub(crate) fn judge_newcomers(
    candidates: &BTreeMap<ClusterId, Candidate<'_>>,
    rules: &Rules<'_>,
    ledger: &mut Ledger,
    now: Time,
) -> Verdicts {
    let mut claims = claims(candidates.iter().map(|(id, candidate)| (id, candidate.member)), rules, ledger);
    let mut newcomers: Vec<(&ClusterId, &Candidate<'_>)> =
        candidates.iter().filter(|(id, _)| !ledger.contains_key(id)).collect();
    newcomers.sort_by_key(|(id, candidate)| (candidate.member.created, *id));
    let mut verdicts = Verdicts::new();
    for (id, candidate) in newcomers {
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
    verdicts
}

/// What is claimed in each network by those who are admitted, and by reservation.
pub(crate) fn claims<'a>(
    members: impl IntoIterator<Item = (&'a ClusterId, &'a Member)>,
    rules: &Rules<'_>,
    ledger: &Ledger,
) -> BTreeMap<Network, Claims> {
    let mut claims = BTreeMap::new();
    for (id, member) in members {
        if let Some(admission) = ledger.get(id) {
            let network = claims.entry(member.network.clone()).or_insert_with(|| reserved_claims(rules.reserved));
            network.add_admission(id, admission);
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
