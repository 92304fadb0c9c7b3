//! Old Envoys: logged once for each version and address, and counted while they are connected.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::class::Version;

/// Pairs of a version and an address that are remembered as logged; beyond that, new ones are not logged.
pub const MAX_OUTDATED: usize = 4_096;

#[derive(Default)]
pub(super) struct Outdated(BTreeSet<(IpAddr, Version)>);

impl Outdated {
    /// Whether this is to be logged: it was not logged before.
    pub(super) fn is_new(&mut self, version: Version, address: IpAddr) -> bool {
        self.0.len() < MAX_OUTDATED && self.0.insert((address, version))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_version_is_logged_once_for_each_address() {
        let mut logged = Outdated::default();
        let version = |minor| Version { major: 1, minor, patch: 0 };
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert!(logged.is_new(version(36), one));
        assert!(!logged.is_new(version(36), one));
        assert!(logged.is_new(version(36), other) && logged.is_new(version(35), one));
        for minor in 0..10_000 {
            logged.is_new(version(minor), one);
        }
        assert_eq!(logged.0.len(), MAX_OUTDATED);
    }
}
