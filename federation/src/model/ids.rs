//! Names that are validated once, where objects are converted, and are cheap to clone afterwards.

use std::fmt;
use std::sync::Arc;

/// Longest RFC 1123 label, in bytes; Kubernetes uses it for namespaces and services, Isthmus for clusters and regions.
pub const MAX_LABEL_LEN: usize = 63;
/// Longest zone or network name, in bytes: both come from label values, which Kubernetes bounds so.
pub const MAX_PLACE_LEN: usize = 63;

/// A name that cannot be used. The text has what was found and what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("is empty; expected a lower-case RFC 1123 label such as \"eu-1\"")]
    Empty,
    #[error("has {found} bytes; expected at most {max}")]
    TooLong { found: usize, max: usize },
    #[error("is {found:?}; expected lower-case letters, digits and '-', starting and ending with a letter or digit")]
    NotALabel { found: String },
}

fn check_label(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_LABEL_LEN {
        return Err(NameError::TooLong { found: text.len(), max: MAX_LABEL_LEN });
    }
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let both_ends = bytes.first().is_some_and(|b| inner(*b)) && bytes.last().is_some_and(|b| inner(*b));
    if both_ends && bytes.iter().all(|b| inner(*b) || *b == b'-') {
        Ok(())
    } else {
        Err(NameError::NotALabel { found: text.to_owned() })
    }
}

fn check_place(text: &str) -> Result<(), NameError> {
    match text.len() {
        0 => Err(NameError::Empty),
        found if found > MAX_PLACE_LEN => Err(NameError::TooLong { found, max: MAX_PLACE_LEN }),
        _ => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and interns the text.
            pub fn new(text: &str) -> Result<Self, NameError> {
                $check(text)?;
                Ok(Self(Arc::from(text)))
            }
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

name!(
    /// A member cluster's id: an RFC 1123 label, stable for the membership.
    ClusterId, check_label
);
name!(
    /// A region's name: an RFC 1123 label.
    RegionId, check_label
);
name!(
    /// An availability zone, as in the label `topology.kubernetes.io/zone`: 1–63 bytes.
    Zone, check_place
);
name!(
    /// A network: members of one network can connect to each other's pod IPs directly.
    Network, check_place
);
name!(
    /// A Kubernetes namespace: an RFC 1123 label.
    Namespace, check_label
);

macro_rules! map_text {
    ($($name:ident),+) => {$(
        impl $name {
            /// The same name with another copy of its text.
            pub(crate) fn map_text(self, copy: impl FnOnce(Arc<str>) -> Arc<str>) -> Self {
                Self(copy(self.0))
            }
        }
    )+};
}
map_text!(Zone, Namespace);

impl Network {
    /// The network of members that name none.
    pub fn default_network() -> Self {
        Self(Arc::from("default"))
    }
}

/// `namespace/name` of a service. By namespace sameness (KEP-1645) this is one service wherever it appears.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    pub namespace: Namespace,
    pub name: Arc<str>,
}

impl ServiceKey {
    /// Checks both parts as RFC 1123 labels. (Services allow RFC 1123 labels since Kubernetes 1.36, RFC 1035 before.)
    pub fn new(namespace: &str, name: &str) -> Result<Self, NameError> {
        check_label(name)?;
        Ok(Self { namespace: Namespace::new(namespace)?, name: Arc::from(name) })
    }

    /// The name that cluster DNS resolves: `name.namespace.svc.cluster.local`, without a trailing dot.
    pub fn dns_name(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.name, self.namespace)
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
