//! Members come, are lost, come back and change credentials.

use std::time::{Duration, Instant};

use clusters::client::bounds::MemberBounds;
use clusters::client::connect::Allowed;
use clusters::client::hub::HubClient;
use clusters::client::secret::Access;
use clusters::problem::ProblemBook;
use clusters::sources::feed::{Batches, Feed};
use clusters::sources::registry::{HubOptions, Tables, run_hub};
use federation::change::{Batch, Delta, Epoch, HubChanges, LinkChange, MemberChanges};
use tokio::task::JoinHandle;

use super::LIMIT;
use crate::harness::objects;
use crate::testbed::{Cluster, ClusterSpec, eventually, rule};

/// A dead API server must be reported within this; the promise is 15 s, the rest is for busy machines.
const LOSS_LIMIT: Duration = Duration::from_secs(20);
/// Enough for a leak of one task each to be seen.
const ROTATIONS: u32 = 40;
const KINDS: [&str; 6] = ["namespaces", "services", "slices", "nodes", "servicecidrs", "exports"];

struct Scene {
    hub: Cluster,
    feed: Batches,
    tables: Tables,
    task: JoinHandle<()>,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A batch of the member in one line.
fn line(batch: &Batch) -> Option<(Epoch, String)> {
    let Batch::Member { epoch, changes, .. } = batch else { return None };
    fn delta<T: federation::change::Object>(kind: &str, delta: &Delta<T>) -> String {
        match delta {
            Delta::Full { objects, .. } => format!("{kind}: all {}", objects.len()),
            Delta::Partial(changes) => format!("{kind}: {}", changes.len()),
        }
    }
    let text = match changes {
        MemberChanges::Link(LinkChange::Up { uid, .. }) => format!("up {}", uid.0),
        MemberChanges::Link(LinkChange::Down { reason, message }) => format!("down {reason:?}: {message}"),
        MemberChanges::Namespaces(d) => delta(KINDS[0], d),
        MemberChanges::Services(d) => delta(KINDS[1], d),
        MemberChanges::Slices(d) => delta(KINDS[2], d),
        MemberChanges::Nodes(d) => delta(KINDS[3], d),
        MemberChanges::ServiceCidrs(d) => delta(KINDS[4], d),
        MemberChanges::Exports(d) => delta(KINDS[5], d),
        MemberChanges::Unreadable { kind, message, .. } => format!("{} unreadable: {message}", kind.plural()),
    };
    Some((*epoch, text))
}

impl Scene {
    async fn start(hub: Cluster) -> Self {
        let client = HubClient::new(crate::testbed::config_of(&hub.kubeconfig()).await).unwrap();
        let (feed, receiver) = Feed::new();
        let tables = Tables::default();
        let members =
            MemberBounds { addresses: Allowed::new(&["127.0.0.0/8".parse().unwrap()]), ..MemberBounds::default() };
        let options =
            HubOptions { hub: client, namespace: "isthmus-system".to_owned(), access: Access::Write, members };
        let run = run_hub(options, tables.clone(), feed, ProblemBook::default());
        let task = tokio::spawn(async move {
            run.await;
        });
        Self { hub, feed: receiver, tables, task }
    }

    /// The next batch of the member that begins so; what comes before is skipped, unless it is a loss.
    async fn until(&mut self, begin: &str) -> (Epoch, String) {
        let end = Instant::now() + LIMIT;
        let mut skipped = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let batch = tokio::time::timeout(left, self.feed.recv()).await;
            let batch = batch.unwrap_or_else(|_| panic!("no {begin:?} within {LIMIT:?}; came: {skipped:?}"));
            let Some((epoch, text)) = line(&batch.expect("the hub's task runs")) else { continue };
            if text.starts_with(begin) {
                return (epoch, text);
            }
            assert!(!text.starts_with("down"), "lost while waiting for {begin:?}: {text}");
            skipped.push(text);
        }
    }

    /// All six kinds listed, in any order.
    async fn all_listed(&mut self) -> Vec<(Epoch, String)> {
        let mut missing: Vec<_> = KINDS.iter().map(|kind| format!("{kind}: all")).collect();
        let mut came = Vec::new();
        while !missing.is_empty() {
            let (epoch, text) = self.until("").await;
            missing.retain(|begin| !text.starts_with(begin.as_str()));
            came.push((epoch, text));
        }
        came
    }

    /// Nothing but small changes for a while.
    async fn quiet(&mut self, time: Duration) {
        while let Ok(Some(batch)) = tokio::time::timeout(time, self.feed.recv()).await {
            if let Some((_, text)) = line(&batch) {
                assert!(!text.starts_with("down") && !text.starts_with("up"), "{text}");
            }
        }
    }

    async fn secret(&self, kubeconfig: &str) {
        let indented = kubeconfig.replace('\n', "\n    ");
        let yaml = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: eu-1, namespace: isthmus-system}}\nstringData:\n  kubeconfig: |\n    {indented}\n"
        );
        self.hub.apply(&yaml).await;
    }

    async fn note(&self, expected: Option<&str>) {
        eventually("note", LIMIT, async || {
            let note = self.tables.notes.get(&eu_1()).map(|note| note.message.to_string());
            match (&note, expected) {
                (None, None) => Ok(()),
                (Some(note), Some(expected)) if note.contains(expected) => Ok(()),
                _ => Err(format!("{note:?}")),
            }
        })
        .await;
    }
}

fn eu_1() -> federation::model::ClusterId {
    federation::model::ClusterId::new("eu-1").unwrap()
}

const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: isthmus-system}
---
apiVersion: isthmus.dev/v1alpha1
kind: Region
metadata: {name: eu}
spec: {}
---
apiVersion: isthmus.dev/v1alpha1
kind: MemberCluster
metadata: {name: eu-1}
spec: {region: eu, kubeconfigSecretRef: {name: eu-1}}
";

/// Of an MCS implementation that was installed years ago.
const OLD_EXPORT: &str = "
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceExport
metadata: {name: web, namespace: default}
";

async fn clusters() -> (Scene, Cluster) {
    let (hub, member) = (ClusterSpec::named("hub"), ClusterSpec::named("eu-1"));
    let [hub, member] = Cluster::start_all([hub.without_controllers(), member.without_controllers()]).await;
    hub.apply(&clusters::api::render_crds()).await;
    hub.apply(OBJECTS).await;
    (Scene::start(hub).await, member)
}

#[tokio::test]
async fn a_member_is_followed_lost_and_found() {
    let (mut scene, mut member) = clusters().await;
    let (_, text) = scene.until("down").await;
    assert!(text.starts_with("down SecretMissing: Secret isthmus-system/eu-1 does not exist"), "{text}");

    member.apply(&(objects::service_exports("v1alpha1", "{type: object}") + OLD_EXPORT)).await;
    scene.secret(&member.kubeconfig()).await;
    let (first, text) = scene.until("up").await;
    assert_eq!(text, format!("up {}", member.uid().await));
    let (_, exports) = scene.all_listed().await.into_iter().find(|(_, text)| text.starts_with(KINDS[5])).unwrap();
    assert_eq!(exports, "exports: all 1", "although only the old version is served");
    assert!(scene.tables.clients.get(&eu_1()).is_some(), "writers may write");
    assert!(scene.tables.seen.get(&eu_1()).is_some());

    member.apply("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}").await;
    scene.until("namespaces: 1").await;
    member
        .apply("{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {ports: [{port: 80}]}}")
        .await;
    scene.until("services: 1").await;

    member.kill_apiserver();
    let begun = Instant::now();
    let (epoch, text) = scene.until("down").await;
    assert!(text.contains("down Unreachable") && text.contains("connection refused"), "{text}");
    assert_eq!(epoch, first, "it is this connection that was lost");
    assert!(begun.elapsed() < Duration::from_secs(5), "a refused connection is noticed at once: {:?}", begun.elapsed());
    assert!(scene.tables.clients.get(&eu_1()).is_none(), "writers must not write");

    member.restart_apiserver().await;
    let (second, _) = loop {
        // While it starts it may answer in other ways than before.
        let (epoch, text) = scene.until("").await;
        if text.starts_with("up") {
            break (epoch, text);
        }
    };
    assert!(second > first);
    scene.all_listed().await;

    let begun = Instant::now();
    member.freeze_apiserver();
    let (_, text) = scene.until("down").await;
    let took = begun.elapsed();
    assert!(text.contains("down Unreachable") && text.contains("no answer"), "{text}");
    eprintln!("parts: a frozen API server was reported after {took:.1?}");
    assert!(took < LOSS_LIMIT, "{took:?}");
    member.thaw_apiserver();
    scene.until("up").await;

    scene.hub.kubectl(&["delete", "membercluster", "eu-1"]).await;
    eventually("the member is let go", LIMIT, async || {
        let gone = scene.tables.clients.get(&eu_1()).is_none();
        while let Ok(batch) = scene.feed.try_recv() {
            if matches!(&batch, Batch::Hub(HubChanges::Members(Delta::Partial(_)))) && gone {
                return Ok(());
            }
        }
        Err(format!("client gone: {gone}"))
    })
    .await;
}

#[tokio::test]
async fn a_credential_is_exchanged_under_a_running_connection() {
    let (mut scene, member) = clusters().await;
    scene.secret(&member.kubeconfig()).await;
    loop {
        // The Secret's absence may or may not have been reported.
        if scene.feed.recv().await.as_ref().and_then(line).is_some_and(|(_, text)| text.starts_with("up")) {
            break;
        }
    }
    scene.all_listed().await;

    // Broken, hostile, unauthorised, elsewhere: nothing is lost, and a note says why.
    scene.secret("nonsense: [").await;
    scene.note(Some("the previous one stays in use: Secret isthmus-system/eu-1, key \"kubeconfig\": the kubeconfig cannot be read")).await;
    let marker = std::env::temp_dir().join(format!("isthmus-exec-{}", std::process::id()));
    let exec = format!(
        "    exec: {{apiVersion: client.authentication.k8s.io/v1, command: touch, args: ['{}']}}\n    token:",
        marker.display()
    );
    scene.secret(&member.kubeconfig().replace("    token:", &exec)).await;
    scene.note(Some("users[0].user.exec is refused")).await;
    scene.secret(&member.kubeconfig().replace(&member.admin_token(), "wrong-token")).await;
    scene.note(Some("does not accept the credential (401)")).await;
    scene
        .secret(&member.service_account_kubeconfig(vec![rule(&[""], &["namespaces"], &["get", "list", "watch"])]).await)
        .await;
    scene.note(Some("may not list services (403)")).await;
    scene.secret(&scene.hub.kubeconfig()).await;
    scene.note(Some("leads to another cluster")).await;
    scene.hub.kubectl(&["delete", "secret", "-n", "isthmus-system", "eu-1"]).await;
    scene.note(Some("does not exist")).await;
    scene.quiet(Duration::from_secs(3)).await;
    assert!(scene.tables.clients.get(&eu_1()).is_some(), "still connected");
    assert!(!marker.exists(), "no command was run");

    // One that works is taken: complete lists again, and no word of a loss.
    let read = ["get", "list", "watch"];
    let rules = vec![
        rule(&[""], &["namespaces", "services", "nodes"], &read),
        rule(&["discovery.k8s.io"], &["endpointslices"], &read),
        rule(&["networking.k8s.io"], &["servicecidrs"], &read),
    ];
    scene.secret(&member.service_account_kubeconfig(rules).await).await;
    scene.note(None).await;
    scene.all_listed().await;
    member.apply("{apiVersion: v1, kind: Namespace, metadata: {name: later}}").await;
    scene.until("namespaces: 1").await;
}

/// Each rotation makes a client, six watches and their connections; none may be left behind.
#[tokio::test]
async fn many_rotations_leak_nothing() {
    let (mut scene, member) = clusters().await;
    let (one, two) = (member.kubeconfig(), format!("{}\n# the same, rotated\n", member.kubeconfig()));
    scene.secret(&one).await;
    loop {
        if scene.feed.recv().await.as_ref().and_then(line).is_some_and(|(_, text)| text.starts_with("up")) {
            break;
        }
    }
    scene.all_listed().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut after_few = 0;
    for round in 0..ROTATIONS {
        scene.secret(if round % 2 == 0 { &two } else { &one }).await;
        scene.all_listed().await;
        if round == 4 {
            after_few = tasks();
        }
    }
    eventually("tasks have ended", LIMIT, async || {
        let now = tasks();
        // Idle connections of the newest client may come and go.
        if now <= after_few + 4 {
            Ok(())
        } else {
            Err(format!("{after_few} tasks after five rotations, {now} after all"))
        }
    })
    .await;
}
