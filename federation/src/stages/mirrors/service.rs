//! Services in members: a mirror of each federated service where the member has none of its own. The plan for one is in
//! [`crate::mirror`]; here it is decided whether it is certain.

use super::earlier::Earlier;
use crate::desired::{Action, Key};
use crate::mirror::{self, Backed};
use crate::model::{Digest, Namespace, Owner, ServiceKey};
use crate::packed::PackedService;
use crate::store::ClusterState;

/// The action for a Service in an admitted, listed member, and whether it is an orphan. `hub`: the identity that mirrors carry.
/// `all_are_fresh`: the answer to [`Earlier::all_are_fresh`], once it was needed.
pub(super) fn plan(
    key: &ServiceKey,
    state: &ClusterState,
    hub: Option<Digest>,
    earlier: Earlier<'_>,
    all_are_fresh: &mut Option<bool>,
) -> (Action, bool) {
    let leave = || (Action::Leave(Key::Service(key.clone())), false);
    if state.namespaces.get(&key.namespace).is_some_and(|namespace| namespace.terminating) {
        return leave(); // nothing can be created there, and everything in it is deleted anyway
    }
    let found = state.services.get(key);
    let plan = mirror::plan_service(backed(key, earlier), found, hub);
    if plan.is_apply() && found.is_some_and(|found| earlier.knowledge.awaits_source(found)) {
        return leave(); // made for a member that is not known now: what is missing in the plan may be its part
    }
    let is_orphan = plan.is_orphan();
    let certain = is_orphan && {
        let all = *all_are_fresh.get_or_insert_with(|| earlier.all_are_fresh());
        all && sources_are_fresh(found, earlier) && state.is_fresh()
    };
    (plan.action(Key::Service(key.clone()), certain), is_orphan)
}

/// Whether it should be in an admitted, listed member, whatever is there now. `None`: that is not known.
pub(super) fn is_desired(key: &ServiceKey, state: &ClusterState, earlier: Earlier<'_>) -> Option<bool> {
    match (earlier.services.merged().get(key), state.services.get(key)) {
        (None, _) => earlier.all_are_fresh().then_some(false),
        (Some(_), found) => Some(found.is_none_or(PackedService::is_mirror)),
    }
}

/// What is in a member and does not belong to a user.
pub(super) fn found(state: &ClusterState) -> impl Iterator<Item = Key> {
    let mirrors = state.services.values().filter(|service| service.owner != Owner::User);
    mirrors.map(|service| Key::Service(service.key.clone()))
}

/// What is in a Namespace of a member.
pub(super) fn found_in(state: &ClusterState, namespace: &Namespace) -> impl Iterator<Item = Key> {
    let names = state.service_names.get(namespace).into_iter().flatten();
    names.map(|name| Key::Service(ServiceKey { namespace: namespace.clone(), name: name.clone() }))
}

fn backed<'a>(key: &ServiceKey, earlier: Earlier<'a>) -> Option<Backed<'a>> {
    let merged = earlier.services.merged().get(key)?;
    let oldest = merged.sources.first().and_then(|id| earlier.store.get(id)?.services.get(key));
    Some(Backed { merged, helm: oldest.and_then(|service| service.helm.as_ref()) })
}

/// Every cluster that the object names as its source is connected and completely listed, unless it is no longer a member.
fn sources_are_fresh(found: Option<&PackedService>, earlier: Earlier<'_>) -> bool {
    let Some(mark) = found.and_then(PackedService::mark) else { return true };
    mark.sources.iter().filter_map(|id| earlier.store.get(id)).all(ClusterState::is_fresh)
}
