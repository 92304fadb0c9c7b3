//! How long is waited before what is in a folder is believed.

use std::time::Duration;

/// How long an unfinished state may last before it is taken for what is meant: a file that is gone, holds nothing any more,
/// or is still open for writing, and a cluster's folder that has just appeared.
pub const GRACE: Duration = Duration::from_millis(250);
/// A file changed this shortly before it was read may change again without a trace: clocks of file systems tick.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// A folder that never comes to rest is taken as it is after this long.
pub const MAX_SETTLE: Duration = Duration::from_secs(5);
