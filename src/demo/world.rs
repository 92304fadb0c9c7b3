//! The world that the demo plays with, as plain values: regions, clusters, pods. What happens to it is a function from
//! one world to the next; what has to be done about backends and files follows from the difference.

pub mod folder;
pub mod yaml;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::Ipv4Addr;

/// The namespace that holds everything.
pub const NAMESPACE: &str = "shop";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoFederation {
    pub regions: Vec<Region>,
    pub clusters: Vec<Cluster>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    pub name: &'static str,
    pub failover: Vec<&'static str>,
}

/// A member cluster, or one that would like to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    pub id: &'static str,
    pub region: &'static str,
    /// RFC 3339; the older member wins when ranges clash.
    pub created: &'static str,
    pub pod_cidr: &'static str,
    pub service_cidr: &'static str,
    pub pods: Vec<Pod>,
}

/// A backend with an address of its own, which is its identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    pub service: &'static str,
    pub name: &'static str,
    pub zone: &'static str,
    pub ip: Ipv4Addr,
    pub ready: bool,
}

/// One cluster's part of one zone: the grain in which the demo tells who answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    pub region: String,
    pub cluster: String,
    pub zone: String,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    /// All pods that match are lost.
    Lose(Pick),
    /// Every lost pod comes back.
    Restore,
    /// A cluster asks to join, or asks again with other ranges.
    Join(Cluster),
}

/// Which pods; what is `None` matches all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pick {
    pub region: Option<&'static str>,
    pub cluster: Option<&'static str>,
    pub zone: Option<&'static str>,
    pub pod: Option<&'static str>,
}

impl Pick {
    fn matches(&self, cluster: &Cluster, pod: &Pod) -> bool {
        self.region.is_none_or(|region| region == cluster.region)
            && self.cluster.is_none_or(|id| id == cluster.id)
            && self.zone.is_none_or(|zone| zone == pod.zone)
            && self.pod.is_none_or(|name| name == pod.name)
    }
}

impl DemoFederation {
    /// The world after a change.
    pub fn after(&self, change: &Change) -> Self {
        let mut next = self.clone();
        match change {
            Change::Nothing => {}
            Change::Lose(pick) => next.set_ready(pick, false),
            Change::Restore => next.set_ready(&Pick::default(), true),
            Change::Join(cluster) => {
                next.clusters.retain(|other| other.id != cluster.id);
                next.clusters.push(cluster.clone());
            }
        }
        next
    }

    fn set_ready(&mut self, pick: &Pick, ready: bool) {
        for cluster in &mut self.clusters {
            let chosen: Vec<bool> = cluster.pods.iter().map(|pod| pick.matches(cluster, pod)).collect();
            for (pod, _) in cluster.pods.iter_mut().zip(chosen).filter(|(_, chosen)| *chosen) {
                pod.ready = ready;
            }
        }
    }

    /// Every pod that should be answering.
    pub fn live(&self) -> impl Iterator<Item = (&Cluster, &Pod)> {
        self.clusters
            .iter()
            .flat_map(|cluster| cluster.pods.iter().map(move |pod| (cluster, pod)))
            .filter(|(_, pod)| pod.ready)
    }

    /// Pods that answer here and do not in `other`.
    pub fn live_only_here<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'a Cluster, &'a Pod)> {
        self.live().filter(|(_, pod)| !other.live().any(|(_, there)| there.ip == pod.ip))
    }
}

impl Spot {
    pub fn new(region: &str, cluster: &str, zone: &str) -> Self {
        Self { region: region.to_owned(), cluster: cluster.to_owned(), zone: zone.to_owned() }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.zone)
    }
}
