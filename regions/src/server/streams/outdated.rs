//! Old Envoys: said once for each version and address, and counted while they are connected.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::class::Version;

/// Pairs of a version and an address that are remembered as said; beyond that, what is new is not said.
pub const MAX_OUTDATED: usize = 4_096;

#[derive(Default)]
pub(super) struct Outdated(BTreeSet<(IpAddr, Version)>);

impl Outdated {
    /// Whether this is to be said: it was not said before.
    pub(super) fn is_new(&mut self, version: Version, address: IpAddr) -> bool {
        self.0.len() < MAX_OUTDATED && self.0.insert((address, version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_version_is_said_once_for_each_address() {
        let mut said = Outdated::default();
        let version = |minor| Version { major: 1, minor, patch: 0 };
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(said.is_new(version(36), one));
        assert!(!said.is_new(version(36), one));
        assert!(said.is_new(version(36), other) && said.is_new(version(35), one));
        for minor in 0..10_000 {
            said.is_new(version(minor), one);
        }
        assert_eq!(said.0.len(), MAX_OUTDATED);
    }
}
