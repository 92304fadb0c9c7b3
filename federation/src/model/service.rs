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
    /// `ipFamilies`, else those of the ClusterIPs. `None`: it says nothing (yet), and endpoints of both are its own.
    pub families: Option<Families>,
    pub ports: Vec<ServicePort>,
    pub affinity: Affinity,
    pub owner: Owner,
}

impl Service {
    pub fn is_mirror(&self) -> bool {
        matches!(self.owner, Owner::Mirror { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKind {
    ClusterIp,
    Headless,
    /// Never federated: it has no endpoints of its own (KEP-1645).
    ExternalName,
}

/// Whose object a Service or Namespace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Somebody else's: a source, and never to be changed by us.
    User,
    /// Our mirror of a service, made for the clusters it names (sorted). Only with our label *and* our field manager.
    Mirror { sources: Vec<ClusterId> },
    /// Carries our label, but somebody gave it a selector: they applied their own Service over our mirror. It is theirs
    /// now, and we should let go of our fields.
    Adopted,
}

/// One port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// As Kubernetes spells it.
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
    /// Anything else, including ports whose protocol nobody declared.
    Tcp,
}

impl AppProtocol {
    /// As people read it.
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
    /// True when it is on its way out: nothing can be created in it.
    pub terminating: bool,
    pub owner: Owner,
}

/// A `ServiceExport` (KEP-1645): "this service takes part".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    pub key: ServiceKey,
    pub created: Time,
}
