//! The synthetic federation: a function of a few numbers, so that the server's process and the bench both know it without
//! exchanging it. Every service exists in every member, and its endpoints are spread over all members.

mod objects;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::bounds::MAX_ENDPOINTS;
use super::error::BenchError;

/// Services that scenarios may add, and the endpoints that each of them has at most.
pub const SPARE_SERVICES: usize = 1_024;
const SPARE_ENDPOINTS: usize = 1_000;
/// As Kubernetes' own controller fills them.
const ENDPOINTS_PER_SLICE: usize = 100;
const HTTP_PORT: u16 = 80;
const TCP_PORT: u16 = 9_000;
const TARGET_PORT: u16 = 8_080;
/// All pods are in the first range, all ClusterIPs in the second; each member has a block of both.
const PODS: [u8; 4] = [10, 0, 0, 0];
const VIPS: [u8; 4] = [11, 0, 0, 0];
/// Bits of a host address in each of the two.
const HOST_BITS: u32 = 24;

/// The size of the federation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntheticFederation {
    pub services: usize,
    /// Per service, over all clusters.
    pub endpoints: usize,
    pub clusters: usize,
    pub regions: usize,
    /// Per region.
    pub zones: usize,
    pub namespaces: usize,
    /// Percentage of services that use plain TCP.
    pub tcp_percent: usize,
}

/// Endpoints that are not ready, as (service, endpoint): the complete state of a source.
pub type NotReady = BTreeSet<(usize, usize)>;

impl SyntheticFederation {
    /// Whether there are enough addresses, and not too many endpoints.
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
        // 61 has no factor in common with 100: any hundred services in a row contain exactly that percentage.
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
        // After the addresses of the services that exist from the beginning.
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

fn address(range: [u8; 4], host: usize) -> IpAddr {
    let host = u32::try_from(host).unwrap_or_default();
    IpAddr::V4(Ipv4Addr::from(u32::from(Ipv4Addr::from(range)).wrapping_add(host)))
}

#[cfg(test)]
mod tests;
