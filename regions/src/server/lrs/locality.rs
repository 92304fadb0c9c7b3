//! The load of one locality.

/// Localities kept of one cluster.
pub const MAX_LOCALITIES: usize = 16;

/// Requests to one locality of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalityLoad {
    pub region: String,
    pub zone: String,
    /// The member cluster, in what Isthmus serves.
    pub sub_zone: String,
    pub priority: u32,
    pub issued: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub in_progress: u64,
}

impl LocalityLoad {
    pub(super) fn is_same_place(&self, other: &Self) -> bool {
        let Self { priority, region, zone, sub_zone, .. } = self;
        (*priority, region, zone, sub_zone) == (other.priority, &other.region, &other.zone, &other.sub_zone)
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.issued = self.issued.saturating_add(other.issued);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.failed = self.failed.saturating_add(other.failed);
        self.in_progress = self.in_progress.saturating_add(other.in_progress);
    }
}
