//! Multi-cluster products that derive Services from those of other clusters, by the names under which people know them.

/// One that is none of the others.
pub const OTHER: &str = "another multi-cluster product";
pub const MCS_API: &str = "an implementation of the MCS API";
pub const GKE: &str = "GKE Multi-Cluster Services";
pub const KARMADA: &str = "Karmada";
pub const LINKERD: &str = "Linkerd";
pub const SUBMARINER: &str = "Submariner";
pub const CILIUM: &str = "Cilium Cluster Mesh";
pub const LIQO: &str = "Liqo";
pub const SKUPPER: &str = "Skupper";
pub const ADMIRALTY: &str = "Admiralty";
pub const CLUSTERNET: &str = "Clusternet";
pub const KUBE_ADMIRAL: &str = "KubeAdmiral";

/// All of them but [`OTHER`].
pub const ALL: [&str; 11] =
    [MCS_API, GKE, KARMADA, LINKERD, SUBMARINER, CILIUM, LIQO, SKUPPER, ADMIRALTY, CLUSTERNET, KUBE_ADMIRAL];

/// The product of this name; [`OTHER`] if it is not known here.
pub fn named(name: &str) -> &'static str {
    ALL.into_iter().find(|known| *known == name).unwrap_or(OTHER)
}
