//! A member cluster as the federation sees it: its place, its ranges, and a credential with the least rights.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::Api;
use kube::api::ListParams;

use super::isthmus::manifests;
use super::{SOON, objects};
use crate::testbed::{Cluster, ClusterSpec, client_of, eventually};

const SYSTEM: &str = "isthmus-system";
/// The account that `isthmus manifests member-rbac` makes.
pub const ACCOUNT: &str = "isthmus-member";
const RIGHTS_LIMIT: Duration = Duration::from_secs(20);

/// A running member. Its id is `<region>-<number>`; the ranges follow from its place in the federation.
pub struct Member {
    pub id: String,
    pub region: String,
    pub cluster: Cluster,
    /// Of the account [`ACCOUNT`], with the rights of the product's own manifest and no others.
    pub kubeconfig: String,
    number: u8,
}

impl Member {
    /// `number` counts from 1.
    pub(super) async fn start(id: &str, number: u8) -> Self {
        let range = format!("10.{}.0.0/16", 100 + number);
        let cluster = Cluster::start(ClusterSpec::named(id).service_cidrs(&[&range]).without_controllers()).await;
        cluster.apply(&manifests("member-rbac").await).await;
        let kubeconfig = Self::credential(&cluster, ACCOUNT).await;
        let region = id.rsplit_once('-').map_or(id, |(region, _)| region).to_owned();
        Self { id: id.to_owned(), region, cluster, kubeconfig, number }
    }

    /// A kubeconfig of an account in Isthmus's namespace, once its rights have arrived.
    pub async fn credential(cluster: &Cluster, account: &str) -> String {
        let token = cluster.token_of(SYSTEM, account).await;
        let kubeconfig = cluster.kubeconfig_with(account, &token);
        let services = Api::<Service>::all(client_of(&kubeconfig).await);
        eventually("the account may list services", RIGHTS_LIMIT, async || {
            services.list_metadata(&ListParams::default().limit(1)).await.map(|_| ())
        })
        .await;
        kubeconfig
    }

    /// Its pod range: `10.<number>.0.0/16`.
    pub fn pods(&self) -> String {
        format!("10.{}.0.0/16", self.number)
    }

    /// Its service range: `10.<100 + number>.0.0/16`.
    pub fn services(&self) -> String {
        format!("10.{}.0.0/16", 100 + self.number)
    }

    /// The address of its pod `number`.
    pub fn pod(&self, number: u8) -> String {
        format!("10.{}.0.{number}", self.number)
    }

    pub fn owns(&self, ip: IpAddr) -> bool {
        let range: ipnet::IpNet = self.services().parse().expect("a range");
        range.contains(&ip)
    }

    /// Its `MemberCluster` with both ranges declared.
    pub fn declared(&self) -> String {
        objects::member_cluster(&self.id, &self.region, &[&self.pods()], &[&self.services()])
    }

    /// A federated Service with this many pods in the zone `<region>-a`.
    pub async fn serve(&self, namespace: &str, name: &str, pods: u8) {
        let pods: Vec<String> = (1..=pods).map(|number| self.pod(number)).collect();
        let zone = format!("{}-a", self.region);
        self.cluster.apply(&objects::namespace(namespace)).await;
        self.cluster.apply(&objects::federated(namespace, name)).await;
        self.cluster.apply(&objects::slice(namespace, name, &pods, &zone)).await;
    }

    /// Takes a Service and its slice away again.
    pub async fn withdraw(&self, namespace: &str, name: &str) {
        self.cluster.kubectl(&["delete", "-n", namespace, "--wait=false", "service", name]).await;
        let slice = objects::slice_name(name);
        self.cluster.kubectl(&["delete", "-n", namespace, "--wait=false", "endpointslice", &slice]).await;
    }

    pub async fn service(&self, namespace: &str, name: &str) -> Option<Service> {
        let api = Api::<Service>::namespaced(self.cluster.client(), namespace);
        api.get_opt(name).await.unwrap_or_else(|error| panic!("{}: get {namespace}/{name}: {error}", self.id))
    }

    pub async fn namespace(&self, name: &str) -> Option<Namespace> {
        let api = Api::<Namespace>::all(self.cluster.client());
        api.get_opt(name).await.unwrap_or_else(|error| panic!("{}: get {name}: {error}", self.id))
    }

    /// Waits until the Service is there and `fits`; the error of `fits` says what is missing.
    pub async fn until_service(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        fits: impl Fn(&Service) -> bool,
    ) -> Service {
        let api = Api::<Service>::namespaced(self.cluster.client(), namespace);
        eventually(&format!("{}: Service {namespace}/{name} {what}", self.id), SOON, async || {
            let found = api.get_opt(name).await.map_err(|error| error.to_string())?.ok_or("it is not there")?;
            if fits(&found) { Ok(found) } else { Err(format!("{found:?}")) }
        })
        .await
    }

    /// Waits until there is a mirror backed by these clusters.
    pub async fn until_mirror(&self, namespace: &str, name: &str, sources: &[&str]) -> Service {
        let sources = sources.join(",");
        let what = format!("is a mirror of {sources}");
        self.until_service(namespace, name, &what, |service| objects::sources(service) == Some(&*sources)).await
    }

    /// Waits until the Service is gone.
    pub async fn until_gone(&self, namespace: &str, name: &str) {
        let api = Api::<Service>::namespaced(self.cluster.client(), namespace);
        eventually(&format!("{}: Service {namespace}/{name} is gone", self.id), SOON, async || {
            match api.get_opt(name).await.map_err(|error| error.to_string())? {
                None => Ok(()),
                Some(found) => Err(format!("{:?}", found.metadata)),
            }
        })
        .await;
    }
}
