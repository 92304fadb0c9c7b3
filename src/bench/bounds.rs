//! The largest runs that are accepted.

pub const MAX_CLIENTS: usize = 20_000;
/// Clients that connect beside all others for a while, to compare with, at a time.
pub const FRESH_CLIENTS: usize = 64;
pub const MAX_SERVICES: usize = 200_000;
/// Of all services together.
pub const MAX_ENDPOINTS: usize = 4_000_000;
pub const MAX_PER_SERVICE: usize = 100_000;
pub const MAX_CLUSTERS: usize = 64;
