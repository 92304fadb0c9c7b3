//! Fuzz target: files of any bytes.

use std::path::Path;
use std::sync::Arc;

use federation::model::ClusterId;
use fuzzing::{any_bytes, edited, run};
use proptest::prelude::*;

use crate::sources::folder::origin::Origin;
use crate::sources::folder::read::read;

const SEEDS: [&str; 6] = [
    "apiVersion: isthmus.dev/v1alpha1\nkind: Region\nmetadata: {name: eu}\nspec: {failover: [us]}\n---\napiVersion: isthmus.dev/v1alpha1\nkind: MemberCluster\nmetadata: {name: eu-1}\nspec:\n  region: eu\n  cidrs:\n    pods: ['10.0.0.0/16']\n    services: ['10.96.0.0/16']\n",
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\n  labels: {isthmus.dev/federate: 'true'}\nspec:\n  clusterIP: 10.96.0.9\n  ports:\n  - {name: http, port: 80}\n",
    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: discovery.k8s.io/v1\n  kind: EndpointSlice\n  metadata:\n    name: web-1\n    namespace: shop\n    labels: {kubernetes.io/service-name: web}\n  addressType: IPv4\n  endpoints:\n  - addresses: [10.0.0.1]\n    conditions: {ready: true}\n  ports: [{name: http, port: 8080}]\n",
    "{\"apiVersion\": \"v1\", \"kind\": \"NodeList\", \"items\": [{\"metadata\": {\"name\": \"n1\"}, \"spec\": {\"podCIDRs\": [\"10.0.1.0/24\"]}}]}",
    "# a comment\n---\napiVersion: v1\nkind: Namespace\nmetadata: &m {name: shop}\n---\napiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceExport\nmetadata:\n  <<: *m\n  namespace: shop\n",
    "apiVersion: v1\r\nkind: ConfigMap\r\nmetadata: {name: other}\r\ndata:\r\n  text: |\r\n    ---\r\n    kind: no\r\n",
];
const WORDS: [&str; 22] = [
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "kind: List\nitems:\n",
    "- ",
    "? ",
    ": ",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "|\n  ",
    ">-\n",
    "\"\\x",
    "'",
    "{",
    "}",
    "\u{feff}",
    "\u{85}",
    "apiVersion: v1",
    "metadata: {name: a}",
    "0x1F",
];

#[test]
fn fuzz_files() {
    let seeds = SEEDS.map(|seed| seed.as_bytes().to_vec()).to_vec();
    let inputs = prop_oneof![1 => any_bytes(1_000), 8 => edited(seeds, &WORDS)];
    let (file, shown): (Arc<Path>, _) = (Arc::from(Path::new("x.yaml")), Path::new("world/x.yaml"));
    let origins = [Origin::Hub, Origin::Member(ClusterId::new("eu-1").unwrap())];
    run("files", inputs, |bytes| {
        for origin in &origins {
            if let Err(problem) = read(&bytes, origin, &file, shown) {
                assert!(problem.to_string().contains("x.yaml"), "{problem}");
            }
        }
    });
}
