//! Work counters: they prove in tests, and show in `/metrics`, that the cost of a round is what changed.

/// Totals since the engine was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub batches: u64,
    /// Services merged again.
    pub merged: u64,
    /// Of these, how many had the same result as before: no later stage looks at them.
    pub merged_unchanged: u64,
    /// Mirrored objects planned again.
    pub planned: u64,
    /// Rounds in which membership was judged again.
    pub judged: u64,
    /// Member reports built again.
    pub reported: u64,
}
