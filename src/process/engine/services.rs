//! The merged services as `isthmus status services` lists them.

use federation::Engine;
use federation::model::{ClusterId, Health, Merged, MergedPort, ServiceKey};

/// A line of `isthmus status services`: one merged service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceSummary {
    pub key: ServiceKey,
    /// Contributing clusters, oldest export first.
    pub sources: Vec<ClusterId>,
    pub ports: Vec<String>,
    pub ready: usize,
    pub endpoints: usize,
}

/// All merged services, sorted by namespace and name. Costs O(endpoints).
pub fn services(engine: &Engine) -> Vec<ServiceSummary> {
    let mut all: Vec<ServiceSummary> = engine.merged().values().map(|merged| summary(merged)).collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    all
}

fn summary(merged: &Merged) -> ServiceSummary {
    let hosts = || merged.ports.iter().flat_map(|port| &port.backends).flat_map(|backend| &backend.hosts);
    let port = |port: &MergedPort| {
        let name = if port.name.is_empty() { String::new() } else { format!("{}:", port.name) };
        format!("{name}{}/{}/{}", port.port, port.protocol.as_str(), port.app.as_str())
    };
    ServiceSummary {
        key: merged.key.clone(),
        sources: merged.sources.clone(),
        ports: merged.ports.iter().map(port).collect(),
        ready: hosts().filter(|host| host.health == Health::Ready).count(),
        endpoints: hosts().count(),
    }
}
