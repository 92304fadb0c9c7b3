//! Services, namespaces and export marks as one member cluster holds them.

use std::net::IpAddr;
use std::sync::Arc;

use super::{ClusterId, Families, Labels, Namespace, ServiceKey, Time};

/// One Service object of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub key: ServiceKey,
    /// The object's UID and resourceVersion: preconditions of a later delete.
    pub uid: Arc<str>,
    pub resource_version: Arc<str>,
    pub created: Time,
    pub labels: Labels,
    pub kind: ServiceKind,
    /// ClusterIPs, primary family first. Empty for headless and ExternalName services.
    pub cluster_ips: Vec<IpAddr>,
    /// `ipFamilies`, else those of the ClusterIPs. `None`: neither is set (yet), and endpoints of both are its own.
    pub families: Option<Families>,
    pub ports: Vec<ServicePort>,
    pub affinity: Affinity,
    pub owner: Owner,
    /// `internalTrafficPolicy: Local`: its clients are to reach endpoints of their own Node only.
    pub node_local: bool,
    /// The multi-cluster product that made this Service out of another cluster's: one of [`super::product`].
    pub derived_by: Option<&'static str>,
    /// Something on it that looks like a mark and is none: what was found, and what is expected.
    pub hint: Option<Arc<str>>,
    /// The Helm release that it belongs to, if it does. Not kept for mirrors: see [`Mark`].
    pub helm: Option<Arc<HelmRelease>>,
}

impl Service {
    /// It bears the mark of a mirror and no sign of a user: it offers no workloads of its own, whichever program wrote it.
    pub fn is_mirror(&self) -> bool {
        self.owner.is_mirror()
    }

    /// Its mark, if it is a mirror that this or another hub wrote.
    pub fn mark(&self) -> Option<&Mark> {
        self.owner.mark()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    ClusterIp,
    Headless,
    /// Never federated: it has no endpoints of its own (KEP-1645).
    ExternalName,
}

/// Which program or user owns a Service or Namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A user's: a source, and never changed by Isthmus.
    User,
    /// A mirror: it carries Isthmus's label, and Isthmus's field manager wrote it.
    Mirror(Box<Mark>),
    /// Carries Isthmus's label and both annotations, but another program wrote it: a backup was restored. It is a mirror
    /// again as soon as the hub that it names has written it.
    Restored(Box<Mark>),
    /// Carries Isthmus's label and no other sign that Isthmus wrote it: a copy, or a forgery. Isthmus does not change it,
    /// and it offers no workloads.
    Lookalike,
    /// Isthmus wrote it, and since then a user or a user's tool took it over: it has a selector, or another manager
    /// applies its spec, or Isthmus's label was removed. Isthmus's fields are to be removed from it.
    Adopted,
}

impl Owner {
    /// As [`Service::is_mirror`].
    pub(crate) fn is_mirror(&self) -> bool {
        matches!(self, Self::Mirror(_) | Self::Restored(_) | Self::Lookalike)
    }

    /// As [`Service::mark`].
    pub(crate) fn mark(&self) -> Option<&Mark> {
        match self {
            Self::Mirror(mark) | Self::Restored(mark) => Some(mark),
            Self::User | Self::Lookalike | Self::Adopted => None,
        }
    }
}

/// The annotations of a mirror. There are as many as mirrors, so texts that are only compared are kept as digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Clusters that back it, as annotated.
    pub sources: Vec<ClusterId>,
    /// The hub that wrote it last.
    pub hub: Digest,
    /// The Helm release that it names; see [`HelmRelease::digest`].
    pub helm: Digest,
    /// Another manager wrote the fields that name a Helm release, which is how people prepare an adoption: they are
    /// left as they are.
    pub helm_claimed: bool,
}

/// A digest of a text, to be compared with others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u64);

impl Digest {
    /// FNV-1a. No secret depends on it; the same on every replica and in every version.
    pub fn of(text: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Self(text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }

    /// For encodings; the inverse of [`Digest::from_bits`].
    pub fn to_bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// The release by which Helm knows an object: the annotations `meta.helm.sh/release-name` and `-namespace` together
/// with the label `app.kubernetes.io/managed-by: Helm`. Helm takes over an existing object only if it has all three.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HelmRelease {
    pub name: Arc<str>,
    pub namespace: Arc<str>,
}

impl HelmRelease {
    /// `None`: no release.
    pub fn digest(release: Option<&Self>) -> Digest {
        release.map_or_else(Digest::default, |release| Digest::of(&format!("{}/{}", release.namespace, release.name)))
    }
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePort {
    /// Empty if the only port has no name.
    pub name: Arc<str>,
    pub port: u16,
    pub protocol: Protocol,
    /// `appProtocol` as written, if any.
    pub app_protocol: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// As in the Kubernetes API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// What a proxy may assume about the bytes on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AppProtocol {
    Http,
    /// HTTP/2 with prior knowledge, gRPC included.
    Http2,
    /// Anything else, including ports whose protocol is not declared.
    Tcp,
}

impl AppProtocol {
    /// As shown to users.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Http2 => "http2",
            Self::Tcp => "tcp",
        }
    }

    /// `appProtocol` decides, else the port name up to its first `-` (Istio's rule): `grpc-web`, `http`, `http2-x`, `tcp`.
    /// What is not known is TCP: it works for every protocol, and is only less capable.
    pub fn of(port: &ServicePort) -> Self {
        let declared = port.app_protocol.as_deref().unwrap_or_else(|| port.name.split('-').next().unwrap_or_default());
        match declared.to_ascii_lowercase().as_str() {
            "http" | "http1" | "http-web" | "kubernetes.io/ws" => Self::Http,
            "http2" | "h2c" | "grpc" | "grpc-web" | "kubernetes.io/h2c" => Self::Http2,
            _ => Self::Tcp,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Affinity {
    #[default]
    None,
    ClientIp {
        timeout_s: u32,
    },
}

/// A Namespace of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceObject {
    pub name: Namespace,
    pub uid: Arc<str>,
    pub resource_version: Arc<str>,
    pub labels: Labels,
    /// True when it is being deleted: nothing can be created in it.
    pub terminating: bool,
    /// As for a [`Service`].
    pub hint: Option<Arc<str>>,
    /// The Helm release that it belongs to, if it does.
    pub helm: Option<Arc<HelmRelease>>,
}

/// A `ServiceExport` (KEP-1645): the service takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    pub key: ServiceKey,
    pub created: Time,
}
