//! Two hubs with the same members: the first one writes, the second one says why it does not, and a person decides
//! otherwise.

use std::path::PathBuf;
use std::time::Duration;

use clusters::api::MemberCluster;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Api;

use crate::harness::{Federation, Isthmus, SOON, objects, run, still};
use crate::testbed::{Cluster, ClusterSpec, eventually};

const IDS: [&str; 2] = ["eu-1", "us-1"];
const WINDOW: Duration = Duration::from_secs(7);

/// Another hub for the members of a federation.
struct Hub {
    cluster: Cluster,
    kubeconfig: PathBuf,
}

impl Hub {
    async fn start(federation: &Federation) -> Self {
        let cluster = Cluster::start(ClusterSpec::named("hub-2").without_controllers()).await;
        for part in ["crds", "hub-rbac"] {
            let output = run(&["manifests", part]).await;
            cluster.apply(&String::from_utf8(output.stdout).expect("text")).await;
        }
        for region in ["eu", "us"] {
            cluster.apply(&objects::region(region, &[])).await;
        }
        for id in IDS {
            cluster.apply(&objects::secret(id, "kubeconfig", &federation.member(id).kubeconfig)).await;
            cluster.apply(&federation.member(id).declared()).await;
        }
        let token = cluster.token_of("isthmus-system", "isthmus-controller").await;
        let kubeconfig = federation.file("hub-2", &cluster.kubeconfig_with("isthmus-controller", &token));
        Self { cluster, kubeconfig }
    }

    async fn controller(&self) -> Isthmus {
        let mut controller = Isthmus::controller(&self.kubeconfig);
        controller.wait_ready().await;
        controller
    }
}

async fn until_synced(hub: &Cluster, id: &str, status: &str, reason: &str) -> Condition {
    let api = Api::<MemberCluster>::all(hub.client());
    eventually(&format!("{}: {id} Synced={status}/{reason}", hub.name()), SOON, async || {
        let all = api.get(id).await.map_err(|error| error.to_string())?.status.unwrap_or_default().conditions;
        let found = all.into_iter().find(|condition| condition.type_ == "Synced").ok_or("no such condition")?;
        if found.status == status && found.reason == reason { Ok(found) } else { Err(format!("{found:?}")) }
    })
    .await
}

/// The annotation that the message names.
fn take_over(condition: &Condition) -> &str {
    let text = condition.message.split_whitespace().find(|word| word.starts_with("isthmus.dev/take-over="));
    text.unwrap_or_else(|| panic!("the message says how: {}", condition.message))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_hub_writes_nothing_until_a_person_says_so() {
    let federation = Federation::joined(&IDS).await;
    let hub = Hub::start(&federation).await;
    let mut first = federation.controller().await;
    federation.all_ready().await;
    let (eu, us) = (federation.member("eu-1"), federation.member("us-1"));
    let uids = [federation.hub.uid().await, hub.cluster.uid().await];
    // A member is held before there is anything to mirror.
    let leases = Api::<Lease>::namespaced(us.cluster.client(), "isthmus-system");
    let holder =
        async || leases.get("isthmus-hub").await.expect("the Lease").spec.and_then(|spec| spec.holder_identity);
    assert_eq!(holder().await.as_ref(), Some(&uids[0]));

    let mut second = hub.controller().await;
    for id in IDS {
        until_synced(&hub.cluster, id, "False", "HeldByAnotherHub").await;
    }
    eu.serve("shop", "web", 1).await;
    let mirror = us.until_mirror("shop", "web", &["eu-1"]).await;
    let hub_of = |service: &k8s_openapi::api::core::v1::Service| {
        service.metadata.annotations.as_ref().and_then(|all| all.get("isthmus.dev/hub").cloned())
    };
    assert_eq!(hub_of(&mirror).as_ref(), Some(&uids[0]));
    let members = async || federation.scene_in(&IDS).await;
    still("members with two hubs", WINDOW, members).await;
    // Every view shows it.
    let output = run(&["status", "--hub-kubeconfig", &hub.kubeconfig.display().to_string()]).await;
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("HeldByAnotherHub") && shown.contains(&uids[0]), "{shown}");
    let page = second.members().await["us-1"].to_string();
    assert!(page.contains("HeldByAnotherHub"), "{page}");
    let events = hub.cluster.kubectl(&["get", "events.events.k8s.io", "-A", "-o", "yaml"]).await;
    assert!(events.contains("HeldByAnotherHub"), "{events}");
    // The first hub may restart, or another replica of it may lead: it is the same hub.
    first.roll().await;
    federation.until_ready("us-1").await;
    still("members after the first hub restarted", WINDOW, members).await;

    // A word that names no claim changes nothing; the one from the message does.
    let held = until_synced(&hub.cluster, "us-1", "False", "HeldByAnotherHub").await;
    hub.cluster.kubectl(&["annotate", "membercluster", "us-1", "isthmus.dev/take-over=true"]).await;
    still("members while no claim was named", WINDOW / 2, members).await;
    hub.cluster.kubectl(&["annotate", "--overwrite", "membercluster", "us-1", take_over(&held)]).await;
    until_synced(&hub.cluster, "us-1", "True", "Synced").await;
    let lost = until_synced(&federation.hub, "us-1", "False", "HeldByAnotherHub").await;
    assert_eq!(holder().await.as_ref(), Some(&uids[1]));
    us.until_service("shop", "web", "is the second hub's", |found| hub_of(found).as_ref() == Some(&uids[1])).await;
    still("members after a hub took one over", WINDOW, members).await;
    until_synced(&federation.hub, "eu-1", "True", "Synced").await;

    // And back, although the second hub's annotation is still there: it named a claim that is gone.
    federation.hub.kubectl(&["annotate", "membercluster", "us-1", take_over(&lost)]).await;
    until_synced(&federation.hub, "us-1", "True", "Synced").await;
    until_synced(&hub.cluster, "us-1", "False", "HeldByAnotherHub").await;
    us.until_service("shop", "web", "is the first hub's again", |found| hub_of(found).as_ref() == Some(&uids[0])).await;
    still("members after the first hub took it back", WINDOW, members).await;
    first.must_run();
    second.must_run();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hubs_that_start_together_settle_on_one() {
    let federation = Federation::joined(&IDS).await;
    let hub = Hub::start(&federation).await;
    federation.member("eu-1").serve("shop", "web", 1).await;
    let (_first, _second) = futures::join!(federation.controller(), hub.controller());
    let us = federation.member("us-1");
    us.until_mirror("shop", "web", &["eu-1"]).await;
    let leases = Api::<Lease>::namespaced(us.cluster.client(), "isthmus-system");
    let holder = leases.get("isthmus-hub").await.expect("the Lease").spec.and_then(|spec| spec.holder_identity);
    let winner_is_first = holder == Some(federation.hub.uid().await);
    let (winner, loser) =
        if winner_is_first { (&federation.hub, &hub.cluster) } else { (&hub.cluster, &federation.hub) };
    until_synced(winner, "us-1", "True", "Synced").await;
    until_synced(loser, "us-1", "False", "HeldByAnotherHub").await;
    still("members of two hubs that started together", WINDOW, async || federation.scene_in(&["us-1"]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_whose_rights_are_older_says_what_is_missing() {
    let federation = Federation::joined(&IDS).await;
    let us = federation.member("us-1");
    let older = r#"[{"op": "remove", "path": "/rules/8"}, {"op": "remove", "path": "/rules/7"}]"#;
    us.cluster.kubectl(&["patch", "clusterrole", "isthmus-member", "--type=json", "-p", older]).await;
    let _controller = federation.controller().await;
    federation.until_ready("eu-1").await;
    let unknown = federation.until("us-1", "Synced", "False", "HolderUnknown").await;
    assert!(unknown.message.contains("member-rbac"), "{}", unknown.message);
    federation.member("eu-1").serve("shop", "web", 1).await;
    still("a member that no hub is known to hold", WINDOW / 2, async || federation.scene_in(&["us-1"]).await).await;
    let manifest = run(&["manifests", "member-rbac"]).await;
    us.cluster.apply(&String::from_utf8(manifest.stdout).expect("text")).await;
    us.until_mirror("shop", "web", &["eu-1"]).await;
    federation.until_ready("us-1").await;
}
