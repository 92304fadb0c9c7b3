//! The made-up world: a function of a few numbers, so that the process that serves it and the one that asks for it agree
//! without telling each other. Every service exists in every member and has its endpoints spread over all of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use federation::change::{Batch, Delta, Epoch, HubChanges, LinkChange, MemberChanges};
use federation::model::{
    Affinity, ClusterId, ClusterUid, Endpoint, Failover, Families, Family, Federate, Health, Labels, Mark, Member,
    NameError, NamespaceObject, Network, Owner, PodId, Policy, Protocol, Region, RegionId, Selector, Service,
    ServiceKey, ServiceKind, ServicePort, Slice, SliceKey, SlicePort, Time, Traffic, Zone,
};
use ipnet::{IpNet, Ipv4Net};

use super::error::BenchError;

pub const MAX_SERVICES: usize = 200_000;
pub const MAX_ENDPOINTS: usize = 4_000_000;
pub const MAX_CLUSTERS: usize = 64;
/// Services that scenarios may add to the world, and the endpoints that each of them has at most.
pub const SPARE_SERVICES: usize = 1_024;
const SPARE_ENDPOINTS: usize = 1_000;
/// As Kubernetes' own controller fills them.
const ENDPOINTS_PER_SLICE: usize = 100;
const HTTP_PORT: u16 = 80;
const TCP_PORT: u16 = 9_000;
const TARGET_PORT: u16 = 8_080;
/// All pods are in the first, all ClusterIPs in the second; each member has a block of both.
const PODS: [u8; 4] = [10, 0, 0, 0];
const VIPS: [u8; 4] = [11, 0, 0, 0];
/// Bits of a host address in each of the two.
const HOST_BITS: u32 = 24;

/// What there is, and how it is spread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    pub services: usize,
    /// Per service, over all clusters.
    pub endpoints: usize,
    pub clusters: usize,
    pub regions: usize,
    /// Per region.
    pub zones: usize,
    pub namespaces: usize,
    /// Of a hundred services, so many speak plain TCP.
    pub tcp_percent: usize,
}

/// Endpoints that are not ready: what a source remembers, and all that it does.
pub type NotReady = BTreeSet<(usize, usize)>;

impl World {
    /// Whether the numbers make a world that could be.
    pub fn check(&self) -> Result<(), BenchError> {
        let total = self.services.saturating_mul(self.endpoints);
        if total > MAX_ENDPOINTS {
            return Err(BenchError::TooManyEndpoints { services: self.services, endpoints: self.endpoints });
        }
        let blocks = self.clusters.next_power_of_two();
        let needed = (self.pod_block().max(self.vip_block())).saturating_mul(blocks);
        if needed > 1 << HOST_BITS {
            return Err(BenchError::NoAddresses { clusters: self.clusters, needed });
        }
        Ok(())
    }

    pub fn cluster_name(cluster: usize) -> String {
        format!("cluster-{cluster}")
    }

    pub fn region_name(region: usize) -> String {
        format!("region-{region}")
    }

    pub fn region_of(&self, cluster: usize) -> usize {
        cluster % self.regions
    }

    pub fn zone_name(region: usize, zone: usize) -> String {
        format!("region-{region}-zone-{zone}")
    }

    /// `outbound|<port>||<dns name>`, as proxies know the service.
    pub fn resource_name(&self, service: usize) -> String {
        let port = self.port(service);
        format!("outbound|{port}||{}.{}.svc.cluster.local", Self::service_name(service), self.namespace_name(service))
    }

    /// `vip|<ip>:<port>`, as intercepted proxies of a member ask for it on demand.
    pub fn vip_name(&self, cluster: usize, service: usize) -> String {
        let port = self.port(service);
        format!("vip|{}:{port}", self.vip(cluster, service))
    }

    /// The name of one endpoint, for clients that fetch them one by one.
    pub fn single_name(&self, service: usize, endpoint: usize) -> String {
        let port = self.port(service);
        let (cluster, pod, zone) = self.pod(service, endpoint);
        let (service, namespace) = (Self::service_name(service), self.namespace_name(service));
        let at = format!("{}/{}", Self::cluster_name(cluster), Self::zone_name(self.region_of(cluster), zone));
        let ip = address(PODS, pod);
        format!("xdstp:///envoy.config.endpoint.v3.LbEndpoint/{service}.{namespace}/{port}/{at}/{ip}-{TARGET_PORT}")
    }

    fn port(&self, service: usize) -> u16 {
        if self.is_tcp(service) { TCP_PORT } else { HTTP_PORT }
    }

    pub fn is_tcp(&self, service: usize) -> bool {
        // 61 has no factor in common with 100: any hundred services in a row hold exactly so many.
        service * 61 % 100 < self.tcp_percent
    }

    fn service_name(service: usize) -> String {
        format!("svc-{service:05}")
    }

    fn namespace_name(&self, service: usize) -> String {
        format!("ns-{:03}", service % self.namespaces)
    }

    /// Where one endpoint of a service runs: its cluster, and its place among the service's endpoints there.
    fn place(&self, service: usize, endpoint: usize) -> (usize, usize) {
        ((service + endpoint) % self.clusters, endpoint / self.clusters)
    }

    /// Cluster, pod and zone of one endpoint.
    fn pod(&self, service: usize, endpoint: usize) -> (usize, usize, usize) {
        let Some(added) = service.checked_sub(self.services) else {
            let (cluster, nth) = self.place(service, endpoint);
            let first = cluster * self.pod_block() + service * self.per_cluster() + 1;
            return (cluster, first + nth, (service + nth) % self.zones);
        };
        // Behind the addresses of those that were there from the beginning.
        let spare = self.services * self.per_cluster() + added * self.spare_endpoints() + 1;
        (0, spare + endpoint, endpoint % self.zones)
    }

    fn per_cluster(&self) -> usize {
        self.endpoints.div_ceil(self.clusters)
    }

    /// Addresses that one member needs for its pods. A service that is added has all of its endpoints in one member.
    fn pod_block(&self) -> usize {
        (self.services * self.per_cluster() + SPARE_SERVICES * self.spare_endpoints() + 2).next_power_of_two()
    }

    /// Endpoints of a service that is added.
    fn spare_endpoints(&self) -> usize {
        self.endpoints.min(SPARE_ENDPOINTS)
    }

    fn vip_block(&self) -> usize {
        (self.services + SPARE_SERVICES + 2).next_power_of_two()
    }
}

// From here on: objects. Names were made to be legal, but the model wants to see for itself.
impl World {
    /// Regions, policy and members, in the order in which a hub is read.
    pub fn hub(&self) -> Result<Vec<Batch>, NameError> {
        let regions: Vec<RegionId> =
            (0..self.regions).map(|r| RegionId::new(&Self::region_name(r))).collect::<Result<_, _>>()?;
        let region = |(i, name): (usize, &RegionId)| {
            let (before, after) = (regions.iter().take(i), regions.iter().skip(i + 1));
            Region { name: name.clone(), failover: after.chain(before).cloned().collect() }
        };
        let members = (0..self.clusters).map(|c| self.member(c)).collect::<Result<Vec<_>, _>>()?;
        let policy = Policy {
            name: Arc::from("default"),
            created: Time::default(),
            namespaces: Selector::default(),
            services: Selector::default(),
            federate: Federate::All,
            reserved: Vec::new(),
            strict_cidrs: false,
            failover: Failover::default(),
        };
        Ok(vec![
            Batch::Hub(HubChanges::Regions(Delta::full(regions.iter().enumerate().map(region).collect()))),
            Batch::Hub(HubChanges::Policies(Delta::full(vec![policy]))),
            Batch::Hub(HubChanges::Members(Delta::full(members))),
        ])
    }

    /// A first connection to one member, and all that stands in it.
    pub fn listing(&self, cluster: usize, not_ready: &NotReady) -> Result<Vec<Batch>, NameError> {
        let uid = ClusterUid(Arc::from(format!("uid-{cluster}")));
        let namespaces = (0..self.namespaces.min(self.services)).map(|n| self.namespace(n));
        let services = (0..self.services).map(|s| self.service(cluster, s, Owner::User));
        let mut slices = Vec::new();
        for service in 0..self.services {
            slices.extend(self.slices(cluster, service, not_ready)?);
        }
        let all = [
            MemberChanges::Link(LinkChange::Up { uid, version: Arc::from("v1.37.1") }),
            MemberChanges::Namespaces(Delta::full(namespaces.collect::<Result<_, _>>()?)),
            MemberChanges::Services(Delta::full(services.collect::<Result<_, _>>()?)),
            MemberChanges::Slices(Delta::full(slices)),
            MemberChanges::Nodes(Delta::full(Vec::new())),
            MemberChanges::ServiceCidrs(Delta::full(Vec::new())),
            MemberChanges::Exports(Delta::full(Vec::new())),
        ];
        all.into_iter().map(|changes| Self::said(cluster, changes)).collect()
    }

    /// What a watch says when one endpoint changed: its whole slice.
    pub fn flipped(&self, service: usize, endpoint: usize, not_ready: &NotReady) -> Result<Vec<Batch>, NameError> {
        let (cluster, nth) = self.place(service, endpoint);
        let first = nth - nth % ENDPOINTS_PER_SLICE;
        let endpoints = self.here(cluster, service).skip(first).take(ENDPOINTS_PER_SLICE);
        let endpoints = endpoints.map(|endpoint| self.standing(service, endpoint, not_ready));
        let slices = self.cut(service, &endpoints.collect::<Result<Vec<_>, _>>()?, first / ENDPOINTS_PER_SLICE)?;
        slices.into_iter().map(|slice| Self::said(cluster, MemberChanges::Slices(Delta::put(slice)))).collect()
    }

    /// A service that was not there: with endpoints in the first member, mirrored into the others.
    pub fn added(&self, service: usize) -> Result<Vec<Batch>, NameError> {
        let mut batches = Vec::new();
        for slice in self.all_in_one(service)? {
            batches.push(Self::said(0, MemberChanges::Slices(Delta::put(slice)))?);
        }
        for cluster in 0..self.clusters {
            let owner = match cluster {
                0 => Owner::User,
                _ => Owner::Mirror(Box::new(Mark { sources: vec![Self::cluster_id(0)?], ..Mark::default() })),
            };
            let object = self.service(cluster, service, owner)?;
            batches.push(Self::said(cluster, MemberChanges::Services(Delta::put(object)))?);
        }
        Ok(batches)
    }

    /// The same service goes again.
    pub fn removed(&self, service: usize) -> Result<Vec<Batch>, NameError> {
        let mut batches = Vec::new();
        let key = self.key(service)?;
        for cluster in 0..self.clusters {
            batches.push(Self::said(cluster, MemberChanges::Services(Delta::delete(key.clone())))?);
        }
        for slice in self.all_in_one(service)? {
            batches.push(Self::said(0, MemberChanges::Slices(Delta::delete(slice.key)))?);
        }
        Ok(batches)
    }

    fn said(cluster: usize, changes: MemberChanges) -> Result<Batch, NameError> {
        Ok(Batch::Member { cluster: Self::cluster_id(cluster)?, epoch: Epoch(1), changes })
    }

    fn cluster_id(cluster: usize) -> Result<ClusterId, NameError> {
        ClusterId::new(&Self::cluster_name(cluster))
    }

    fn key(&self, service: usize) -> Result<ServiceKey, NameError> {
        ServiceKey::new(&self.namespace_name(service), &Self::service_name(service))
    }

    fn member(&self, cluster: usize) -> Result<Member, NameError> {
        Ok(Member {
            id: Self::cluster_id(cluster)?,
            region: RegionId::new(&Self::region_name(self.region_of(cluster)))?,
            network: Network::default_network(),
            pods: Some(block(PODS, cluster, self.pod_block())),
            services: Some(block(VIPS, cluster, self.vip_block())),
            exports: None,
            traffic: Traffic::Active,
            weight: None,
            created: Time::default(),
            generation: 0,
            recorded: None,
        })
    }

    fn namespace(&self, namespace: usize) -> Result<NamespaceObject, NameError> {
        let name = federation::model::Namespace::new(&self.namespace_name(namespace))?;
        Ok(NamespaceObject {
            uid: Arc::from(format!("uid-{name}")),
            name,
            resource_version: Arc::from("1"),
            labels: Labels::default(),
            terminating: false,
            hint: None,
            helm: None,
        })
    }

    fn service(&self, cluster: usize, service: usize, owner: Owner) -> Result<Service, NameError> {
        let (name, port) = if self.is_tcp(service) { ("tcp", TCP_PORT) } else { ("http", HTTP_PORT) };
        Ok(Service {
            key: self.key(service)?,
            uid: Arc::from(format!("uid-{cluster}-{service}")),
            resource_version: Arc::from("1"),
            created: Time::default(),
            labels: Labels::default(),
            kind: ServiceKind::ClusterIp,
            cluster_ips: vec![self.vip(cluster, service)],
            families: Some(Families::Only(Family::V4)),
            ports: vec![ServicePort { name: Arc::from(name), port, protocol: Protocol::Tcp, app_protocol: None }],
            affinity: Affinity::None,
            owner,
            node_local: false,
            derived_by: None,
            hint: None,
            helm: None,
        })
    }

    fn vip(&self, cluster: usize, service: usize) -> IpAddr {
        address(VIPS, cluster * self.vip_block() + service + 1)
    }

    fn slices(&self, cluster: usize, service: usize, not_ready: &NotReady) -> Result<Vec<Slice>, NameError> {
        let endpoints = self.here(cluster, service).map(|endpoint| self.standing(service, endpoint, not_ready));
        self.cut(service, &endpoints.collect::<Result<Vec<_>, _>>()?, 0)
    }

    /// Endpoints of a service in one member.
    fn here(&self, cluster: usize, service: usize) -> impl Iterator<Item = usize> {
        (0..self.endpoints).filter(move |endpoint| self.place(service, *endpoint).0 == cluster)
    }

    fn standing(&self, service: usize, endpoint: usize, not_ready: &NotReady) -> Result<Endpoint, NameError> {
        self.endpoint(self.pod(service, endpoint), !not_ready.contains(&(service, endpoint)))
    }

    fn all_in_one(&self, service: usize) -> Result<Vec<Slice>, NameError> {
        let endpoints = (0..self.spare_endpoints()).map(|endpoint| self.endpoint(self.pod(service, endpoint), true));
        self.cut(service, &endpoints.collect::<Result<Vec<_>, _>>()?, 0)
    }

    fn endpoint(&self, (cluster, pod, zone): (usize, usize, usize), ready: bool) -> Result<Endpoint, NameError> {
        let zone = Zone::new(&Self::zone_name(self.region_of(cluster), zone))?;
        let health = if ready { Health::Ready } else { Health::NotReady };
        Ok(Endpoint { ip: address(PODS, pod), zone: Some(zone), health, pod: PodId::of(&format!("pod {pod}")) })
    }

    /// Slices, numbered from `first`.
    fn cut(&self, service: usize, endpoints: &[Endpoint], first: usize) -> Result<Vec<Slice>, NameError> {
        let key = self.key(service)?;
        let name = if self.is_tcp(service) { "tcp" } else { "http" };
        let slice = |(i, endpoints): (usize, &[Endpoint])| Slice {
            key: SliceKey { namespace: key.namespace.clone(), name: Arc::from(format!("{}-{i}", key.name)) },
            service: key.clone(),
            ports: vec![SlicePort { name: Arc::from(name), port: TARGET_PORT, protocol: Protocol::Tcp }],
            endpoints: Slice::share_zones(endpoints.to_vec()),
            nodes: Box::default(),
        };
        Ok((first..).zip(endpoints.chunks(ENDPOINTS_PER_SLICE)).map(slice).collect())
    }
}

fn address(range: [u8; 4], host: usize) -> IpAddr {
    let host = u32::try_from(host).unwrap_or_default();
    IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::from(range)).wrapping_add(host)))
}

/// One member's block of so many addresses, a power of two.
fn block(range: [u8; 4], cluster: usize, addresses: usize) -> Vec<IpNet> {
    let IpAddr::V4(first) = address(range, cluster * addresses) else { return Vec::new() };
    let prefix = 32 - u8::try_from(addresses.trailing_zeros()).unwrap_or_default();
    Ipv4Net::new(first, prefix).map(IpNet::V4).into_iter().collect()
}

#[cfg(test)]
mod tests;
