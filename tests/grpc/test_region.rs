//! A folder with two members in `eu` and one in `us`, and a region that serves it.

use std::net::{Ipv4Addr, SocketAddr};

use tempfile::TempDir;

use super::peer::Peer;
use crate::harness::files::replace;
use crate::harness::{Isthmus, Source, objects};
use crate::testbed::ports;

/// The Service's port; the pods listen on another one.
const PORT: u16 = 9000;
const MEMBERS: [(&str, &str, u8); 3] = [("eu-1", "eu", 90), ("eu-2", "eu", 91), ("us-1", "us", 92)];
/// Services that carry the label `share: declared`.
const POLICY: &str = "---\napiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {name: split}\n\
                      spec:\n  selects: {services: {matchLabels: {share: declared}}}\n  \
                      failover: {clusters: [{name: eu-1, weight: 3}, {name: eu-2, weight: 1}]}\n";

pub(super) struct TestRegion {
    folder: TempDir,
    /// Of all pods: their addresses tell them apart.
    pod_port: u16,
    pub region: Isthmus,
}

/// What an EndpointSlice says of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    NotReady,
    Terminating,
}

/// One that ends in `number`, in zone `<region>-a` of its member.
pub(super) type Pod = (u8, State);

impl TestRegion {
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with further flags for the region.
    pub(super) async fn start_with(flags: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut hub = vec![objects::region("eu", &["us"]), objects::region("us", &[]), POLICY.to_owned()];
        for (id, region, number) in MEMBERS {
            let (pods, services) = (format!("127.{number}.0.0/16"), format!("10.{number}.0.0/16"));
            hub.push(objects::member_cluster(id, region, &[&pods], &[&services]));
            replace(&folder.path().join("clusters").join(id), "namespace.yaml", &objects::namespace("shop"));
        }
        replace(folder.path(), "hub.yaml", &hub.concat());
        let mut region = Isthmus::region_with("eu", Source::Folder(folder.path()), flags);
        region.wait_ready().await;
        Self { folder, pod_port: ports::free(), region }
    }

    /// What clients dial for `name`.
    pub(super) fn target(name: &str) -> String {
        format!("xds:///{name}.shop.svc.cluster.local:{PORT}")
    }

    pub(super) fn pod(&self, member: &str, number: u8) -> SocketAddr {
        let octet = MEMBERS.into_iter().find(|(id, ..)| *id == member).map(|(.., octet)| octet).expect("a member");
        SocketAddr::new(Ipv4Addr::new(127, octet, 0, number).into(), self.pod_port)
    }

    /// Starts the servers of these pods, each called `member/number`.
    pub(super) async fn start_pods(&self, by: &Peer, member: &str, numbers: &[u8]) {
        for number in numbers {
            by.serve(self.pod(member, *number), &format!("{member}/{number}")).await;
        }
    }

    /// A member's part of a service, or its new state. `share` is "declared" or anything else.
    pub(super) fn serve(&self, member: &str, name: &str, share: &str, pods: &[Pod]) {
        let region = member.split('-').next().expect("a region");
        let endpoint = |(number, state): &Pod| {
            let (ready, terminating) = (*state == State::Ready, *state == State::Terminating);
            let ip = self.pod(member, *number).ip();
            format!(
                "{{addresses: ['{ip}'], zone: {region}-a, conditions: {{ready: {ready}, terminating: {terminating}}}}}"
            )
        };
        let endpoints: Vec<String> = pods.iter().map(endpoint).collect();
        let labels = format!("isthmus.dev/federate: 'true', share: {share}");
        let spec = format!("selector: {{app: {name}}}, ports: [{{name: grpc, port: {PORT}}}]");
        let slice = format!(
            "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
             metadata: {{name: {name}-1, namespace: shop, labels: {{kubernetes.io/service-name: {name}}}}}\n\
             addressType: IPv4\nports: [{{name: grpc, port: {}}}]\nendpoints: [{}]\n",
            self.pod_port,
            endpoints.join(", ")
        );
        let all = objects::service("shop", name, &labels, &spec) + &slice;
        replace(&self.folder.path().join("clusters").join(member), &format!("{name}.yaml"), &all);
    }

    /// The member has no such service any more.
    pub(super) fn withdraw(&self, member: &str, name: &str) {
        std::fs::remove_file(self.folder.path().join("clusters").join(member).join(format!("{name}.yaml"))).unwrap();
    }

    /// Each type was accepted by a client, and nothing was rejected by any.
    pub(super) async fn nothing_was_rejected(&self, accepted: &[&str]) {
        let metrics = self.region.metrics().await;
        let nacks: Vec<_> = metrics.iter().filter(|(name, count)| name.contains("nacks") && **count > 0.0).collect();
        assert!(nacks.is_empty(), "{nacks:?}");
        for t in accepted {
            let acks = metrics.get(&format!("isthmus_xds_acks_total{{type=\"{t}\"}}"));
            assert!(acks.is_some_and(|acks| *acks > 0.0), "no {t} was accepted: {metrics:?}");
        }
    }
}
