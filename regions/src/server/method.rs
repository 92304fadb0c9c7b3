//! Which method of which service was called.

use crate::resource::ResourceType;
use crate::session::Variant;

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    Discovery(Method),
    /// CSDS.
    Status,
    /// LRS.
    Loads,
}

/// A discovery stream: ADS, or the part of it that one of the older services serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    pub variant: Variant,
    /// The one type of a per-type service; requests need not name it there.
    pub only: Option<ResourceType>,
}

/// Paths as `/<service>/<method>`; `None`: nothing that is served here.
pub fn called(path: &str) -> Option<Called> {
    let path = path.strip_prefix("/envoy.service.")?;
    Some(match path {
        "discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources" => all(Variant::Sotw),
        "discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources" => all(Variant::Delta),
        "load_stats.v3.LoadReportingService/StreamLoadStats" => Called::Loads,
        _ if path.starts_with("status.v3.ClientStatusDiscoveryService/") => Called::Status,
        _ => Called::Discovery(of_one_type(path)?),
    })
}

fn all(variant: Variant) -> Called {
    Called::Discovery(Method { variant, only: None })
}

fn of_one_type(path: &str) -> Option<Method> {
    let variants = || [Variant::Sotw, Variant::Delta].into_iter();
    let methods = ResourceType::ALL.into_iter().flat_map(|t| variants().map(move |variant| (t, variant)));
    let mut found = methods.filter(|(t, variant)| t.method(*variant == Variant::Delta) == Some(path));
    found.next().map(|(t, variant)| Method { variant, only: Some(t) })
}
