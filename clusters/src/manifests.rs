//! What gets installed: the texts in the folder `manifests/`, with the words that begin with `$` filled in. Every value is
//! checked before it gets here ([`Image`], [`RegionId`], [`Namespace`]), so none of them can change the shape of a text.

mod image;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use federation::model::{Namespace, RegionId};

pub use image::{Image, PullPolicy};

const HUB_RBAC: &str = include_str!("../../manifests/hub-rbac.yaml");
const CONTROLLER: &str = include_str!("../../manifests/controller.yaml");
const REGION: &str = include_str!("../../manifests/region.yaml");
const REGION_ADDRESS: &str = include_str!("../../manifests/region-address.yaml");
const REGION_ADDRESS_SLICE: &str = include_str!("../../manifests/region-address-slice.yaml");
/// What a member cluster gives: its namespace is always the one in which hubs look for their Lease.
pub const MEMBER_RBAC: &str = include_str!("../../manifests/member-rbac.yaml");
/// Between two documents.
const NEXT: &str = "---\n";
/// Longest name of a region whose Service `isthmus-region-<name>` can have its name: that is an RFC 1123 label.
pub const MAX_REGION_LEN: usize = 63 - "isthmus-region-".len();
/// Addresses of one region's control plane: an EndpointSlice holds no more.
pub const MAX_ADDRESSES: usize = 100;

/// Where things are in the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Isthmus's own namespace, with the controller's credentials.
    pub namespace: Namespace,
    /// Where regions read Secrets.
    pub secrets: Namespace,
}

/// What runs in the hub.
#[derive(Clone, Debug)]
pub struct Deployments {
    pub places: Places,
    pub image: Image,
    pub pull_policy: PullPolicy,
    pub replicas: u16,
    pub regions: Vec<RegionId>,
}

/// The custom resource definitions, made from the Rust types.
pub fn crds() -> String {
    crate::api::render_crds()
}

/// Accounts and roles in the hub.
pub fn hub_rbac(places: &Places) -> String {
    let own = places.fill(HUB_RBAC);
    if places.secrets == places.namespace {
        return own;
    }
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: \"{}\"\n", places.secrets.as_str());
    [namespace, own].join(NEXT)
}

impl Places {
    fn fill(&self, text: &str) -> String {
        text.replace("$SECRETS_NAMESPACE", self.secrets.as_str()).replace("$NAMESPACE", self.namespace.as_str())
    }

    /// The flags that differ from their defaults.
    fn flags(&self, of_region: bool) -> Vec<String> {
        let mut flags = Vec::new();
        if self.namespace.as_str() != crate::api::SYSTEM_NAMESPACE {
            flags.push(format!("--namespace={}", self.namespace.as_str()));
        }
        if of_region && self.secrets != self.namespace {
            flags.push(format!("--secrets-namespace={}", self.secrets.as_str()));
        }
        flags
    }
}

impl Deployments {
    /// The controller, and a control plane for each region, with what belongs to them.
    pub fn render(&self) -> String {
        let controller = self.fill(CONTROLLER, &self.args(&["controller".to_owned()], false));
        let region = |region: &RegionId| {
            let name = region.as_str();
            let first =
                ["region".to_owned(), format!("--region={name}"), format!("--tls-secret=isthmus-region-{name}-tls")];
            self.fill(REGION, &self.args(&first, true)).replace("$REGION", name)
        };
        let all: Vec<String> = std::iter::once(controller).chain(self.regions.iter().map(region)).collect();
        all.join(NEXT)
    }

    fn args(&self, first: &[String], of_region: bool) -> String {
        let last = ["--probes=0.0.0.0:15021".to_owned(), "--log-format=json".to_owned()];
        [first, &self.places.flags(of_region), &last].concat().join(", ")
    }

    fn fill(&self, text: &str, args: &str) -> String {
        self.places
            .fill(text)
            .replace("$ARGS", args)
            .replace("$IMAGE", self.image.as_str())
            .replace("$PULL_POLICY", self.pull_policy.as_str())
            .replace("$REPLICAS", &self.replicas.to_string())
    }
}

/// How a region's control plane is found from a member: a name in the member's DNS that answers with these addresses.
pub fn region_address(region: &RegionId, addresses: &[IpAddr]) -> String {
    let service = REGION_ADDRESS.replace("$REGION", region.as_str());
    let slice = |family: &str, kind: &str, fits: fn(&IpAddr) -> bool| {
        let fitting = addresses.iter().filter(|address| fits(address));
        let endpoints: Vec<String> =
            fitting.map(|address| format!("- {{addresses: [\"{address}\"], conditions: {{ready: true}}}}")).collect();
        let text = REGION_ADDRESS_SLICE
            .replace("$REGION", region.as_str())
            .replace("$FAMILY", family)
            .replace("$TYPE", kind)
            .replace("$ENDPOINTS", &endpoints.join("\n"));
        (!endpoints.is_empty()).then_some(text)
    };
    let slices = [slice("ipv4", "IPv4", IpAddr::is_ipv4), slice("ipv6", "IPv6", IpAddr::is_ipv6)];
    let all: Vec<String> = std::iter::once(service).chain(slices.into_iter().flatten()).collect();
    all.join(NEXT)
}
