//! What people see with kubectl.

use std::sync::Arc;
use std::time::Duration;

use clusters::api::{FederationPolicy, MemberCluster, MemberClusterStatus};
use clusters::client::bounds::MemberBounds;
use clusters::client::hub::HubClient;
use clusters::client::secret::Access;
use clusters::clock::now;
use clusters::problem::{ObjectName, Problem, ProblemBook, ProblemOrigin};
use clusters::sources::feed::Feed;
use clusters::sources::registry::{HubOptions, Tables, run_hub};
use clusters::tables::{Clients, Notes, SeenTable, TakeOvers};
use clusters::writers::queue::Queue;
use clusters::writers::status::{Sources, Writer};
use federation::change::LinkFailure;
use federation::model::{Admission, ClusterId, Time};
use federation::report::{CidrSource, Cidrs, Counts, LinkState, MemberReport};
use federation::testing::report::healthy;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use tokio::task::JoinHandle;

use super::LIMIT;
use crate::testbed::{Cluster, ClusterSpec, config_of, eventually};

const OBJECTS: &str = "
apiVersion: isthmus.dev/v1alpha1
kind: MemberCluster
metadata: {name: eu-1}
spec: {region: eu}
---
apiVersion: isthmus.dev/v1alpha1
kind: MemberCluster
metadata: {name: bad-1}
spec: {region: eu}
---
apiVersion: isthmus.dev/v1alpha1
kind: FederationPolicy
metadata: {name: default}
spec: {safety: {demoteAfter: 30s}}
";

fn report(link: LinkState, services: usize) -> Arc<MemberReport> {
    let healthy = healthy("eu-1", now());
    let (uid, pods) = (healthy.uid.clone().unwrap(), healthy.cidrs.pods.clone());
    Arc::new(MemberReport {
        link,
        admitted: Some(Admission {
            at: Time::from_unix_ms(1_700_000_000_123),
            uid,
            pods: pods.clone(),
            services: Vec::new(),
        }),
        cidrs: Cidrs { pods, pods_source: CidrSource::Declared, ..Cidrs::default() },
        counts: Counts { services, endpoints: 5, mirrored: 7, headless_mirrors: 0 },
        ..healthy
    })
}

/// `Connected=True/Connected …`
fn line(status: &MemberClusterStatus) -> String {
    let one = |c: &k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| {
        format!("{}={}/{}", c.type_, c.status, c.reason)
    };
    status.conditions.iter().map(one).collect::<Vec<_>>().join(" ")
}

async fn shows(api: &Api<MemberCluster>, name: &str, expected: &str) -> MemberClusterStatus {
    eventually(expected, LIMIT, async || {
        let status = api.get(name).await.map_err(|error| error.to_string())?.status.unwrap_or_default();
        if line(&status).contains(expected) { Ok(status) } else { Err(line(&status)) }
    })
    .await
}

/// The hub's own watches. What they report of problems is not used: the test says what is wrong with which object.
async fn watch_hub(hub: &Cluster, tables: Tables) -> JoinHandle<()> {
    let client = HubClient::new(config_of(&hub.kubeconfig()).await).unwrap();
    let namespace = "isthmus-system".to_owned();
    let options = HubOptions { hub: client, namespace, access: Access::Write, members: MemberBounds::default() };
    let (feed, mut batches) = Feed::new();
    tokio::spawn(async move {
        tokio::select! {
            _ = run_hub(options, tables, feed, ProblemBook::default()) => {}
            () = async { while batches.recv().await.is_some() {} } => {}
        }
    })
}

#[tokio::test]
async fn statuses_follow_reports() {
    let hub = Cluster::start(ClusterSpec::named("hub").without_controllers()).await;
    hub.apply(&clusters::api::render_crds()).await;
    hub.apply(OBJECTS).await;
    let client = clusters::client::connect::client(config_of(&hub.kubeconfig()).await).unwrap();
    let tables = Tables::default();
    let watch = watch_hub(&hub, tables.clone()).await;
    let (seen, problems, id) = (SeenTable::default(), ProblemBook::default(), ClusterId::new("eu-1").unwrap());
    let queue = Queue::new("hub".into());
    let sources = Sources {
        client: client.clone(),
        hub: tables.observed,
        seen: seen.clone(),
        notes: Notes::default(),
        problems: problems.clone(),
        queue: queue.clone(),
    };
    let writer = Writer::new();
    let task = tokio::spawn({
        let writer = writer.clone();
        let (clients, take_overs) = (Clients::default(), TakeOvers::default());
        async move {
            tokio::select! {
                () = writer.run(sources) => {}
                () = queue.run(&client, &clients, &take_overs) => {}
            }
        }
    });
    let members: Api<MemberCluster> = Api::all(hub.client());

    seen.mark(&id).answered(now());
    writer.submit(vec![(id.clone(), Some(report(LinkState::Up { since: now() }, 3)))]);
    let up = shows(&members, "eu-1", "Ready=True/Ready").await;
    assert_eq!(up.counts.unwrap().services, 3);
    assert_eq!(up.cidrs.as_ref().unwrap().pods, ["10.8.0.0/14"]);
    assert!(up.last_seen.is_some());
    let record = up.admission.clone().unwrap();
    assert_eq!((record.uid.as_str(), record.at.0.as_millisecond()), ("uid-1", 1_700_000_000_123));
    let table = hub.kubectl(&["get", "mc"]).await;
    assert!(
        table.contains("REASON") && table.lines().any(|row| row.starts_with("eu-1") && row.contains("True")),
        "{table}"
    );

    // Lost: at once, with what to do; the transition time moves for the conditions that changed, and the record stays.
    let down = LinkState::Down {
        reason: LinkFailure::Unreachable,
        message: Arc::from("https://10.0.0.1: connection refused"),
        since: now(),
        seen: None,
    };
    let mut lost = (*report(down, 4)).clone();
    lost.admitted = None;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    writer.submit(vec![(id.clone(), Some(Arc::new(lost)))]);
    let status = shows(&members, "eu-1", "Connected=False/Unreachable Admitted=True/Admitted Synced=False/Stale").await;
    assert!(status.conditions[0].message.contains("; it last answered at 20"), "{:?}", status.conditions[0]);
    assert!(status.conditions[0].last_transition_time.0 > up.conditions[0].last_transition_time.0);
    assert_eq!(status.conditions[1].last_transition_time, up.conditions[1].last_transition_time);
    assert_eq!(status.admission, Some(record.clone()), "who came first is never forgotten");

    // Another replica takes over and knows nothing yet: nothing is written over what was known.
    writer.submit(vec![(id.clone(), Some(report(LinkState::Pending, 0)))]);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let kept = members.get("eu-1").await.unwrap().status.unwrap();
    assert_eq!((line(&kept), kept.counts), (line(&status), status.counts));

    // Bad objects: counted, listed, and reported by an Event.
    let object = ObjectName { kind: "Service".into(), namespace: Some("shop".into()), name: "web".into() };
    problems.set(
        &ProblemOrigin::from(&id),
        &object,
        vec![Problem::new(&object, "spec.ports", "no port", "at least one")],
    );
    writer.submit(vec![(id.clone(), Some(report(LinkState::Up { since: now() }, 3)))]);
    let status = shows(&members, "eu-1", "Synced=True/ObjectsRejected").await;
    assert_eq!(status.problems, ["Service shop/web: spec.ports: found no port; expected at least one"]);
    let events: Api<Event> = Api::namespaced(hub.client(), "default");
    eventually("Events", LIMIT, async || {
        let list = events.list(&Default::default()).await.map_err(|error| error.to_string())?;
        let mut reasons: Vec<_> = list.items.iter().filter_map(|event| event.reason.clone()).collect();
        reasons.sort();
        let has = |reason: &str| reasons.iter().any(|found| found == reason);
        if has("Unreachable") && has("ObjectRejected") { Ok(()) } else { Err(format!("{reasons:?}")) }
    })
    .await;
    problems.set(&ProblemOrigin::from(&id), &object, Vec::new());
    let status = shows(&members, "eu-1", "Synced=True/Synced").await;
    assert!(status.problems.is_empty(), "what is over goes: {:?}", status.problems);

    // One that was never good, and a policy.
    let bad = ObjectName { kind: "MemberCluster".into(), namespace: None, name: "bad-1".into() };
    problems.set(
        &ProblemOrigin::Hub,
        &bad,
        vec![Problem::new(&bad, "spec.cidrs.pods[0]", "10.0.0.1/8", "no host bits")],
    );
    let status = shows(&members, "bad-1", "Ready=False/InvalidSpec").await;
    assert_eq!(status.conditions[3].message, "spec.cidrs.pods[0]: found 10.0.0.1/8; expected no host bits");
    let policies: Api<FederationPolicy> = Api::all(hub.client());
    eventually("policy accepted", LIMIT, async || {
        let policy = policies.get("default").await.map_err(|error| error.to_string())?;
        let condition = policy.status.unwrap_or_default().conditions.into_iter().next().ok_or("no condition")?;
        let accepted = condition.status == "True" && condition.message.contains("spec.safety.demoteAfter");
        if accepted { Ok::<_, String>(()) } else { Err(format!("{condition:?}")) }
    })
    .await;

    // A member that was deleted is not brought back by a late write.
    hub.kubectl(&["delete", "mc", "eu-1"]).await;
    writer.submit(vec![(id.clone(), Some(report(LinkState::Up { since: now() }, 9)))]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(members.get_opt("eu-1").await.unwrap().is_none());
    task.abort();
    watch.abort();
}
