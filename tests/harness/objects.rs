//! Kubernetes objects as YAML, and what tests read off them.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Field manager of the product.
pub const MANAGER: &str = "isthmus";

pub fn region(name: &str, failover: &[&str]) -> String {
    format!(
        "---\napiVersion: isthmus.dev/v1alpha1\nkind: Region\nmetadata: {{name: {name}}}\nspec: {{failover: [{}]}}\n",
        failover.join(", ")
    )
}

/// A member whose Secret has its own name. A list of ranges that is empty is left out.
pub fn member_cluster(id: &str, region: &str, pods: &[&str], services: &[&str]) -> String {
    let list = |name: &str, ranges: &[&str]| match ranges {
        [] => String::new(),
        ranges => format!("    {name}: ['{}']\n", ranges.join("', '")),
    };
    let (pods, services) = (list("pods", pods), list("services", services));
    let cidrs = if pods.is_empty() && services.is_empty() { "" } else { "  cidrs:\n" };
    format!(
        "---\napiVersion: isthmus.dev/v1alpha1\nkind: MemberCluster\nmetadata: {{name: {id}}}\n\
         spec:\n  region: {region}\n  kubeconfigSecretRef: {{name: {id}}}\n{cidrs}{pods}{services}"
    )
}

/// The Secret with a member's kubeconfig.
pub fn secret(name: &str, key: &str, content: &str) -> String {
    let content = serde_json::to_string(content).expect("a string is JSON");
    format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: isthmus-system}}\n\
         stringData: {{{key}: {content}}}\n"
    )
}

/// The definition of `ServiceExport` in one version, with what its schema (in YAML flow style) allows.
pub fn service_exports(version: &str, schema: &str) -> String {
    format!(
        "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  \
         name: serviceexports.multicluster.x-k8s.io\n  annotations: {{api-approved.kubernetes.io: \
         'https://github.com/kubernetes/enhancements/tree/master/keps/sig-multicluster/1645-multi-cluster-services-api'}}\n\
         spec:\n  group: multicluster.x-k8s.io\n  scope: Namespaced\n  \
         names: {{kind: ServiceExport, plural: serviceexports, singular: serviceexport}}\n  \
         versions: [{{name: {version}, served: true, storage: true, schema: {{openAPIV3Schema: {schema}}}}}]\n"
    )
}

pub fn namespace(name: &str) -> String {
    format!("---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n")
}

/// A marked Service with one port, `http` on 80.
pub fn federated(namespace: &str, name: &str) -> String {
    let spec = format!("selector: {{app: {name}}}, ports: [{{name: http, port: 80, targetPort: 8080}}]");
    service(namespace, name, "isthmus.dev/federate: 'true'", &spec)
}

/// A Service with these labels and this spec, both in YAML flow style, without the braces.
pub fn service(namespace: &str, name: &str, labels: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}, labels: {{{labels}}}}}\n\
         spec: {{{spec}}}\n"
    )
}

pub fn slice_name(service: &str) -> String {
    format!("{service}-pods")
}

/// The one EndpointSlice of a [`federated`] Service: ready pods on port `http` 8080.
pub fn slice(namespace: &str, service: &str, pods: &[String], zone: &str) -> String {
    let endpoint = |ip: &String| format!("- {{addresses: ['{ip}'], zone: {zone}, conditions: {{ready: true}}}}\n");
    let endpoints: String = pods.iter().map(endpoint).collect();
    let endpoints =
        if endpoints.is_empty() { "endpoints: []\n".to_owned() } else { format!("endpoints:\n{endpoints}") };
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}\n  namespace: {namespace}\n  \
         labels: {{kubernetes.io/service-name: {service}}}\naddressType: IPv4\nports: [{{name: http, port: 8080}}]\n\
         {endpoints}",
        name = slice_name(service)
    )
}

pub fn node(name: &str, zone: &str, pod_cidr: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{topology.kubernetes.io/zone: {zone}}}}}\n\
         spec: {{podCIDR: '{pod_cidr}', podCIDRs: ['{pod_cidr}']}}\n"
    )
}

/// The clusters that back a mirror, as it says; `None` for what is no mirror.
pub fn sources(service: &Service) -> Option<&str> {
    label(&service.metadata, "isthmus.dev/mirror").filter(|value| *value == "true")?;
    service.metadata.annotations.as_ref()?.get("isthmus.dev/sources").map(String::as_str)
}

pub fn label<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(name).map(String::as_str)
}

/// Who has written fields of the object.
pub fn managers(metadata: &ObjectMeta) -> Vec<&str> {
    metadata.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref()).collect()
}

/// `(name, port, protocol)` of each port, in the order of the object.
pub fn ports(service: &Service) -> Vec<(&str, i32, &str)> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();

    ports
        .iter()
        .map(|found| {
            let protocol = found.protocol.as_deref().unwrap_or("TCP");
            (found.name.as_deref().unwrap_or_default(), found.port, protocol)
        })
        .collect()
}

/// Everything that shows whether the object was written.
pub fn version(metadata: &ObjectMeta) -> (Option<String>, Option<String>) {
    (metadata.uid.clone(), metadata.resource_version.clone())
}
