//! What gets installed, as it stands in the folder `manifests/`.

pub const HUB_RBAC: &str = include_str!("../manifests/hub-rbac.yaml");
pub const MEMBER_RBAC: &str = include_str!("../manifests/member-rbac.yaml");
pub const DEPLOYMENTS: &str = include_str!("../manifests/deployments.yaml");

/// The custom resource definitions, made from the Rust types.
pub fn crds() -> String {
    crate::api::render_crds()
}
