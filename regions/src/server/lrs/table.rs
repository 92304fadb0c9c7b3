//! The last report of each connected node about each cluster.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::locality::{LocalityLoad, MAX_LOCALITIES};
use super::report::ClusterReport;
use crate::stats::Stats;

/// Clusters of which one stream's reports are kept. Others are counted in the totals only.
pub const MAX_CLUSTERS: usize = 1_000;
/// What connected nodes reported last. Cheap to clone.
#[derive(Clone, Default)]
pub struct Loads {
    rows: Arc<Mutex<BTreeMap<u64, Reported>>>,
    next: Arc<AtomicU64>,
}

struct Reported {
    node: Arc<str>,
    report: LoadReport,
}

/// What a node reported of each cluster when it last mentioned it, by the name of its load assignment, which people know
/// (`outbound|80||…`), where the cluster has another name (`vip|10.0.0.7:80`).
pub type LoadReport = BTreeMap<Arc<str>, ClusterLoad>;

/// Requests to one cluster, in sums over one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterLoad {
    pub at: SystemTime,
    /// What the sums are over; zero if the node did not report it.
    pub interval: Duration,
    pub dropped: u64,
    pub localities: Vec<LocalityLoad>,
}

/// A node's place in the table, for as long as its stream lives.
pub(super) struct Row {
    id: u64,
    loads: Loads,
    stats: Arc<Stats>,
}

impl Loads {
    /// What a node reported, over all its streams; empty if it does not report.
    pub fn of(&self, node: &str) -> LoadReport {
        let rows = self.lock();
        let reports = rows.values().filter(|reported| *reported.node == *node).map(|reported| &reported.report);
        reports.flatten().map(|(name, load)| (name.clone(), load.clone())).collect()
    }

    pub(super) fn enter(&self, node: &str, stats: Arc<Stats>) -> Row {
        let id = self.next.fetch_add(1, Relaxed);
        self.lock().insert(id, Reported { node: Arc::from(node), report: LoadReport::new() });
        stats.loads.open.add(1);
        Row { id, loads: self.clone(), stats }
    }

    /// Reports are replaced whole, which a panic cannot leave half done.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Reported>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    pub(super) fn report(&self, clusters: Vec<ClusterReport>, at: SystemTime) {
        let totals = &self.stats.loads;
        totals.reports.inc();
        let mut rows = self.loads.lock();
        let Some(Reported { report, .. }) = rows.get_mut(&self.id) else { return };
        // Clusters that were not mentioned for long make room for those that are.
        if report.len() + clusters.len() > MAX_CLUSTERS {
            report.retain(|_, load| at.duration_since(load.at).is_ok_and(|age| age < FORGOTTEN_AFTER));
        }
        // Several VIPs of one service are several clusters of one name.
        let mut loads = LoadReport::new();
        for ClusterReport { name, dropped, interval, localities } in clusters {
            let load = ClusterLoad { at, interval, dropped, localities };
            match loads.entry(Arc::from(name)) {
                Entry::Occupied(mut entry) => entry.get_mut().add(load),
                Entry::Vacant(entry) => _ = entry.insert(load),
            }
        }
        for (name, load) in loads {
            totals.dropped.add(load.dropped);
            totals.succeeded.add(sum(&load.localities, |locality| locality.succeeded));
            totals.failed.add(sum(&load.localities, |locality| locality.failed));
            if report.len() < MAX_CLUSTERS || report.contains_key(&name) {
                report.insert(name, load);
            }
        }
    }
}

/// A cluster that was not mentioned for so long may be forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(300);

impl Drop for Row {
    fn drop(&mut self) {
        self.loads.lock().remove(&self.id);
        self.stats.loads.open.add(-1);
    }
}

fn sum(localities: &[LocalityLoad], of: fn(&LocalityLoad) -> u64) -> u64 {
    localities.iter().fold(0, |sum, locality| sum.saturating_add(of(locality)))
}

impl ClusterLoad {
    fn add(&mut self, other: Self) {
        self.interval = self.interval.max(other.interval);
        self.dropped = self.dropped.saturating_add(other.dropped);
        for other in other.localities {
            if let Some(known) = self.localities.iter_mut().find(|known| known.is_same_place(&other)) {
                known.add(&other);
            } else if self.localities.len() < MAX_LOCALITIES {
                self.localities.push(other);
            }
        }
    }
}
