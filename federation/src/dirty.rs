//! What one round has to look at again.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::effects::MirrorKey;
use crate::model::{ClusterId, Namespace, ServiceKey};
use crate::store::Touched;

#[derive(Debug, Default)]
pub(crate) struct Dirty {
    /// To be merged again.
    pub services: BTreeSet<ServiceKey>,
    pub all_services: bool,
    /// Merged services that changed in more than their endpoints.
    pub changed_faces: BTreeSet<ServiceKey>,
    /// Services, and Namespaces, of which some member's belongs to another Helm release now.
    pub releases: BTreeSet<ServiceKey>,
    pub namespace_releases: BTreeSet<Namespace>,
    pub vips: BTreeSet<(ClusterId, ServiceKey)>,
    pub namespaces: BTreeSet<(ClusterId, Namespace)>,
    /// Addresses that became, or ceased to be, those of a member's Node.
    pub addresses: BTreeSet<(ClusterId, IpAddr)>,
    pub mirrors: BTreeSet<(ClusterId, MirrorKey)>,
    /// Members that entered, left or were listed anew: everything in them is planned again.
    pub faces: BTreeSet<ClusterId>,
    /// To be reported again.
    pub members: BTreeSet<ClusterId>,
    /// A link, a list or the hub changed: what was in doubt may be certain now, or the other way round.
    pub links: bool,
    pub admission: bool,
    /// Regions, members or policies.
    pub hub: bool,
}

impl Dirty {
    pub fn add(&mut self, cluster: ClusterId, touched: Touched) {
        let Touched { services, objects, namespaces, releases, namespace_releases, addresses, hints, admission, link } =
            touched;
        self.releases.extend(releases);
        self.namespace_releases.extend(namespace_releases);
        self.services.extend(services);
        if hints || !objects.is_empty() {
            self.members.insert(cluster.clone()); // the hints, and how many mirrors stand in it
        }
        self.addresses.extend(addresses.into_iter().map(|ip| (cluster.clone(), ip)));
        for key in objects {
            self.vips.insert((cluster.clone(), key.clone()));
            self.mirrors.insert((cluster.clone(), MirrorKey::Service(key)));
        }
        self.namespaces.extend(namespaces.into_iter().map(|namespace| (cluster.clone(), namespace)));
        self.admission |= admission;
        if link {
            self.links = true;
            self.faces.insert(cluster.clone());
            self.members.insert(cluster);
        }
    }
}
