//! Why a service is what it is. The reasons are made where the decisions are made (selection, merge, ranking) and only gathered
//! here: there is no second computation that could disagree with the first.

use std::sync::Arc;

use crate::model::{Affinity, AppProtocol, ClusterId, Families, Protocol, RankingRule, ServiceKey, Time};
use crate::report::NotExported;

/// The decisions about one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceExplanation {
    pub key: ServiceKey,
    /// Every admitted and known member that has or exports a Service of this name, by id.
    pub members: Vec<(ClusterId, Participation)>,
    /// In precedence order of the members that lost.
    pub conflicts: Vec<Conflict>,
    /// What the policy of the oldest export says about ranking; `None`: no member takes part.
    pub rule: Option<Arc<RankingRule>>,
}

/// Whether a member takes part in a service, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Participation {
    /// `exported` is the precedence: the oldest export decides conflicts (KEP-1645).
    Selected {
        by: SelectedBy,
        policy: Arc<str>,
        exported: Time,
    },
    LeftOut(NotExported),
    /// It has a `ServiceExport` and no Service of its own.
    NoService,
}

/// What decided that a Service takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectedBy {
    /// A `ServiceExport`.
    Export,
    /// `isthmus.dev/federate: "true"` on the Service.
    ServiceLabel,
    /// `isthmus.dev/federate: "true"` on its Namespace.
    NamespaceLabel,
    /// Its policy federates all.
    Policy,
}

/// Two members that differ about one service. The winner has the older export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    pub winner: ClusterId,
    pub loser: ClusterId,
    pub about: ConflictAbout,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictAbout {
    /// Both have a port of this name with different numbers: the loser's port is left out.
    PortName {
        name: Arc<str>,
        won: (u16, Protocol),
        lost: (u16, Protocol),
    },
    /// They declare different application protocols of one port: the winner's holds.
    AppProtocol {
        port: (u16, Protocol),
        won: AppProtocol,
        lost: AppProtocol,
    },
    /// One is headless and the other is not.
    Headless {
        won: bool,
    },
    Affinity {
        won: Affinity,
        lost: Affinity,
    },
    /// They have no address family in common: see [`crate::report::FamilyConflict`].
    Families {
        won: Families,
        lost: Families,
    },
}
