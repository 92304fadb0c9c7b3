//! The objects of the synthetic federation, as sources report them. All names are valid; the model checks them all the same.

use std::net::IpAddr;
use std::sync::Arc;

use federation::change::{Batch, Delta, Epoch, HubChanges, LinkChange, MemberChanges};
use federation::model::{
    Affinity, ClusterId, ClusterUid, Endpoint, Failover, Families, Family, Federate, Health, Labels, Mark, Member,
    NameError, NamespaceObject, Network, Owner, PodId, Policy, Protocol, Region, RegionId, Selector, Service,
    ServiceKey, ServiceKind, ServicePort, Slice, SliceKey, SlicePort, Time, Traffic, Zone,
};
use ipnet::{IpNet, Ipv4Net};

use super::{
    ENDPOINTS_PER_SLICE, HTTP_PORT, NotReady, PODS, SyntheticFederation, TARGET_PORT, TCP_PORT, VIPS, address,
};

/// A resourceVersion of a cluster that was in use for a while.
const FIRST_VERSION: usize = 184_467_440;

impl SyntheticFederation {
    /// Regions, policy and members, in the order in which they are read from a hub.
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

    /// A first connection to one member, and lists of all its objects.
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
        all.into_iter().map(|changes| Self::batch(cluster, changes)).collect()
    }

    /// What a watch reports when one endpoint changed: its whole slice.
    pub fn flipped(&self, service: usize, endpoint: usize, not_ready: &NotReady) -> Result<Vec<Batch>, NameError> {
        let (cluster, nth) = self.place(service, endpoint);
        let first = nth - nth % ENDPOINTS_PER_SLICE;
        let endpoints = self.here(cluster, service).skip(first).take(ENDPOINTS_PER_SLICE);
        let endpoints = endpoints.map(|endpoint| self.current(service, endpoint, not_ready));
        let slices = self.cut(service, &endpoints.collect::<Result<Vec<_>, _>>()?, first / ENDPOINTS_PER_SLICE)?;
        slices.into_iter().map(|slice| Self::batch(cluster, MemberChanges::Slices(Delta::put(slice)))).collect()
    }

    /// A new service: with endpoints in the first member, mirrored into the others.
    pub fn added(&self, service: usize) -> Result<Vec<Batch>, NameError> {
        let mut batches = Vec::new();
        for slice in self.all_in_one(service)? {
            batches.push(Self::batch(0, MemberChanges::Slices(Delta::put(slice)))?);
        }
        for cluster in 0..self.clusters {
            let owner = match cluster {
                0 => Owner::User,
                _ => Owner::Mirror(Box::new(Mark { sources: vec![Self::cluster_id(0)?], ..Mark::default() })),
            };
            let object = self.service(cluster, service, owner)?;
            batches.push(Self::batch(cluster, MemberChanges::Services(Delta::put(object)))?);
        }
        Ok(batches)
    }

    /// The same service is deleted.
    pub fn removed(&self, service: usize) -> Result<Vec<Batch>, NameError> {
        let mut batches = Vec::new();
        let key = self.key(service)?;
        for cluster in 0..self.clusters {
            batches.push(Self::batch(cluster, MemberChanges::Services(Delta::delete(key.clone())))?);
        }
        for slice in self.all_in_one(service)? {
            batches.push(Self::batch(0, MemberChanges::Slices(Delta::delete(slice.key)))?);
        }
        Ok(batches)
    }

    fn batch(cluster: usize, changes: MemberChanges) -> Result<Batch, NameError> {
        Ok(Batch::Member { cluster: Self::cluster_id(cluster)?, epoch: Epoch(1), changes })
    }

    fn cluster_id(cluster: usize) -> Result<ClusterId, NameError> {
        ClusterId::new(&Self::cluster_name(cluster))
    }

    pub(super) fn key(&self, service: usize) -> Result<ServiceKey, NameError> {
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
            // As long as API servers make them: they are kept.
            uid: Arc::from(format!("{cluster:08x}-0000-4000-8000-{service:012x}")),
            resource_version: Arc::from((FIRST_VERSION + service).to_string()),
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

    pub(super) fn vip(&self, cluster: usize, service: usize) -> IpAddr {
        address(VIPS, cluster * self.vip_block() + service + 1)
    }

    fn slices(&self, cluster: usize, service: usize, not_ready: &NotReady) -> Result<Vec<Slice>, NameError> {
        let endpoints = self.here(cluster, service).map(|endpoint| self.current(service, endpoint, not_ready));
        self.cut(service, &endpoints.collect::<Result<Vec<_>, _>>()?, 0)
    }

    /// Endpoints of a service in one member.
    fn here(&self, cluster: usize, service: usize) -> impl Iterator<Item = usize> {
        (0..self.endpoints).filter(move |endpoint| self.place(service, *endpoint).0 == cluster)
    }

    fn current(&self, service: usize, endpoint: usize, not_ready: &NotReady) -> Result<Endpoint, NameError> {
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

/// One member's block of so many addresses, a power of two.
fn block(range: [u8; 4], cluster: usize, addresses: usize) -> Vec<IpNet> {
    let IpAddr::V4(first) = address(range, cluster * addresses) else { return Vec::new() };
    let prefix = 32 - u8::try_from(addresses.trailing_zeros()).unwrap_or_default();
    Ipv4Net::new(first, prefix).map(IpNet::V4).into_iter().collect()
}
