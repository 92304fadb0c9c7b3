//! What is written, and into which cluster: one type for all kinds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use federation::desired::{self, Action};
use federation::model::ClusterId;

use super::accepted_status::{AcceptedKind, AcceptedStatus};
use super::member_status::MemberStatus;

/// The cluster that a write goes to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Hub,
    Member(ClusterId),
}

/// Names one object in one cluster. What sorts first is written first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    InMember(ClusterId, desired::Key),
    InHub(StatusKey),
}

/// Names the status of one object of the hub.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StatusKey {
    Member(Arc<str>),
    Accepted(AcceptedKind, Arc<str>),
}

impl Key {
    pub(super) fn target(&self) -> Target {
        match self {
            Self::InMember(member, _) => Target::Member(member.clone()),
            Self::InHub(_) => Target::Hub,
        }
    }

    /// What must be written before this.
    pub(super) fn requires(&self) -> Option<Self> {
        match self {
            Self::InMember(member, key) => key.requires().map(|key| Self::InMember(member.clone(), key)),
            Self::InHub(_) => None,
        }
    }
}

/// Without the cluster.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InMember(_, key) => write!(f, "{key}"),
            Self::InHub(StatusKey::Member(name)) => write!(f, "the status of MemberCluster {name}"),
            Self::InHub(StatusKey::Accepted(kind, name)) => write!(f, "the status of {} {name}", kind.as_str()),
        }
    }
}

/// One write, as it should be made now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Write {
    InMember(ClusterId, Action),
    InHub(Status),
}

/// The status that an object of the hub should have.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Status {
    Member(Arc<MemberStatus>),
    Accepted(Arc<AcceptedStatus>),
}

impl Write {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::InMember(member, action) => Key::InMember(member.clone(), action.key()),
            Self::InHub(Status::Member(status)) => Key::InHub(StatusKey::Member(Arc::clone(&status.name))),
            Self::InHub(Status::Accepted(status)) => {
                Key::InHub(StatusKey::Accepted(status.kind, Arc::clone(&status.name)))
            }
        }
    }
}

/// What is wanted of one object from now on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Submission {
    Write(Write),
    /// Nothing any more: it is as it should be, or not ours, or gone.
    TakeBack(Key),
}

impl Submission {
    pub(super) fn into_parts(self) -> (Key, Option<Write>) {
        match self {
            Self::Write(write) => (write.key(), Some(write)),
            Self::TakeBack(key) => (key, None),
        }
    }
}

impl From<(ClusterId, Action)> for Submission {
    fn from((member, action): (ClusterId, Action)) -> Self {
        match action {
            Action::Leave(key) => Self::TakeBack(Key::InMember(member, key)),
            action => Self::Write(Write::InMember(member, action)),
        }
    }
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The API server shows the object as desired, or it is not for us to change it. The write stays until the watch shows
    /// it.
    Accepted,
    Retry(Arc<str>),
}

/// How the writes of one target are spaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Longest wait after failures.
    pub(super) last_retry: Duration,
    /// How long the watch may take to show an accepted write before the object is looked at again; it doubles.
    pub(super) first_check: Duration,
    /// A newer write of an object that could not be written is tried when the older one would have been. If not, at once.
    pub(super) keeps_wait: bool,
    /// An object that gets writes again and again is being changed by something else as well, and is written less often.
    pub(super) spaces_out: bool,
}

impl Pace {
    /// Members: many, and not the operator's own. What is to be written changes when the engine decides something.
    const MEMBER: Self = Self {
        last_retry: Duration::from_secs(30),
        first_check: Duration::from_secs(1),
        keeps_wait: false,
        spaces_out: true,
    };
    /// The hub: statuses change all the time by themselves, and people look at them.
    const HUB: Self = Self {
        last_retry: Duration::from_secs(8),
        first_check: Duration::from_secs(3),
        keeps_wait: true,
        spaces_out: false,
    };
}

impl Target {
    pub(super) fn pace(&self) -> Pace {
        match self {
            Self::Hub => Pace::HUB,
            Self::Member(_) => Pace::MEMBER,
        }
    }
}
