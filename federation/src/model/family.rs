//! Address families.

use std::fmt;
use std::net::IpAddr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    #[default]
    V4,
    V6,
}

impl Family {
    pub fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// As Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// The families that a Service has or a cluster's pods have, the preferred one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Families {
    Only(Family),
    /// Both; this one first.
    Both(Family),
}

impl Families {
    /// In the order in which they first appear; `None` if there are none.
    pub fn new(list: impl IntoIterator<Item = Family>) -> Option<Self> {
        let mut list = list.into_iter();
        let first = list.next()?;
        Some(if list.any(|family| family != first) { Self::Both(first) } else { Self::Only(first) })
    }

    pub fn first(self) -> Family {
        match self {
            Self::Only(family) | Self::Both(family) => family,
        }
    }

    pub fn has(self, family: Family) -> bool {
        match self {
            Self::Only(only) => only == family,
            Self::Both(_) => true,
        }
    }

    /// Whether both sides have a family in common.
    pub fn meets(self, other: Self) -> bool {
        other.has(self.first()) || matches!(self, Self::Both(_))
    }

    /// The same families, this one first if it is among them.
    pub fn preferring(self, family: Family) -> Self {
        match self {
            Self::Only(_) => self,
            Self::Both(_) => Self::Both(family),
        }
    }
}

impl fmt::Display for Families {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(family) => f.write_str(family.as_str()),
            Self::Both(Family::V4) => f.write_str("IPv4 and IPv6"),
            Self::Both(Family::V6) => f.write_str("IPv6 and IPv4"),
        }
    }
}
