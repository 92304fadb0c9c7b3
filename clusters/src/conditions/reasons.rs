//! All reasons that conditions may have. They are for machines: programs wait for them, so the set is closed, and
//! docs/conditions.md says of each what to do.

/// Reasons of conditions on a `MemberCluster`.
pub const OF_MEMBERS: [&str; 30] = [
    "Admitted",
    "AwaitingDecision",
    "CIDRDrift",
    "CIDRMismatch",
    "CIDROverlap",
    "CIDRsUnknown",
    "Connected",
    "Connecting",
    "CredentialRefused",
    "DuplicateAddresses",
    "DuplicateCluster",
    "EndpointsOutOfRange",
    "HeldByAnotherHub",
    "HolderUnknown",
    "IdentityChanged",
    "IdentityUnknown",
    "InvalidSpec",
    "KindUnreadable",
    "KubeconfigInvalid",
    "Listing",
    "MirrorsPending",
    "NotAdmitted",
    "ObjectsRejected",
    "Pending",
    "Ready",
    "SecretMissing",
    "Stale",
    "Synced",
    "UnknownRegion",
    "Unreachable",
];

/// Reasons of the condition on a `Region` or `FederationPolicy`.
pub const OF_POLICIES: [&str; 5] = ["Accepted", "Invalid", "Shadowed", "UnknownCluster", "UnknownRegion"];

/// The types of conditions.
pub const CONDITIONS: [&str; 5] = ["Accepted", "Admitted", "Connected", "Ready", "Synced"];

/// Reasons of Kubernetes Events, besides those of the condition that changed.
pub const OF_EVENTS: [&str; 1] = ["ObjectRejected"];
