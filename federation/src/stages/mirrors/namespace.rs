//! Namespaces in members: each in which a federated service is. Isthmus makes what is missing, and deletes none.

use std::sync::Arc;

use super::earlier::Earlier;
use crate::desired::{Action, Desired, Key, MirrorNamespace};
use crate::model::{HelmRelease, Namespace, ServiceKey};
use crate::store::ClusterState;

/// The action for a Namespace in an admitted, listed member.
pub(super) fn plan(name: &Namespace, state: &ClusterState, earlier: Earlier<'_>) -> Action {
    if state.namespaces.contains_key(name) || !earlier.services.names().contains_key(name) {
        return Action::Leave(Key::Namespace(name.clone()));
    }
    let helm = release(name, earlier).cloned();
    Action::Apply(Desired::Namespace(MirrorNamespace { name: name.clone(), helm }))
}

/// Whether it should be in an admitted, listed member, whatever is there now. `None`: that is not known, or Isthmus does not
/// decide it.
pub(super) fn is_desired(name: &Namespace, state: &ClusterState, earlier: Earlier<'_>) -> Option<bool> {
    match earlier.services.names().contains_key(name) {
        // A Namespace that exists may hold objects that are not Isthmus's.
        false if state.namespaces.contains_key(name) || !earlier.all_are_fresh() => None,
        desired => Some(desired),
    }
}

/// The Helm release of the Namespace in the cluster of the oldest export of its first service, by name.
fn release<'a>(namespace: &Namespace, earlier: Earlier<'a>) -> Option<&'a Arc<HelmRelease>> {
    let name = earlier.services.names().get(namespace)?.first()?;
    let key = ServiceKey { namespace: namespace.clone(), name: Arc::clone(name) };
    let oldest = earlier.services.merged().get(&key)?.sources.first()?;
    earlier.store.get(oldest)?.namespaces.get(namespace)?.helm.as_ref()
}
