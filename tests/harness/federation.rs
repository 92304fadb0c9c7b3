//! A hub and its members, all real, with the rights that the product's own manifests give.

use std::path::PathBuf;

use futures::future::join_all;
use tempfile::TempDir;
use tokio::sync::SemaphorePermit;

use super::isthmus::{Isthmus, Source, manifests, write};
use super::member::Member;
use super::{objects, slots};
use crate::testbed::{Cluster, ClusterSpec};

/// Clusters that belong together. Nothing of the product runs until a test starts it.
pub struct Federation {
    pub hub: Cluster,
    members: Vec<Member>,
    folder: TempDir,
    // Last: others may start clusters when ours are gone.
    _slots: SemaphorePermit<'static>,
}

impl Federation {
    /// A hub with definitions and roles, and members with their roles; none has joined. A member's id is
    /// `<region>-<number>`.
    pub async fn start(ids: &[&str]) -> Self {
        let slots = slots::of_clusters(ids.len() + 1).await;
        let hub = async {
            let hub = Cluster::start(ClusterSpec::named("hub").without_controllers()).await;
            hub.apply(&manifests("crds").await).await;
            hub.apply(&manifests("hub-rbac").await).await;
            hub
        };
        let members = join_all((1..).zip(ids).map(|(number, id)| Member::start(id, number)));
        let (hub, members) = futures::join!(hub, members);
        let folder = tempfile::Builder::new().prefix("isthmus-federation-").tempdir().expect("make a folder");
        let federation = Self { hub, members, folder, _slots: slots };
        for account in ["isthmus-controller", "isthmus-region"] {
            let token = federation.hub.token_of("isthmus-system", account).await;
            write(federation.folder.path(), account, &federation.hub.kubeconfig_with(account, &token));
        }
        federation
    }

    /// The same, with the Regions and all members joined. They become ready once a controller runs.
    pub async fn joined(ids: &[&str]) -> Self {
        let federation = Self::start(ids).await;
        federation.add_regions().await;
        for id in ids {
            federation.join(id).await;
        }
        federation
    }

    /// A Region for each region of the members; each fails over to the others by name.
    pub async fn add_regions(&self) {
        let mut regions: Vec<&str> = self.members.iter().map(|member| member.region.as_str()).collect();
        regions.sort_unstable();
        regions.dedup();
        for region in &regions {
            let others: Vec<&str> = regions.iter().copied().filter(|other| other != region).collect();
            self.hub.apply(&objects::region(region, &others)).await;
        }
    }

    /// Secret and `MemberCluster` with declared ranges.
    pub async fn join(&self, id: &str) {
        self.add_secret(id).await;
        self.hub.apply(&self.member(id).declared()).await;
    }

    pub async fn add_secret(&self, id: &str) {
        self.hub.apply(&objects::secret(id, "kubeconfig", &self.member(id).kubeconfig)).await;
    }

    pub fn member(&self, id: &str) -> &Member {
        self.members.iter().find(|member| member.id == id).unwrap_or_else(|| panic!("no member {id}"))
    }

    pub fn member_mut(&mut self, id: &str) -> &mut Member {
        self.members.iter_mut().find(|member| member.id == id).unwrap_or_else(|| panic!("no member {id}"))
    }

    pub fn ids(&self) -> Vec<&str> {
        self.members.iter().map(|member| member.id.as_str()).collect()
    }

    /// A kubeconfig of the hub with the rights of `isthmus-controller` or `isthmus-region`.
    pub fn hub_kubeconfig(&self, account: &str) -> PathBuf {
        self.folder.path().join(account)
    }

    /// A controller, leading and ready.
    pub async fn controller(&self) -> Isthmus {
        let mut controller = Isthmus::controller(&self.hub_kubeconfig("isthmus-controller"));
        controller.wait_ready().await;
        controller
    }

    /// A region's control plane, ready.
    pub async fn region(&self, region: &str) -> Isthmus {
        let mut region = Isthmus::region(region, Source::Hub(&self.hub_kubeconfig("isthmus-region")));
        region.wait_ready().await;
        region
    }

    /// Waits until every member is ready.
    pub async fn all_ready(&self) {
        join_all(self.members.iter().map(|member| self.until_ready(&member.id))).await;
    }

    /// A file that lives as long as the federation.
    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        write(self.folder.path(), name, content)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
