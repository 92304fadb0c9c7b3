//! A cluster joins by two objects in whatever order, and stays a member over restarts and new credentials.

use clusters::api::CidrSourceName;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::ListParams;

use crate::harness::{Federation, Member, SOON, Source, objects, run};
use crate::testbed::{client_of, eventually};

const COLUMNS: [&str; 8] = ["NAME", "REGION", "READY", "REASON", "SERVICES", "ENDPOINTS", "SEEN", "AGE"];

/// A second account with the same rights, to rotate to.
const SECOND_ACCOUNT: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: isthmus-second, namespace: isthmus-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: isthmus-second}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: isthmus-member}
subjects: [{kind: ServiceAccount, name: isthmus-second, namespace: isthmus-system}]
";

#[tokio::test(flavor = "multi_thread")]
async fn members_join_in_any_order() {
    let federation = Federation::start(&["eu-1", "us-1", "ap-1"]).await;
    let controller = federation.controller().await;
    let [eu, us, ap] = ["eu-1", "us-1", "ap-1"].map(|id| federation.member(id));
    eu.serve("shop", "web", 2).await;

    // The member before its Secret and its Region: each lack is named, and none needs a restart once it is put right.
    federation.hub.apply(&eu.declared()).await;
    let connected = federation.until("eu-1", "Connected", "False", "SecretMissing").await;
    assert!(connected.message.contains("eu-1"), "which Secret: {}", connected.message);
    let admitted = federation.until("eu-1", "Admitted", "False", "UnknownRegion").await;
    assert!(admitted.message.contains("eu"), "which Region: {}", admitted.message);
    federation.hub.apply(&objects::region("eu", &["us"])).await;
    federation.until("eu-1", "Connected", "False", "SecretMissing").await;
    federation.add_secret("eu-1").await;
    federation.until_ready("eu-1").await;

    // In the usual order.
    federation.add_regions().await;
    federation.join("us-1").await;
    federation.until_ready("us-1").await;

    // Without ranges: they are found in its Nodes and its ServiceCIDR.
    for (number, zone) in [(0, "ap-a"), (1, "ap-a"), (2, "ap-b"), (3, "ap-b")] {
        let node = objects::node(&format!("node-{number}"), zone, &format!("10.3.{number}.0/24"));
        ap.cluster.apply(&node).await;
    }
    federation.add_secret("ap-1").await;
    federation.hub.apply(&objects::member_cluster("ap-1", "ap", &[], &[])).await;
    federation.until_ready("ap-1").await;

    statuses_tell(&federation).await;
    us.until_mirror("shop", "web", &["eu-1"]).await;
    table_tells(&federation).await;
    drop(controller);
}

async fn statuses_tell(federation: &Federation) {
    let ap = federation.status("ap-1").await;
    let cidrs = ap.cidrs.expect("observed ranges");
    assert_eq!(cidrs.pods, ["10.3.0.0/22"], "four neighbours are one range");
    assert_eq!(cidrs.services, [federation.member("ap-1").services()]);
    assert_eq!((cidrs.pods_source, cidrs.services_source), (CidrSourceName::Discovered, CidrSourceName::Discovered));
    assert_eq!(ap.admission.expect("an admission on record").pods, ["10.3.0.0/22"]);

    let eu =
        federation.until_status("eu-1", "counts", |status| status.counts.is_some_and(|counts| counts.services == 1));
    let eu = eu.await;
    let cidrs = eu.cidrs.expect("observed ranges");
    assert_eq!((cidrs.pods_source, cidrs.services_source), (CidrSourceName::Declared, CidrSourceName::Declared));
    assert_eq!(cidrs.pods, [federation.member("eu-1").pods()]);
    let uid = federation.member("eu-1").cluster.uid().await;
    assert_eq!(eu.cluster_uid, Some(uid.clone()));
    assert_eq!(eu.admission.expect("an admission on record").uid, uid);
    assert_eq!(eu.kubernetes_version.as_deref(), Some("v1.37.1"));
    assert_eq!(eu.counts.expect("counts").endpoints, 2);
    assert!(eu.last_seen.is_some());
    assert_eq!(eu.problems, [""; 0]);
}

/// What `kubectl get mc` shows.
async fn table_tells(federation: &Federation) {
    let rows = eventually("us-1 counts no service of its own", SOON, async || {
        let table = federation.hub.kubectl(&["get", "mc"]).await;
        let rows: Vec<Vec<String>> =
            table.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
        let complete = rows.iter().all(|row: &Vec<String>| row.len() == COLUMNS.len());
        if complete { Ok(rows) } else { Err(table) }
    })
    .await;
    assert_eq!(rows[0], COLUMNS);
    let firsts: Vec<String> = rows[1..].iter().map(|row| row[..6].join(" ")).collect();
    let reason = federation.condition("eu-1", "Ready").await.expect("Ready").reason;
    let expected = |id: &str, region: &str, counts: &str| format!("{id} {region} True {reason} {counts}");
    assert_eq!(firsts, [expected("ap-1", "ap", "0 0"), expected("eu-1", "eu", "1 2"), expected("us-1", "us", "0 0")]);
    for row in &rows[1..] {
        assert!(row[6..].iter().all(|age| age.ends_with('s') || age.ends_with('m')), "ages: {row:?}");
    }
    let names = federation.hub.kubectl(&["get", "isthmus", "-o", "name"]).await;
    assert!(names.contains("membercluster.isthmus.dev/eu-1") && names.contains("region.isthmus.dev/eu"), "{names}");

    // The same from the product's own command, from the hub alone.
    let hub = Source::Hub(&federation.hub_kubeconfig("isthmus-controller")).args();
    let output = run(&["status", &hub[0], "-o", "json"]).await;
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text} {}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let members: Vec<_> = document["members"].as_array().expect("members").iter().collect();
    assert_eq!(members.len(), 3, "{text}");
    assert!(members.iter().all(|member| member["ready"] == true), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_rotated_and_a_restart_changes_nothing() {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    let controller = federation.controller().await;
    let [eu, us] = ["eu-1", "us-1"].map(|id| federation.member(id));
    eu.serve("shop", "web", 1).await;
    us.until_mirror("shop", "web", &["eu-1"]).await;
    federation.all_ready().await;

    rotate(&federation, us).await;

    // A restart: the record decides, no member is admitted again, and nothing is written twice.
    federation.all_ready().await;
    let ids = ["eu-1", "us-1"];
    let settled = async || federation.scene_in(&ids).await;
    let (objects, records) = (settled().await, records(&federation, &ids).await);
    assert_eq!(controller.stop().await, Some(0), "a graceful end");
    let controller = federation.controller().await;
    for id in ids {
        federation.until_ready(id).await;
    }
    // It works again: what changes now is mirrored, so what did not change was looked at.
    us.serve("shop", "late", 1).await;
    eu.until_mirror("shop", "late", &["us-1"]).await;
    objects.assert_same(&settled().await.without(&["shop/late"]), "a restart rewrote objects");
    assert_eq!(records, self::records(&federation, &ids).await, "who was admitted when, and since when it is so");
    drop(controller);
}

/// A new credential in the Secret is used at once; one that does not work is reported, and the one that works is kept.
async fn rotate(federation: &Federation, us: &Member) {
    us.cluster.apply(SECOND_ACCOUNT).await;
    let old = client_of(&us.kubeconfig).await;
    let new = Member::credential(&us.cluster, "isthmus-second").await;
    let before = federation.status("us-1").await;
    federation.hub.apply(&objects::secret("us-1", "kubeconfig", &new)).await;
    // The old account goes. The API server remembers a token it has checked for some seconds.
    us.cluster.kubectl(&["delete", "serviceaccount", "-n", "isthmus-system", "isthmus-member", "--wait=false"]).await;
    eventually("the old credential is worth nothing", SOON, async || {
        match Api::<Service>::all(old.clone()).list(&ListParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
            other => Err(format!("{:?}", other.map(|list| list.items.len()))),
        }
    })
    .await;
    // Only the new one can write this.
    federation.member("eu-1").serve("shop", "after-rotation", 1).await;
    us.until_mirror("shop", "after-rotation", &["eu-1"]).await;
    let after = federation.status("us-1").await;
    assert_eq!(before.admission, after.admission, "the membership outlives its credential");

    // A credential that does not work.
    let broken = us.cluster.kubeconfig_with("no-account", "not-a-token");
    federation.hub.apply(&objects::secret("us-1", "kubeconfig", &broken)).await;
    let refused = federation
        .until_status("us-1", "the refused credential is reported", |status| {
            status.conditions.iter().any(|condition| {
                condition.reason == "CredentialRefused" || condition.message.contains("does not accept the credential")
            })
        })
        .await;
    assert!(!format!("{refused:?}").contains("not-a-token"));
    federation.member("eu-1").serve("shop", "with-the-old-one", 1).await;
    us.until_mirror("shop", "with-the-old-one", &["eu-1"]).await;
    federation.hub.apply(&objects::secret("us-1", "kubeconfig", &new)).await;
    federation
        .until_status("us-1", "nothing is wrong with the credential any more", |status| {
            status
                .conditions
                .iter()
                .all(|condition| condition.status == "True" && !condition.message.contains("refuse"))
        })
        .await;
}

/// The admissions on record, and since when each condition has been as it is.
async fn records(federation: &Federation, ids: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    for id in ids {
        let status = federation.status(id).await;
        lines.push(format!("{id} {:?}", status.admission.expect("an admission on record")));
        let conditions = status.conditions.into_iter();
        lines.extend(
            conditions.map(|found| format!("{id} {} {} {:?}", found.type_, found.status, found.last_transition_time)),
        );
    }
    lines
}
