//! One region.
