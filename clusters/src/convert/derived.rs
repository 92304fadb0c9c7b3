//! Services and EndpointSlices that another multi-cluster product made out of another cluster's Service. To export them
//! would be to export that cluster's Service once more, under another name or from the wrong place.
//!
//! Only what such a product itself writes counts. Marks that users write for it (`service.cilium.io/global`,
//! `mirror.linkerd.io/exported`, …) are on Services of their own, and so is what Karmada writes on every object that it
//! propagates (`karmada.io/managed`).

use federation::model::product::{
    ADMIRALTY, CILIUM, CLUSTERNET, GKE, KARMADA, KUBE_ADMIRAL, LINKERD, LIQO, MCS_API, SKUPPER, SUBMARINER,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{LABEL_MANAGED_BY, LABEL_MCS_SERVICE_NAME, LABEL_SLICE_MANAGED_BY, LABEL_SOURCE_CLUSTER};

/// Keys of labels or annotations, and who writes them.
const KEYS: [(&str, &str); 20] = [
    // KEP-1645 knows them on EndpointSlices; implementations put them on the Service that they derive as well.
    (LABEL_SOURCE_CLUSTER, MCS_API),
    (LABEL_MCS_SERVICE_NAME, MCS_API),
    ("mirror.linkerd.io/mirrored-service", LINKERD),
    ("mirror.linkerd.io/cluster-name", LINKERD),
    ("mirror.linkerd.io/headless-mirror-svc-name", LINKERD),
    ("mirror.linkerd.io/mirrored-gateway", LINKERD),
    ("mirror.linkerd.io/remote-svc-fq-name", LINKERD),
    ("multicluster.linkerd.io/remote-discovery", LINKERD),
    ("multicluster.linkerd.io/local-discovery", LINKERD),
    ("submariner.io/exportedServiceRef", SUBMARINER),
    ("lighthouse.submariner.io/sourceCluster", SUBMARINER),
    ("lighthouse.submariner.io/sourceName", SUBMARINER),
    ("endpointslice.karmada.io/provision-cluster", KARMADA),
    ("internal.skupper.io/controlled", SKUPPER),
    ("internal.skupper.io/listener", SKUPPER),
    ("multicluster.admiralty.io/is-delegate", ADMIRALTY),
    ("multicluster.admiralty.io/parent-uid", ADMIRALTY),
    ("multicluster.admiralty.io/parent-name", ADMIRALTY),
    ("offloading.liqo.io/origin", LIQO),
    ("liqo.io/origin-cluster-id", LIQO),
];

/// Who says that it manages an object, by the label for all kinds or that for EndpointSlices.
const MANAGERS: [(&str, &str); 5] = [
    ("gke-mcs-controller.gke.io", GKE),
    ("lighthouse-agent.submariner.io", SUBMARINER),
    ("endpointslice-mesh-controller.cilium.io", CILIUM),
    ("endpointslice-dispatch-controller.karmada.io", KARMADA),
    ("endpointslice.reflection.liqo.io", LIQO),
];

/// Names of derived Services that begin so belong to one product alone.
const GKE_NAME: &str = "gke-mcs-";
/// Several products name derived Services so; those who are known by it also write keys of their own.
const DERIVED_NAME: &str = "derived-";
const DERIVED_DOMAINS: [(&str, &str); 3] =
    [("karmada.io", KARMADA), ("clusternet.io", CLUSTERNET), ("kubeadmiral.io", KUBE_ADMIRAL)];

/// The product that derived this object from another cluster's, as people call it.
pub(super) fn by(meta: &ObjectMeta) -> Option<&'static str> {
    let labels = || meta.labels.iter().flatten();
    let manager = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key));
    let managers = [manager(LABEL_MANAGED_BY), manager(LABEL_SLICE_MANAGED_BY)];
    let managed = || {
        let known = MANAGERS.iter().find(|(name, _)| managers.iter().flatten().any(|found| found == name));
        known.map(|(_, by)| *by)
    };
    let keys = || labels().chain(meta.annotations.iter().flatten()).filter(|(_, value)| *value != "false");
    let keyed = || KEYS.iter().find(|(key, _)| keys().any(|(found, _)| found == key)).map(|(_, by)| *by);
    let name = meta.name.as_deref().unwrap_or_default();
    let gke = || name.starts_with(GKE_NAME).then_some(GKE);
    let derived = || {
        let of = |domain: &str| keys().any(|(key, _)| is_in(key, domain));
        let known = DERIVED_DOMAINS.iter().find(|(domain, _)| of(domain)).map(|(_, by)| *by);
        known.filter(|_| name.starts_with(DERIVED_NAME))
    };
    owner(meta).or_else(managed).or_else(keyed).or_else(gke).or_else(derived)
}

/// A ServiceImport owns what was derived from it, whatever API group it is of.
fn owner(meta: &ObjectMeta) -> Option<&'static str> {
    let import = meta.owner_references.iter().flatten().find(|owner| owner.kind == "ServiceImport")?;
    Some(if import.api_version.starts_with("net.gke.io/") { GKE } else { MCS_API })
}

/// Whether a key's prefix is this domain or one below it.
fn is_in(key: &str, domain: &str) -> bool {
    let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
    prefix == domain || prefix.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}
