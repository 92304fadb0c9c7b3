//! Reports about members, for tests of those who read them.

use super::make;
use crate::model::{Network, Time, Traffic};
use crate::report::{CidrSource, Cidrs, Counts, LinkState, Listed, MemberReport, PendingReason, Verdict};

/// Of a member in region `eu` that was never reached.
pub fn unreached(id: &str) -> MemberReport {
    MemberReport {
        id: make::cluster(id),
        region: make::region_id("eu"),
        uid: None,
        version: None,
        link: LinkState::Pending,
        admission: Verdict::Pending(PendingReason::IdentityUnknown),
        admitted: None,
        cidrs: Cidrs::default(),
        listed: false,
        known: false,
        missing: false,
        network: Network::default_network(),
        traffic: Traffic::Active,
        weight: None,
        generation: 1,
        region_missing: false,
        undeclared: Listed::default(),
        unreadable: Vec::new(),
        counts: Counts::default(),
        mirrors_pending: 0,
        refused: Listed::default(),
        outside: Listed::default(),
        notices: Listed::default(),
        family_conflicts: Vec::new(),
        strangers: Vec::new(),
    }
}

/// Of a member in region `eu` that was admitted with ranges 10.8.0.0/14 (declared) and 10.12.0.0/20 (discovered) and completely
/// listed, and of which there is nothing else to say. `since`: when the link came up.
pub fn healthy(id: &str, since: Time) -> MemberReport {
    MemberReport {
        uid: Some(make::uid("uid-1")),
        version: Some("v1.37.1".into()),
        link: LinkState::Up { since },
        admission: Verdict::Admitted,
        cidrs: Cidrs {
            pods: make::nets("10.8.0.0/14"),
            pods_source: CidrSource::Declared,
            services: make::nets("10.12.0.0/20"),
            services_source: CidrSource::Discovered,
        },
        listed: true,
        known: true,
        ..unreached(id)
    }
}
