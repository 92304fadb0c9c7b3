//! What a member should hold of the objects that Isthmus makes: one type for all kinds.
//!
//! A kind is a variant of [`Desired`] and of [`Key`]. An [`Action`] carries its key or the object that has it, so that the key of
//! one kind cannot be paired with an object of another one.

use std::fmt;
use std::sync::Arc;

use crate::model::{Affinity, ClusterId, HelmRelease, Namespace, ServiceKey, ServicePort};

/// Names one object that Isthmus makes inside one member. The order of kinds is the order in which they are written: Namespaces
/// sort first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Namespace(Namespace),
    Service(ServiceKey),
}

impl Key {
    /// What a service that members export may need in each member, sorted.
    pub fn of_service(service: &ServiceKey) -> [Self; 2] {
        [Self::Namespace(service.namespace.clone()), Self::Service(service.clone())]
    }

    /// Kind, Namespace (`None` for kinds that have none) and name, as Kubernetes has them.
    pub fn parts(&self) -> (&'static str, Option<&str>, &str) {
        match self {
            Self::Namespace(name) => ("Namespace", None, name.as_str()),
            Self::Service(key) => ("Service", Some(key.namespace.as_str()), &key.name),
        }
    }

    /// The object without which this one cannot be made.
    pub fn requires(&self) -> Option<Self> {
        match self {
            Self::Namespace(_) => None,
            Self::Service(key) => Some(Self::Namespace(key.namespace.clone())),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (kind, Some(namespace), name) => write!(f, "{kind} {namespace}/{name}"),
            (kind, None, name) => write!(f, "{kind} {name}"),
        }
    }
}

/// An object as a member should hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Desired {
    Namespace(MirrorNamespace),
    Service(Arc<MirrorService>),
}

impl Desired {
    pub fn key(&self) -> Key {
        match self {
            Self::Namespace(namespace) => Key::Namespace(namespace.name.clone()),
            Self::Service(service) => Key::Service(service.key.clone()),
        }
    }
}

/// What a writer does about one object. A newer action for a key replaces an older one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Apply(Desired),
    /// Give up Isthmus's fields: a user took the object over.
    Release(Key),
    /// Delete exactly this object: `uid` and `resource_version` are preconditions.
    Delete {
        key: Key,
        uid: Arc<str>,
        resource_version: Arc<str>,
    },
    /// Nothing, or no longer anything: the object is as desired, or it is not Isthmus's, or the decision is not certain.
    Leave(Key),
}

impl Action {
    pub fn key(&self) -> Key {
        match self {
            Self::Apply(desired) => desired.key(),
            Self::Release(key) | Self::Delete { key, .. } | Self::Leave(key) => key.clone(),
        }
    }

    pub fn is_leave(&self) -> bool {
        matches!(self, Self::Leave(_))
    }
}

/// A Namespace of that name should exist; it does not matter who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorNamespace {
    pub name: Namespace,
    /// If it has to be made, it belongs to this Helm release.
    pub helm: Option<Arc<HelmRelease>>,
}

/// A Service without a selector, as desired in a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorService {
    pub key: ServiceKey,
    pub headless: bool,
    pub affinity: Affinity,
    /// Names are unique and, if there is more than one port, never empty (a rule of the Service API).
    pub ports: Vec<ServicePort>,
    /// Clusters that back it, sorted.
    pub sources: Vec<ClusterId>,
    /// The Helm release of the oldest export, so that a release of the same name can take the object over.
    pub helm: Option<Arc<HelmRelease>>,
}
