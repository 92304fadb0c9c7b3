//! The life cycle of one member.
//!
//! ```text
//!             admitted           drained
//!   Joining ───────────► Active ─────────► Drained
//!      ▲                   │ ▲    resumed    │ │
//!      │   ended           │ └───────────────┘ │
//!      └───────────────────┴───────────────────┘
//! ```
//!
//! Every member begins as `Joining` and is forgotten at once when the hub removes it, whatever its state. Off-boarding (a member
//! that is still listed as a source while its endpoints are withdrawn step by step) would be a fourth state, `Leaving`,
//! between the admitted states and the removal: [`LifeCycle::advance`] would enter it instead of forgetting the member. Nothing
//! uses such a state today, so there is none.

use crate::model::{Admission, Traffic};
use crate::report::{Clash, PendingReason, Refusal, Verdict};

/// Where a member is in its life cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LifeCycle {
    /// Not admitted.
    Joining(Joining),
    /// Admitted; clients are sent to it.
    Active(Admitted),
    /// Admitted; clients are sent to it only where no other member can serve.
    Drained(Admitted),
}

/// Why a member is not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Joining {
    /// Not enough is known yet.
    Pending(PendingReason),
    Refused(Refusal),
}

/// An admission that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admitted {
    /// As on record.
    pub admission: Admission,
    /// Why the ranges that it uses now were refused; empty if they are those on record.
    pub drift: Vec<Clash>,
}

/// What a round decided about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    NotAdmitted(Joining),
    Admitted(Admitted, Traffic),
}

/// What [`LifeCycle::advance`] changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transition {
    /// The state and the admission are as before; the reason or the drift may differ.
    Unchanged,
    Admitted,
    /// It has other ranges, or another identity, on record.
    Moved,
    Drained,
    Resumed,
    /// It moved to another network, or its record was withdrawn: it joins again.
    Ended,
}

impl Default for LifeCycle {
    fn default() -> Self {
        Self::Joining(Joining::Pending(PendingReason::IdentityUnknown))
    }
}

impl LifeCycle {
    /// The only way from one state to another.
    pub fn advance(&mut self, decision: Decision) -> Transition {
        let next = match decision {
            Decision::NotAdmitted(joining) => Self::Joining(joining),
            Decision::Admitted(admitted, Traffic::Active) => Self::Active(admitted),
            Decision::Admitted(admitted, Traffic::Drained) => Self::Drained(admitted),
        };
        let before = std::mem::replace(self, next);
        match (before.admission(), self.admission()) {
            (None, None) => Transition::Unchanged,
            (None, Some(_)) => Transition::Admitted,
            (Some(_), None) => Transition::Ended,
            (Some(before), Some(now)) if before != now => Transition::Moved,
            (Some(_), Some(_)) => match (before, &*self) {
                (Self::Active(_), Self::Drained(_)) => Transition::Drained,
                (Self::Drained(_), Self::Active(_)) => Transition::Resumed,
                _ => Transition::Unchanged,
            },
        }
    }

    /// The admission on record, while it is admitted.
    pub fn admission(&self) -> Option<&Admission> {
        match self {
            Self::Joining(_) => None,
            Self::Active(admitted) | Self::Drained(admitted) => Some(&admitted.admission),
        }
    }

    /// As reports show it.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Joining(Joining::Pending(reason)) => Verdict::Pending(reason.clone()),
            Self::Joining(Joining::Refused(refusal)) => Verdict::Refused(refusal.clone()),
            Self::Active(admitted) | Self::Drained(admitted) if admitted.drift.is_empty() => Verdict::Admitted,
            Self::Active(admitted) | Self::Drained(admitted) => Verdict::AdmittedWithDrift(admitted.drift.clone()),
        }
    }
}

impl Transition {
    /// Whether which members contribute, or which range is whose, may be different now.
    pub fn changes_admissions(self) -> bool {
        match self {
            Self::Unchanged | Self::Drained | Self::Resumed => false,
            Self::Admitted | Self::Moved | Self::Ended => true,
        }
    }
}
