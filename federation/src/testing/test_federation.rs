//! A federation in a few lines: regions, members and their objects, given to an engine as sources would report them.

use std::collections::BTreeMap;

use super::make;
use crate::change::{Batch, Delta, Epoch, HubChanges, LinkChange, MemberChanges};
use crate::model::{
    ClusterId, Export, Federate, Member, NamespaceObject, Node, Policy, Region, Service, ServiceCidr, ServiceKey,
    Slice, Time,
};
use crate::{Authority, Awaits, Config, Deadlines, Engine};

/// Backends listen this much above the Service's port unless a slice has other ports, so that a test notices if the two
/// numbers are ever mixed up.
const TARGET_PORT_OFFSET: u16 = 8_000;

/// What is going to be reported. Everything is federated unless there is another policy called `default`.
#[derive(Clone, Debug)]
pub struct TestFederation {
    pub regions: Vec<Region>,
    pub members: Vec<Member>,
    pub policies: Vec<Policy>,
    pub clusters: BTreeMap<ClusterId, Contents>,
}

/// What one cluster holds, and its identity.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// UID of its `kube-system` namespace; `uid-<cluster>` by default.
    pub uid: String,
    pub namespaces: Vec<NamespaceObject>,
    pub services: Vec<Service>,
    pub slices: Vec<Slice>,
    pub nodes: Vec<Node>,
    pub service_cidrs: Vec<ServiceCidr>,
    pub exports: Vec<Export>,
}

impl Default for TestFederation {
    fn default() -> Self {
        Self::new()
    }
}

impl TestFederation {
    pub fn new() -> Self {
        Self {
            regions: Vec::new(),
            members: Vec::new(),
            policies: vec![make::policy("default", Federate::All)],
            clusters: BTreeMap::new(),
        }
    }

    pub fn region(mut self, name: &str, failover: &[&str]) -> Self {
        self.regions.push(make::region(name, failover));
        self
    }

    pub fn member(self, id: &str, region: &str, pods: &str, services: &str) -> Self {
        self.member_object(make::member(id, region, pods, services))
    }

    pub fn member_object(mut self, member: Member) -> Self {
        let uid = format!("uid-{}", member.id);
        self.clusters.insert(member.id.clone(), Contents { uid, ..Contents::default() });
        self.members.push(member);
        self
    }

    /// Adds a policy, or replaces the one of that name.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policies.retain(|known| known.name != policy.name);
        self.policies.push(policy);
        self
    }

    /// A user's Service whose ports are named after their numbers: `p80`.
    pub fn service(self, cluster: &str, key: &str, ports: &[u16]) -> Self {
        let ports: Vec<String> = ports.iter().map(|port| format!("p{port}:{port}")).collect();
        self.service_object(cluster, make::service(key, &ports.join(" "), "10.96.0.10"))
    }

    /// Any Service; its Namespace is made if there is none.
    pub fn service_object(mut self, cluster: &str, service: Service) -> Self {
        let contents = self.contents(cluster);
        if !contents.namespaces.iter().any(|known| known.name == service.key.namespace) {
            contents.namespaces.push(make::namespace(service.key.namespace.as_str(), ""));
        }
        contents.services.push(service);
        self
    }

    pub fn namespace(mut self, cluster: &str, namespace: NamespaceObject) -> Self {
        let contents = self.contents(cluster);
        contents.namespaces.retain(|known| known.name != namespace.name);
        contents.namespaces.push(namespace);
        self
    }

    /// One more slice of a Service of this cluster, with endpoints as in [`make::endpoint`].
    pub fn endpoints(mut self, cluster: &str, service: &str, endpoints: &[&str]) -> Self {
        let key = make::key(service);
        let contents = self.contents(cluster);
        let slice = contents.slice_of(&key, endpoints);
        contents.slices.push(slice);
        self
    }

    pub fn slice(mut self, cluster: &str, slice: Slice) -> Self {
        self.contents(cluster).slices.push(slice);
        self
    }

    pub fn export(mut self, cluster: &str, service: &str, seconds: i64) -> Self {
        self.contents(cluster).exports.push(make::export(service, seconds));
        self
    }

    /// What a cluster holds, to be changed. A cluster that is no member is added.
    pub fn contents(&mut self, cluster: &str) -> &mut Contents {
        self.clusters.entry(make::cluster(cluster)).or_default()
    }

    /// All of it, as sources report it when they start: the hub first, then each cluster on its first connection.
    pub fn batches(&self) -> Vec<Batch> {
        let mut batches = self.hub();
        for id in self.clusters.keys() {
            batches.extend(self.listing(id.as_str(), 1));
        }
        batches
    }

    pub fn hub(&self) -> Vec<Batch> {
        vec![
            Batch::Hub(HubChanges::Regions(Delta::full(self.regions.clone()))),
            Batch::Hub(HubChanges::Policies(Delta::full(self.policies.clone()))),
            Batch::Hub(HubChanges::Members(Delta::full(self.members.clone()))),
        ]
    }

    /// A new connection to one cluster, and everything in it.
    pub fn listing(&self, cluster: &str, epoch: u64) -> Vec<Batch> {
        let id = make::cluster(cluster);
        let Some(contents) = self.clusters.get(&id) else { return Vec::new() };
        let Contents { uid, namespaces, services, slices, nodes, service_cidrs, exports } = contents.clone();
        let up = LinkChange::Up { uid: make::uid(&uid), version: "v1.36.0".into() };
        [
            MemberChanges::Link(up),
            MemberChanges::Namespaces(Delta::full(namespaces)),
            MemberChanges::Services(Delta::full(services)),
            MemberChanges::Slices(Delta::full(slices)),
            MemberChanges::Nodes(Delta::full(nodes)),
            MemberChanges::ServiceCidrs(Delta::full(service_cidrs)),
            MemberChanges::Exports(Delta::full(exports)),
        ]
        .into_iter()
        .map(|changes| Batch::Member { cluster: id.clone(), epoch: Epoch(epoch), changes })
        .collect()
    }

    /// An engine that got all of it in one round, and decides about admission itself.
    pub fn engine(&self, now: Time) -> Engine {
        let mut engine = Engine::new(Self::config(Authority::Own));
        engine.apply(self.batches(), now);
        engine
    }

    pub fn config(authority: Authority) -> Config {
        let hub = Some(crate::model::Digest::of(make::HUB));
        let (own_namespace, awaits) = (make::ns("isthmus-system"), Awaits::Admitted);
        Config { authority, own_namespace, awaits, deadlines: Deadlines::NONE, hub }
    }
}

impl Contents {
    /// The next slice of a Service: its ports by name, each [`TARGET_PORT_OFFSET`] above the Service's.
    fn slice_of(&self, key: &ServiceKey, endpoints: &[&str]) -> Slice {
        let number = self.slices.iter().filter(|slice| slice.service == *key).count() + 1;
        let mut slice = make::slice(&key.to_string(), &format!("{}-{number}", key.name), "", endpoints);
        for port in self.services.iter().filter(|service| service.key == *key).flat_map(|service| &service.ports) {
            slice.ports.push(crate::model::SlicePort {
                name: port.name.clone(),
                port: port.port.saturating_add(TARGET_PORT_OFFSET),
                protocol: port.protocol,
            });
        }
        slice
    }
}
