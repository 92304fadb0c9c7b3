//! What changed in the members' objects.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::model::{ClusterId, Namespace, ServiceKey};

/// What one batch changed in one member.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClusterChange {
    /// Services whose merge may have another result now.
    pub services: BTreeSet<ServiceKey>,
    /// Of these, the ones whose Service object itself changed: VIPs and mirrors depend on it, but not on endpoints.
    pub objects: BTreeSet<ServiceKey>,
    pub namespaces: BTreeSet<Namespace>,
    /// Addresses that became, or ceased to be, those of a Node.
    pub addresses: BTreeSet<IpAddr>,
    /// A hint was added, removed or changed.
    pub hints: bool,
    /// Services, and Namespaces, that belong to another Helm release than before.
    pub releases: BTreeSet<ServiceKey>,
    pub namespace_releases: BTreeSet<Namespace>,
    /// Ranges or identity: admission must be judged again.
    pub admission: bool,
    /// The link's state, or which kinds are listed.
    pub link: bool,
}

/// What one round changed in the objects of all members.
#[derive(Debug, Default)]
pub(crate) struct StoreChange {
    /// Services whose merge may have another result now.
    pub services: BTreeSet<ServiceKey>,
    /// Service objects that changed.
    pub objects: BTreeSet<(ClusterId, ServiceKey)>,
    /// Services that were dropped together with all objects of their member.
    pub dropped: BTreeSet<(ClusterId, ServiceKey)>,
    pub namespaces: BTreeSet<(ClusterId, Namespace)>,
    /// Addresses that became, or ceased to be, those of a member's Node.
    pub addresses: BTreeSet<(ClusterId, IpAddr)>,
    /// Services, and Namespaces, that belong to another Helm release in at least one member.
    pub releases: BTreeSet<ServiceKey>,
    pub namespace_releases: BTreeSet<Namespace>,
    /// Members whose hints or number of mirrors may have changed.
    pub contents: BTreeSet<ClusterId>,
    /// Members whose link or lists changed: everything in them is planned again.
    pub links: BTreeSet<ClusterId>,
    /// Ranges or identity of a member: admission must be judged again.
    pub admission: bool,
}

impl StoreChange {
    pub(super) fn add(&mut self, cluster: &ClusterId, change: ClusterChange) {
        let ClusterChange {
            services,
            objects,
            namespaces,
            addresses,
            hints,
            releases,
            namespace_releases,
            admission,
            link,
        } = change;
        self.services.extend(services);
        if hints || !objects.is_empty() {
            self.contents.insert(cluster.clone());
        }
        self.objects.extend(objects.into_iter().map(|key| (cluster.clone(), key)));
        self.namespaces.extend(namespaces.into_iter().map(|namespace| (cluster.clone(), namespace)));
        self.addresses.extend(addresses.into_iter().map(|ip| (cluster.clone(), ip)));
        self.releases.extend(releases);
        self.namespace_releases.extend(namespace_releases);
        self.admission |= admission;
        if link {
            self.links.insert(cluster.clone());
        }
    }

    /// All objects of a member were dropped: these are the services that it had or exported.
    pub(super) fn drop_objects(&mut self, cluster: &ClusterId, services: BTreeSet<ServiceKey>) {
        self.dropped.extend(services.iter().map(|key| (cluster.clone(), key.clone())));
        self.services.extend(services);
    }
}
