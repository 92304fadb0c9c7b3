//! Whether the state that was kept incrementally equals one that is computed from scratch, for a live process.
//!
//! Fresh stages decide everything again from the same hub, store, admissions and knowledge, and their results are compared with
//! those of the engine. So this finds what the incremental stages missed; a mistake in a decision itself is made twice and not
//! found, which is what the naive rebuild of the tests is for. What depends on history (who was admitted first, what is known since
//! the start) is taken as it is.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::Engine;
use crate::stages::hub::HubChange;
use crate::stages::knowledge::KnowledgeChange;
use crate::stages::membership::MembershipChange;
use crate::stages::mirrors::{self, Mirrors};
use crate::stages::reports::Reports;
use crate::stages::services::{self, Services};
use crate::stages::vips::{self, VipTable};
use crate::store::StoreChange;

/// Violations of one invariant that are named.
pub const MAX_EXAMPLES: usize = 10;

/// One invariant, checked over the whole state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvariantCheck {
    /// What was compared, such as `merged services`.
    pub name: &'static str,
    /// How many there are, in the engine or in the fresh result.
    pub compared: usize,
    /// How many of them differ.
    pub violations: usize,
    /// The first [`MAX_EXAMPLES`] of them: what it is, and how it differs.
    pub examples: Vec<String>,
}

/// Checks all invariants. Costs about as much as the first round of a process, O(everything). Empty as long as the hub's lists are
/// not complete, because nothing is decided until then.
pub fn check(engine: &Engine) -> Vec<InvariantCheck> {
    if !engine.hub.is_listed() {
        return Vec::new();
    }
    let fresh = Fresh::of(engine);
    let services =
        |services: &Services| services.merged().iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    let rankings =
        |services: &Services| services.rankings().iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    let reports =
        |reports: &Reports| reports.reports().iter().map(|(id, value)| (id.to_string(), value.clone())).collect();
    vec![
        compare("merged services", services(&engine.services), services(&fresh.services)),
        compare("rankings", rankings(&engine.services), rankings(&fresh.services)),
        compare("virtual IPs", by_member(engine.vips.by_member()), by_member(fresh.vips.by_member())),
        compare("mirror actions", by_member(engine.mirrors.actions()), by_member(fresh.mirrors.actions())),
        compare("member reports", reports(&engine.reports), reports(&fresh.reports)),
    ]
}

/// The stages whose state follows from the others', computed from scratch.
struct Fresh {
    services: Services,
    vips: VipTable,
    mirrors: Mirrors,
    reports: Reports,
}

impl Fresh {
    fn of(engine: &Engine) -> Self {
        let Engine { hub, store, membership, knowledge, .. } = engine;
        // As if everything had changed in this round.
        let members = hub.members().keys().cloned().collect();
        let of_hub = HubChange { any: true, completed: true, selection: true, members, ..HubChange::default() };
        let mut of_store = StoreChange::default();
        store.all_changed(&mut of_store);
        let admissions = membership.admitted().cloned().collect();
        let of_membership = MembershipChange { judged: true, admissions, topology: None };
        let of_knowledge = KnowledgeChange::default();

        let mut services = Services::default();
        let earlier = services::Earlier { hub, store, membership };
        let of_services = services.update(&of_hub, &of_store, &of_membership, earlier);
        let mut vips = VipTable::default();
        let earlier = vips::Earlier { store, membership, knowledge, services: &services };
        vips.update(&of_store, &of_membership, &of_knowledge, &of_services, earlier);
        let mut mirrors = engine.mirrors.empty();
        let changes = mirrors::Changes {
            hub: &of_hub,
            store: &of_store,
            membership: &of_membership,
            knowledge: &of_knowledge,
            services: &of_services,
        };
        let earlier = mirrors::Earlier { hub, store, membership, knowledge, services: &services };
        let of_mirrors = mirrors.update(changes, earlier);
        let mut reports = engine.reports.empty();
        reports.update(changes, &of_mirrors, earlier, &mirrors);
        Self { services, vips, mirrors, reports }
    }
}

/// Tables of members as one table.
fn by_member<'a, I, T, K, V>(tables: &'a BTreeMap<I, T>) -> BTreeMap<String, V>
where
    I: std::fmt::Display,
    &'a T: IntoIterator<Item = (&'a K, &'a V)>,
    K: std::fmt::Display + 'a,
    V: Clone + 'a,
{
    let rows = |(id, table): (&'a I, &'a T)| {
        table.into_iter().map(move |(key, value)| (format!("{id}: {key}"), value.clone()))
    };
    tables.iter().flat_map(rows).collect()
}

fn compare<V: PartialEq>(name: &'static str, kept: BTreeMap<String, V>, fresh: BTreeMap<String, V>) -> InvariantCheck {
    let missed = fresh.keys().filter(|key| !kept.contains_key(*key)).map(|key| format!("{key}: missing in the engine"));
    let different = kept.iter().filter_map(|(key, value)| match fresh.get(key) {
        Some(other) if other == value => None,
        Some(_) => Some(format!("{key}: the engine has another value")),
        None => Some(format!("{key}: only in the engine")),
    });
    let mut violations = different.chain(missed);
    let examples: Vec<String> = violations.by_ref().take(MAX_EXAMPLES).collect();
    let violations = examples.len() + violations.count();
    let only_fresh = fresh.keys().filter(|key| !kept.contains_key(*key)).count();
    InvariantCheck { name, compared: kept.len() + only_fresh, violations, examples }
}
