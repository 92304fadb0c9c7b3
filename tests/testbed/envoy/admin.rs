//! What Envoy says about itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use super::Envoy;

/// One cluster as `/clusters` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterStatus {
    pub name: String,
    /// It came from the control plane, not from the bootstrap file.
    pub dynamic: bool,
    /// By priority, region, zone and address.
    pub hosts: Vec<HostStatus>,
}

/// One host of a cluster. The order of the fields is the order of sorting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostStatus {
    pub priority: u64,
    pub region: String,
    pub zone: String,
    pub address: SocketAddr,
    /// As in EDS: `HEALTHY`, `UNHEALTHY`, `DRAINING`, `DEGRADED`.
    pub health: String,
    /// Envoy's own reasons not to use it, for example `failed_outlier_check`.
    pub flags: Vec<String>,
    pub weight: u64,
}

impl Envoy {
    /// Clusters by name.
    pub async fn clusters(&self) -> BTreeMap<String, ClusterStatus> {
        let page = self.admin_json("/clusters?format=json").await;
        let all = page["cluster_statuses"].as_array().into_iter().flatten().map(cluster_status);
        all.map(|cluster| (cluster.name.clone(), cluster)).collect()
    }

    /// The hosts of one cluster; empty if there is no such cluster.
    pub async fn hosts(&self, cluster: &str) -> Vec<HostStatus> {
        self.clusters().await.remove(cluster).map(|cluster| cluster.hosts).unwrap_or_default()
    }

    /// `/config_dump` with the endpoints, as JSON.
    pub async fn config_dump(&self) -> Value {
        self.admin_json("/config_dump?include_eds").await
    }

    /// Counters and gauges whose name starts with `prefix`.
    pub async fn stats(&self, prefix: &str) -> BTreeMap<String, u64> {
        let page = self.admin("/stats").await;
        let wanted = page.lines().filter(|line| line.starts_with(prefix));
        // Histograms and texts have no plain number and are left out.
        wanted
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect()
    }

    async fn admin_json(&self, path: &str) -> Value {
        let page = self.admin(path).await;
        serde_json::from_str(&page).unwrap_or_else(|error| panic!("Envoy admin {path} is not JSON: {error}"))
    }
}

fn cluster_status(cluster: &Value) -> ClusterStatus {
    let mut hosts: Vec<HostStatus> =
        cluster["host_statuses"].as_array().into_iter().flatten().filter_map(host_status).collect();
    hosts.sort();
    ClusterStatus { name: text(&cluster["name"]), dynamic: cluster["added_via_api"] == true, hosts }
}

/// `None` for a host without an IP address, such as an internal listener.
fn host_status(host: &Value) -> Option<HostStatus> {
    let socket = &host["address"]["socket_address"];
    let ip = socket["address"].as_str()?.parse().ok()?;
    let port = socket["port_value"].as_u64()?.try_into().ok()?;
    let status = host["health_status"].as_object()?;
    Some(HostStatus {
        // Proto JSON leaves out what is zero.
        priority: host["priority"].as_u64().unwrap_or(0),
        region: text(&host["locality"]["region"]),
        zone: text(&host["locality"]["zone"]),
        address: SocketAddr::new(ip, port),
        health: status.get("eds_health_status").map(text).unwrap_or_default(),
        flags: status.iter().filter(|(_, value)| **value == true).map(|(name, _)| name.clone()).collect(),
        weight: host["weight"].as_u64().unwrap_or(0),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
