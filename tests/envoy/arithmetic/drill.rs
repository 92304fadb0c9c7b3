//! Load assignments that no region serves, from files that Envoy follows.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::formula::Tier;
use crate::harness::files::replace;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const MANAGER_TYPE: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const ASSIGNMENT_TYPE: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

/// A cluster of its own: the panic threshold is a cluster's, all else a load assignment's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drill {
    Calm,
    Panicky,
}

impl Drill {
    const ALL: [Self; 2] = [Self::Calm, Self::Panicky];

    pub(super) fn of(panic_threshold: u32) -> Self {
        let found = Self::ALL.into_iter().find(|drill| drill.panic_threshold() == panic_threshold);
        found.unwrap_or_else(|| panic!("no cluster panics below {panic_threshold} %"))
    }

    /// Also the name of the cluster.
    pub(super) fn host(self) -> &'static str {
        match self {
            Self::Calm => "calm.drill",
            Self::Panicky => "panicky.drill",
        }
    }

    fn panic_threshold(self) -> u32 {
        match self {
            Self::Calm => 0,
            Self::Panicky => 50,
        }
    }

    /// The clusters, each with a file of its own in `folder`.
    pub(super) fn clusters(folder: &Path) -> String {
        let clusters = Self::ALL.map(|drill| {
            let name = drill.host();
            json!({
                "name": name,
                "type": "EDS",
                "connect_timeout": "1s",
                "eds_cluster_config": {"eds_config": {
                    "path_config_source": {"path": folder.join(format!("{name}.json"))},
                    "resource_api_version": "V3",
                }},
                "common_lb_config": {"healthy_panic_threshold": {"value": drill.panic_threshold()}},
            })
        });
        json!(clusters).to_string()
    }

    /// A listener that finds them by `Host`.
    pub(super) fn listener(at: SocketAddr) -> String {
        let hosts = Self::ALL.map(|drill| {
            let route = json!({"match": {"prefix": "/"}, "route": {"cluster": drill.host()}});
            json!({"name": drill.host(), "domains": [drill.host()], "routes": [route]})
        });
        let manager = json!({
            "@type": MANAGER_TYPE,
            "stat_prefix": "drill",
            "route_config": {"name": "drill", "virtual_hosts": hosts},
            "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER_TYPE}}],
        });
        json!([{
            "name": "drill",
            "address": socket(at),
            "filter_chains": [{"filters": [{"name": MANAGER, "typed_config": manager}]}],
        }])
        .to_string()
    }

    /// Writes hosts in the states that `tiers` say; the first of each are the healthy ones.
    pub(super) fn write(self, folder: &Path, tiers: [Tier; 2], pods: [&[SocketAddr]; 2], factor: u32) {
        let group = |(priority, (tier, pods)): (usize, (&Tier, &[SocketAddr]))| {
            let hosts: Vec<Value> = states(*tier)
                .zip(pods)
                .map(|(state, at)| json!({"health_status": state, "endpoint": {"address": socket(*at)}}))
                .collect();
            json!({"priority": priority, "locality": {"zone": format!("p{priority}")}, "lb_endpoints": hosts})
        };
        let groups: Vec<Value> = tiers.iter().zip(pods).enumerate().map(group).collect();
        let assignment = json!({
            "@type": ASSIGNMENT_TYPE,
            "cluster_name": self.host(),
            "endpoints": groups,
            "policy": {"overprovisioning_factor": factor},
        });
        replace(folder, &format!("{}.json", self.host()), &json!({"resources": [assignment]}).to_string());
    }
}

/// Envoy's names for them, the healthy ones first.
pub(super) fn states(tier: Tier) -> impl Iterator<Item = &'static str> {
    let times = |state, count: u32| std::iter::repeat_n(state, count as usize);
    times("HEALTHY", tier.healthy)
        .chain(times("DEGRADED", tier.degraded))
        .chain(times("UNHEALTHY", tier.unhealthy))
        .chain(times("DRAINING", tier.draining))
}

fn socket(at: SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}})
}
