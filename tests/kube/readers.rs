//! The credential of regions: which Secret it is, that it may only read, and that changes of it are followed.

use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::ListParams;

use crate::harness::{Federation, Isthmus, Member, SOON, Source, objects, run};
use crate::testbed::{client_of, eventually};

const READER: &str = "isthmus-member-reader";
/// A second account with the reader's rights, to rotate to.
const SECOND_READER: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: second-reader, namespace: isthmus-system}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: second-reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: isthmus-member-reader}
subjects: [{kind: ServiceAccount, name: second-reader, namespace: isthmus-system}]
";

#[tokio::test(flavor = "multi_thread")]
async fn regions_follow_the_secret_that_is_theirs() {
    let federation = Federation::joined(&["eu-1"]).await;
    let _controller = federation.controller().await;
    federation.all_ready().await;
    let member = federation.member("eu-1");
    member.serve("shop", "web", 1).await;

    // Left out: the one there is.
    let region = federation.region("eu").await;
    region.has_service("shop/web", &["eu-1"], 1).await;

    // Named, and not there: the regions miss it, the controller does not. One that runs keeps what it has.
    name_reader(&federation, r#"{"name": "eu-1-reader"}"#).await;
    logs(&region, "Secret isthmus-system/eu-1-reader does not exist").await;
    logs(&region, "(spec.readKubeconfigSecretRef)").await;
    let fresh = Isthmus::region("eu", Source::Hub(&federation.hub_kubeconfig("isthmus-region")));
    says(&fresh, "SecretMissing", &["isthmus-system/eu-1-reader", "spec.readKubeconfigSecretRef"]).await;
    federation.until_ready("eu-1").await;
    member.serve("shop", "web", 2).await;
    region.has_service("shop/web", &["eu-1"], 2).await;

    // The wrong key in it, then the right one.
    let first = Member::credential(&member.cluster, READER).await;
    federation.hub.apply(&objects::secret("eu-1-reader", "config", &first)).await;
    says(&fresh, "SecretMissing", &["no key \"kubeconfig\"", "spec.readKubeconfigSecretRef"]).await;
    federation.hub.apply(&objects::secret("eu-1-reader", "kubeconfig", &first)).await;
    logs(&region, "the new credential works: exchanged").await;
    fresh.has_service("shop/web", &["eu-1"], 2).await;

    // The controller's account goes: nothing that the region does depends on it.
    let gone = member.cluster.kubectl(&["delete", "clusterrolebinding", "isthmus-member"]).await;
    assert!(gone.contains("deleted"), "{gone}");
    member.serve("shop", "late", 1).await;
    region.has_service("shop/late", &["eu-1"], 1).await;

    // Rotated: the new one is used, so the old account may go.
    member.cluster.apply(SECOND_READER).await;
    let second = Member::credential(&member.cluster, "second-reader").await;
    federation.hub.apply(&objects::secret("eu-1-reader", "kubeconfig", &second)).await;
    eventually("the new credential is in use", SOON, async || {
        let exchanged = region.log().matches("the new credential works: exchanged").count();
        if exchanged == 2 { Ok(()) } else { Err(exchanged) }
    })
    .await;
    member.cluster.kubectl(&["delete", "serviceaccount", "-n", "isthmus-system", READER]).await;
    refused(&first).await;
    member.serve("shop", "rotated", 1).await;
    region.has_service("shop/rotated", &["eu-1"], 1).await;

    // One that does not work is reported, and the one before stays in use.
    let broken = member.cluster.kubeconfig_with("no-account", "not-a-token");
    federation.hub.apply(&objects::secret("eu-1-reader", "kubeconfig", &broken)).await;
    member.serve("shop", "still", 1).await;
    region.has_service("shop/still", &["eu-1"], 1).await;
    assert_eq!(region.stop().await, Some(0));
}

/// What the region's credential may do, asked with it.
#[tokio::test(flavor = "multi_thread")]
async fn the_reader_may_read_and_nothing_else() {
    let federation = Federation::start(&["eu-1"]).await;
    let member = federation.member("eu-1");
    let kubeconfig = federation.file("reader", &Member::credential(&member.cluster, READER).await);
    let may = async |words: &[&str]| {
        let flag = format!("--kubeconfig={}", kubeconfig.display());
        let answer = member.cluster.try_kubectl(&[&[&flag, "auth", "can-i", "-A"], words].concat()).await;
        answer.is_ok_and(|text| text.trim() == "yes")
    };
    for resource in
        ["services", "namespaces", "nodes", "endpointslices.discovery.k8s.io", "servicecidrs.networking.k8s.io"]
    {
        assert!(may(&["list", resource]).await && may(&["watch", resource]).await, "{resource}");
        for verb in ["create", "update", "patch", "delete", "deletecollection"] {
            assert!(!may(&[verb, resource]).await, "{verb} {resource}");
        }
    }
    for (verb, resource) in
        [("list", "secrets"), ("get", "secrets"), ("create", "leases"), ("list", "pods"), ("list", "configmaps")]
    {
        assert!(!may(&[verb, resource]).await, "{verb} {resource}");
    }
}

/// With a namespace of its own the region's account cannot even see the controller's credentials.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_of_its_own_keeps_the_writers_away() {
    let federation = Federation::start(&["eu-1"]).await;
    let (hub, member) = (&federation.hub, federation.member("eu-1"));
    // Roles that were there before are another installation's: this one has less.
    hub.kubectl(&["delete", "-n", "isthmus-system", "rolebinding", "isthmus-region-credentials"]).await;
    let roles = run(&["manifests", "hub-rbac", "--secrets-namespace=isthmus-regions"]).await;
    hub.apply(&String::from_utf8(roles.stdout).unwrap()).await;
    federation.add_regions().await;
    federation.join("eu-1").await;
    name_reader(&federation, r#"{"name": "eu-1-reader"}"#).await;
    let reader = Member::credential(&member.cluster, READER).await;
    let elsewhere = objects::secret("eu-1-reader", "kubeconfig", &reader).replace("isthmus-system", "isthmus-regions");
    hub.apply(&elsewhere).await;

    let _controller = federation.controller().await;
    federation.all_ready().await;
    let file = federation.hub_kubeconfig("isthmus-region");
    let mut region =
        Isthmus::region_with("eu", Source::Hub(&file), &["--secrets-namespace=isthmus-regions".to_owned()]);
    region.wait_ready().await;
    member.serve("shop", "web", 1).await;
    region.has_service("shop/web", &["eu-1"], 1).await;
    let flag = format!("--kubeconfig={}", file.display());
    let own = hub.try_kubectl(&[&flag, "-n", "isthmus-regions", "auth", "can-i", "list", "secrets"]).await;
    assert!(own.is_ok(), "{own:?}");
    let other = hub.try_kubectl(&[&flag, "-n", "isthmus-system", "auth", "can-i", "list", "secrets"]).await;
    assert!(other.is_err(), "{other:?}");
    assert_eq!(region.stop().await, Some(0));
}

async fn name_reader(federation: &Federation, reference: &str) {
    let patch = format!(r#"{{"spec": {{"readKubeconfigSecretRef": {reference}}}}}"#);
    federation.hub.kubectl(&["patch", "mc", "eu-1", "--type=merge", "-p", &patch]).await;
}

/// Waits until the region's page says this of the member.
async fn says(region: &Isthmus, reason: &str, texts: &[&str]) {
    eventually(&format!("the region says {reason}: {texts:?}"), SOON, async || {
        let found = region.try_page("/debug/members").await?;
        let plain = found.replace("\\\"", "\"");
        if found.contains(reason) && texts.iter().all(|text| plain.contains(text)) { Ok(()) } else { Err(found) }
    })
    .await;
}

async fn logs(region: &Isthmus, text: &str) {
    eventually(&format!("the region logs {text:?}"), SOON, async || {
        let log = region.log();
        if log.contains(text) { Ok(()) } else { Err(log.lines().last().unwrap_or_default().to_owned()) }
    })
    .await;
}

async fn refused(kubeconfig: &str) {
    let services = Api::<Service>::all(client_of(kubeconfig).await);
    eventually("the old credential is worth nothing", SOON, async || {
        match services.list(&ListParams::default().limit(1)).await {
            Err(kube::Error::Api(status)) if status.code == 401 => Ok(()),
            other => Err(format!("{:?}", other.map(|list| list.items.len()))),
        }
    })
    .await;
}
