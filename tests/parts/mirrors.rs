//! What the mirror writer does to objects, ours and others'.

use std::sync::Arc;

use clusters::client::MemberClient;
use clusters::convert::Convert;
use clusters::foreign::Secrets;
use clusters::tables::{Clients, TakeOvers};
use clusters::writers::queue::Queue;
use federation::desired::{Action, Desired, Key, MirrorNamespace, MirrorService};
use federation::model::{Affinity, ClusterId, ClusterUid, Namespace, Protocol, ServiceKey, ServicePort};
use k8s_openapi::api::core::v1::Service;
use kube::Api;

use super::LIMIT;
use crate::testbed::{Cluster, ClusterSpec, config_of, eventually};

const HUB: &str = "hub-uid";

fn id() -> ClusterId {
    ClusterId::new("eu-1").unwrap()
}

fn key(name: &str) -> Key {
    Key::Service(ServiceKey::new("shop", name).unwrap())
}

fn apply(name: &str, ports: &[u16], headless: bool) -> Action {
    apply_in("shop", name, ports, headless)
}

fn apply_in(namespace: &str, name: &str, ports: &[u16], headless: bool) -> Action {
    let port = |number: &u16| ServicePort {
        name: Arc::from(format!("p{number}")),
        port: *number,
        protocol: Protocol::Tcp,
        app_protocol: Some(Arc::from("http")),
    };
    let sources = vec![ClusterId::new("us-1").unwrap()];
    Action::Apply(Desired::Service(Arc::new(MirrorService {
        key: ServiceKey::new(namespace, name).unwrap(),
        headless,
        affinity: Affinity::None,
        ports: ports.iter().map(port).collect(),
        sources,
        helm: None,
    })))
}

/// Submits, waits until all is accepted, and withdraws the actions, as the engine does when its watch shows the objects.
async fn settle(writer: &Queue, actions: Vec<Action>) {
    let done = actions.iter().map(|action| (id(), Action::Leave(action.key()))).collect();
    writer.submit(actions.into_iter().map(|action| (id(), action)).collect());
    let progress = writer.progress();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    eventually("mirrors written", LIMIT, async || {
        let progress = progress.borrow().get(&id()).cloned().unwrap_or_default();
        if progress.pending == progress.accepted { Ok(()) } else { Err(format!("{progress:?}")) }
    })
    .await;
    writer.submit(done);
}

fn ports(service: &Service) -> Vec<i32> {
    let mut ports: Vec<_> =
        service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).map(|port| port.port).collect();
    ports.sort_unstable();
    ports
}

fn precondition(service: &Service) -> Action {
    Action::Delete {
        key: key(service.metadata.name.as_deref().unwrap()),
        uid: Arc::from(service.metadata.uid.as_deref().unwrap()),
        resource_version: Arc::from(service.metadata.resource_version.as_deref().unwrap()),
    }
}

#[tokio::test]
async fn mirrors_are_written_kept_and_let_go() {
    let cluster = Cluster::start(ClusterSpec::named("eu-1").without_controllers()).await;
    let client = clusters::client::connect::client(config_of(&cluster.kubeconfig()).await).unwrap();
    let api: Api<Service> = Api::namespaced(cluster.client(), "shop");
    let (clients, writer) = (Clients::default(), Queue::new(Arc::from(HUB)));
    let task = tokio::spawn({
        let (clients, writer) = (clients.clone(), writer.clone());
        // No status is written here, so any cluster will do as the hub.
        let hub = cluster.client();
        async move { writer.run(&hub, &clients, &TakeOvers::default()).await }
    });

    // A member that is not connected is waited for.
    let namespace = MirrorNamespace { name: Namespace::new("shop").unwrap(), helm: None };
    let namespace = Action::Apply(Desired::Namespace(namespace));
    let first = vec![(id(), apply("web", &[80, 81], false)), (id(), namespace)];
    writer.submit(first.clone());
    let mut progress = writer.progress();
    progress.wait_for(|table| table.get(&id()).is_some_and(|row| row.pending == 2)).await.unwrap();
    clients.publish(&id(), Some(MemberClient::new(client, ClusterUid(Arc::from("u")), Secrets::default())));
    writer.plan_for(&id(), true);
    settle(&writer, vec![apply("db", &[5432], true)]).await;
    writer.submit(first.into_iter().map(|(id, action)| (id, Action::Leave(action.key()))).collect());

    let web = api.get("web").await.unwrap();
    assert_eq!(ports(&web), [80, 81]);
    let managers = web.metadata.managed_fields.as_ref().unwrap();
    assert_eq!(managers.len(), 1, "one claim: {managers:?}");
    assert_eq!(managers[0].operation.as_deref(), Some("Apply"));
    let claims = serde_json::to_string(&managers[0].fields_v1).unwrap();
    assert!(!claims.contains("targetPort") && !claims.contains("sessionAffinity"), "defaults are not ours: {claims}");
    assert_eq!(web.metadata.annotations.as_ref().unwrap()["isthmus.dev/hub"], HUB);
    assert!(web.spec.as_ref().unwrap().selector.is_none());
    assert!(web.convert().unwrap().object.unwrap().is_mirror(), "we know our own: {:?}", web.metadata);
    assert_eq!(api.get("db").await.unwrap().spec.unwrap().cluster_ip.as_deref(), Some("None"));

    // A port goes: an apply alone would leave it, because our create counts as another writer.
    settle(&writer, vec![apply("web", &[80], false)]).await;
    let after = api.get("web").await.unwrap();
    assert_eq!(ports(&after), [80]);
    assert_eq!(after.metadata.uid, web.metadata.uid, "changed in place");
    assert_eq!(after.spec.unwrap().cluster_ip, web.spec.unwrap().cluster_ip);

    // Hand edits are put back; what others added besides stays.
    let patch = r#"{"metadata":{"labels":{"team":"a"}},"spec":{"type":"NodePort","ports":[{"name":"x","port":99}]}}"#;
    cluster.kubectl(&["patch", "service", "-n", "shop", "web", "--patch", patch]).await;
    settle(&writer, vec![apply("web", &[80], false)]).await;
    let web = api.get("web").await.unwrap();
    assert_eq!((ports(&web), web.spec.as_ref().unwrap().type_.as_deref()), (vec![80], Some("ClusterIP")));
    assert_eq!(web.metadata.labels.as_ref().unwrap().get("team").map(String::as_str), Some("a"));
    let version = web.metadata.resource_version.clone();
    settle(&writer, vec![apply("web", &[80], false)]).await;
    assert_eq!(api.get("web").await.unwrap().metadata.resource_version, version, "what is right is not written again");

    // An object of another owner is not touched, whatever the action.
    cluster
        .apply("{apiVersion: v1, kind: Service, metadata: {name: theirs, namespace: shop}, spec: {ports: [{port: 1}]}}")
        .await;
    let theirs = api.get("theirs").await.unwrap();
    settle(&writer, vec![apply("theirs", &[80], false)]).await;
    settle(&writer, vec![Action::Release(key("theirs"))]).await;
    assert_eq!(api.get("theirs").await.unwrap(), theirs);

    // A delete names what it deletes.
    let stale = precondition(&api.get("db").await.unwrap());
    cluster.kubectl(&["label", "service", "-n", "shop", "db", "touched=yes"]).await;
    settle(&writer, vec![stale]).await;
    let db = api.get("db").await.unwrap();
    settle(&writer, vec![precondition(&db)]).await;
    assert!(api.get_opt("db").await.unwrap().is_none());

    // A user applies their own over ours: ours goes off it, theirs stays.
    cluster
        .apply("{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{name: own, port: 8080}]}}")
        .await;
    settle(&writer, vec![apply("web", &[80], false)]).await;
    settle(&writer, vec![Action::Release(key("web"))]).await;
    let web = api.get("web").await.unwrap();
    assert!(!web.convert().unwrap().object.unwrap().is_mirror());
    let meta = serde_json::to_string(&web.metadata).unwrap();
    assert!(!meta.contains("isthmus"), "nothing of ours is left on it: {meta}");
    assert!(ports(&web).contains(&8080));

    // Deleted again before the watch showed it, and without a second submit: the action still applies, so the object comes back.
    writer.submit(vec![(id(), apply("gone", &[80], false))]);
    for _ in 0..2 {
        let made = eventually("the mirror is there", LIMIT, async || api.get("gone").await).await;
        cluster.kubectl(&["delete", "service", "-n", "shop", "gone"]).await;
        eventually("it comes back", LIMIT, async || match api.get("gone").await {
            Ok(again) if again.metadata.uid != made.metadata.uid => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
    writer.submit(vec![(id(), Action::Leave(key("gone")))]);

    // An error is reported, and ends when its cause does.
    writer.submit(vec![(id(), apply_in("nowhere", "web", &[80], false))]);
    let names_the_error = |row: &clusters::conditions::progress::MirrorProgress| {
        row.last_error.as_ref().is_some_and(|text| text.contains("nowhere"))
    };
    let row = progress.wait_for(|table| table.get(&id()).is_some_and(names_the_error)).await;
    let error = row.unwrap().get(&id()).unwrap().last_error.clone().unwrap();
    assert!(error.contains("Service nowhere/web: NotFound"), "{error}");
    cluster.apply("{apiVersion: v1, kind: Namespace, metadata: {name: nowhere}}").await;
    settle(&writer, vec![apply_in("nowhere", "web", &[80], false)]).await;
    task.abort();
}
