//! Which clusters are admitted. **Refuse the newcomer, never disturb members.**
//!
//! A member that is admitted stays admitted with the ranges on record in the [`Ledger`]; other ranges that it uses are checked like
//! a newcomer's, and refused without touching its membership. Newcomers are judged in the order of their creation.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::cidr::Claims;
use crate::life_cycle::Joining;
use crate::model::{Admission, ClusterId, ClusterUid, Member, Network, RegionId, Time};
use crate::report::{Cidrs, Clash, PendingReason, RangeUse, Refusal};

/// Which process decides about admission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    /// This one: the hub's controller, or a process that reads a folder.
    #[default]
    Own,
    /// Another one; only admissions on record count. Regional control planes follow the hub in this way, so that all
    /// replicas agree about newcomers that clash with each other.
    Recorded,
}

/// Admissions that hold: the only state of the engine that depends on history, and therefore kept on record.
pub(crate) type Ledger = BTreeMap<ClusterId, Admission>;

/// What is known of a member when it is judged.
pub(crate) struct Candidate<'a> {
    pub member: &'a Member,
    pub uid: Option<&'a ClusterUid>,
    pub uses: &'a Cidrs,
}

/// The rules around the candidates.
pub(crate) struct Rules<'a> {
    pub regions: &'a BTreeSet<RegionId>,
    pub reserved: &'a [IpNet],
    pub authority: Authority,
}

/// Why the ranges that admitted members use now are refused, by member.
pub(crate) type Drifts = BTreeMap<ClusterId, Vec<Clash>>;

/// Updates the ledger by the members and their records, oldest admission first.
pub(crate) fn honour_records(members: &BTreeMap<ClusterId, Member>, rules: &Rules<'_>, ledger: &mut Ledger) {
    let own = rules.authority == Authority::Own;
    // A process that follows records keeps no admission of its own: what is not on record is not admitted.
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
        // A record that contradicts an older one was not written by Isthmus; its member is judged like a newcomer.
        let twice = ledger.values().any(|other| other.uid == admission.uid);
        let clash = network.clashes(&admission.pods, &admission.services).iter().any(|clash| clash.with.is_some());
        if !own || !(twice || clash) {
            network.add_admission(id, admission);
            ledger.insert(id.clone(), admission.clone());
        }
    }
}

/// Lets admitted members move to the ranges that they use now, where these do not clash. One member's new ranges may clash with,
/// or make room for, an older one's: to be repeated until the ledger stays as it is. Returns the clashes.
pub(crate) fn judge_incumbents(
    candidates: &BTreeMap<ClusterId, Candidate<'_>>,
    rules: &Rules<'_>,
    ledger: &mut Ledger,
) -> Drifts {
    let mut drifts = Drifts::new();
    if rules.authority == Authority::Recorded {
        return drifts; // the ranges on record hold
    }
    let mut claims = claims(candidates.iter().map(|(id, candidate)| (id, candidate.member)), rules, ledger);
    let mut incumbents: Vec<(Time, Time, ClusterId)> = ledger
        .iter()
        .filter_map(|(id, admission)| Some((admission.at, candidates.get(id)?.member.created, id.clone())))
        .collect();
    incumbents.sort();
    for (_, _, id) in incumbents {
        let (Some(candidate), Some(admission)) = (candidates.get(&id), ledger.get_mut(&id)) else { continue };
        let claims = claims.entry(candidate.member.network.clone()).or_insert_with(|| reserved_claims(rules.reserved));
        let clashes = judge_incumbent(&id, candidate, admission, claims);
        if !clashes.is_empty() {
            drifts.insert(id, clashes);
        }
    }
    drifts
}

/// Judges all members that are not in the ledger, in the order of their creation, and enters those that are admitted. Returns why
/// the others are not.
pub(crate) fn judge_newcomers(
    candidates: &BTreeMap<ClusterId, Candidate<'_>>,
    rules: &Rules<'_>,
    ledger: &mut Ledger,
    now: Time,
) -> BTreeMap<ClusterId, Joining> {
    let mut claims = claims(candidates.iter().map(|(id, candidate)| (id, candidate.member)), rules, ledger);
    let mut newcomers: Vec<(&ClusterId, &Candidate<'_>)> =
        candidates.iter().filter(|(id, _)| !ledger.contains_key(id)).collect();
    newcomers.sort_by_key(|(id, candidate)| (candidate.member.created, *id));
    let mut joining = BTreeMap::new();
    for (id, candidate) in newcomers {
        let claims = claims.entry(candidate.member.network.clone()).or_insert_with(|| reserved_claims(rules.reserved));
        let why_not = match (rules.authority, judge_newcomer(candidate, rules, ledger, claims)) {
            (Authority::Recorded, Ok(_)) => Joining::Pending(PendingReason::AwaitingDecision),
            (_, Err(why_not)) => why_not,
            (Authority::Own, Ok(uid)) => {
                let Cidrs { pods, services, .. } = candidate.uses.clone();
                let admission = Admission { at: now, uid, pods, services };
                claims.add_admission(id, &admission);
                ledger.insert(id.clone(), admission);
                continue;
            }
        };
        joining.insert(id.clone(), why_not);
    }
    joining
}

/// The ranges in each network that admitted members hold, or that are reserved.
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

/// Returns the clashes that keep it from moving to the ranges that it uses.
fn judge_incumbent(
    id: &ClusterId,
    candidate: &Candidate<'_>,
    admission: &mut Admission,
    claims: &mut Claims,
) -> Vec<Clash> {
    let uses = candidate.uses;
    let known = !uses.pods.is_empty() && !uses.services.is_empty();
    claims.remove_admission(id, admission);
    let clashes = if known { claims.clashes(&uses.pods, &uses.services) } else { Vec::new() };
    if known && clashes.is_empty() {
        admission.pods.clone_from(&uses.pods);
        admission.services.clone_from(&uses.services);
    }
    claims.add_admission(id, admission);
    clashes
}

/// `Ok`: it may be admitted, with this identity.
fn judge_newcomer(
    candidate: &Candidate<'_>,
    rules: &Rules<'_>,
    ledger: &Ledger,
    claims: &Claims,
) -> Result<ClusterUid, Joining> {
    let Candidate { member, uid, uses } = candidate;
    if !rules.regions.contains(&member.region) {
        return Err(Joining::Refused(Refusal::UnknownRegion));
    }
    if let Some((of, _)) = uid.and_then(|uid| ledger.iter().find(|(_, admission)| admission.uid == *uid)) {
        return Err(Joining::Refused(Refusal::DuplicateCluster { of: of.clone() }));
    }
    // Clashes of known ranges are reported at once, even while other facts are still missing.
    let clashes: Vec<Clash> = claims.clashes(&uses.pods, &uses.services);
    if !clashes.is_empty() {
        return Err(Joining::Refused(Refusal::CidrOverlap(clashes)));
    }
    let Some(uid) = uid else { return Err(Joining::Pending(PendingReason::IdentityUnknown)) };
    let (pods, services) = (uses.pods.is_empty(), uses.services.is_empty());
    if pods || services {
        return Err(Joining::Pending(PendingReason::CidrsUnknown { pods, services }));
    }
    Ok((*uid).clone())
}
