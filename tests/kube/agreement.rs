//! kubectl, `isthmus status` of a hub, of a process and of a folder, the pages and `isthmus check` say the same of the same
//! federation, field by field.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Federation, SOON, objects, run};
use crate::testbed::eventually;

/// What is planted, and what every view has to say of it: object, condition, status, reason.
const STATES: [(&str, &str, &str, &str); 22] = [
    ("eu-1", "Connected", "True", "Connected"),
    // A policy reserves a range that it uses.
    ("eu-1", "Admitted", "True", "CIDRDrift"),
    // A slice with a multicast address.
    ("eu-1", "Synced", "True", "ObjectsRejected"),
    ("eu-1", "Ready", "True", "CIDRDrift"),
    // A Node outside of what is declared, and a pod in no member's range.
    ("us-1", "Admitted", "True", "EndpointsOutOfRange"),
    ("us-1", "Ready", "True", "EndpointsOutOfRange"),
    ("clash-1", "Admitted", "False", "CIDROverlap"),
    ("clash-1", "Connected", "False", "SecretMissing"),
    ("own-clash-1", "Admitted", "False", "CIDROverlap"),
    ("nosecret-1", "Connected", "False", "SecretMissing"),
    ("nosecret-1", "Admitted", "Unknown", "IdentityUnknown"),
    ("plugin-1", "Connected", "False", "KubeconfigInvalid"),
    ("garbage-1", "Connected", "False", "KubeconfigInvalid"),
    ("closed-1", "Connected", "False", "Unreachable"),
    ("closed-1", "Synced", "Unknown", "Unreachable"),
    ("revoked-1", "Connected", "False", "CredentialRefused"),
    ("twin-1", "Admitted", "False", "DuplicateCluster"),
    ("twin-1", "Synced", "False", "NotAdmitted"),
    ("nowhere-1", "Admitted", "False", "UnknownRegion"),
    ("Region/eu", "Accepted", "True", "UnknownRegion"),
    ("FederationPolicy/second", "Accepted", "True", "Shadowed"),
    ("FederationPolicy/weights", "Accepted", "True", "UnknownCluster"),
];

fn policy(name: &str, spec: &str) -> String {
    format!("---\napiVersion: isthmus.dev/v1alpha1\nkind: FederationPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n")
}

fn with_spec(member: &str, lines: &str) -> String {
    format!("{member}  {lines}\n")
}

async fn plant(federation: &Federation) {
    let (hub, eu, us) = (&federation.hub, federation.member("eu-1"), federation.member("us-1"));
    eu.serve("shop", "web", 2).await;
    us.serve("shop", "api", 1).await;
    eu.cluster
        .apply(&objects::slice("shop", "web", &["239.1.2.3".to_owned()], "eu-a").replace("web-pods", "bad"))
        .await;
    eu.cluster.apply(&objects::service("shop", "mixed", "isthmus.dev/federate: 'True'", "ports: [{port: 80}]")).await;
    us.cluster.apply(&objects::node("stray", "us-a", "172.30.0.0/24")).await;
    let outside = ["192.168.7.5".to_owned(), eu.pod(9)];
    let stray = objects::federated("shop", "stray") + &objects::slice("shop", "stray", &outside, "us-a");
    us.cluster.apply(&stray).await;

    let two = (["10.71.0.0/16"], ["10.171.0.0/16"]);
    let member = |id: &str, region: &str, number: u8| {
        let (pods, services) = (format!("10.{number}.0.0/16"), format!("10.{}.0.0/16", number + 100));
        objects::member_cluster(id, region, &[&pods], &[&services])
    };
    let secret = |id: &str, kubeconfig: &str| objects::secret(id, "kubeconfig", kubeconfig);
    let server = eu.kubeconfig.lines().find_map(|line| line.split_once("server: ")).expect("a server").1.trim();
    let closed = eu.kubeconfig.replace(server, "https://127.0.0.1:1");
    let token = eu.kubeconfig.lines().find_map(|line| line.split_once("token: ")).expect("a token").1.trim();
    let revoked = eu.kubeconfig.replace(token, "revoked");
    let plugin = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
                  clusters: [{name: c, cluster: {server: 'https://10.0.0.1'}}]\n\
                  users: [{name: u, user: {exec: {command: sh, apiVersion: client.authentication.k8s.io/v1}}}]\n\
                  contexts: [{name: c, context: {cluster: c, user: u}}]\n";
    let own = objects::member_cluster("own-clash-1", "eu", &["10.80.0.0/16"], &["10.80.4.0/24"]);
    let all = [
        objects::region("eu", &["us", "asia"]),
        with_spec(&us.declared(), "traffic: Drained\n  weight: 7"),
        objects::member_cluster("clash-1", "eu", &[&us.pods()], &two.1),
        own,
        member("nosecret-1", "eu", 72),
        member("plugin-1", "eu", 73),
        secret("plugin-1", plugin),
        member("garbage-1", "eu", 74),
        secret("garbage-1", "{"),
        member("closed-1", "us", 75),
        secret("closed-1", &closed),
        member("revoked-1", "us", 76),
        secret("revoked-1", &revoked),
        member("twin-1", "us", 77),
        secret("twin-1", &eu.kubeconfig),
        member("nowhere-1", "mars", 78),
        policy("default", "{}"),
        policy(
            "weights",
            "{selects: {namespaces: {matchLabels: {team: a}}}, failover: {clusters: [{name: us-9, weight: 1}]}}",
        ),
    ];
    hub.apply(&all.concat()).await;
    // Later than `default`, of which seconds are kept; and a range that is in use already.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    hub.apply(&policy("second", &format!("{{reservedCidrs: ['{}']}}", eu.pods()))).await;
}

/// `Kind/name` (members: the name) to its conditions, each `status reason`, by kind.
type Conditions = BTreeMap<String, BTreeMap<String, (String, String)>>;

fn conditions(list: &Value) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().map(|c| (text(&c["type"]), (text(&c["status"]), text(&c["reason"])))).collect()
}

async fn kubectl(federation: &Federation) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (kind, prefix) in [("memberclusters", ""), ("regions", "Region/"), ("federationpolicies", "FederationPolicy/")]
    {
        let text = federation.hub.kubectl(&["get", kind, "-o", "json"]).await;
        let list: Value = serde_json::from_str(&text).expect("JSON");
        for object in list["items"].as_array().expect("a list") {
            let name = object["metadata"]["name"].as_str().expect("a name");
            all.insert(format!("{prefix}{name}"), object.clone());
        }
    }
    all
}

/// A member as `status` shows it, made from what kubectl shows.
fn as_view(object: &Value) -> Value {
    let (spec, status) = (&object["spec"], &object["status"]);
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let shown =
        |c: &Value| json!({"type": c["type"], "status": c["status"], "reason": c["reason"], "message": c["message"]});
    let ready = conditions.iter().find(|c| c["type"] == "Ready").cloned().unwrap_or_default();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    json!({
        "id": object["metadata"]["name"],
        "region": spec["region"],
        "network": spec.get("network").cloned().unwrap_or_else(|| "default".into()),
        "traffic": spec.get("traffic").cloned().unwrap_or_else(|| "Active".into()),
        "weight": spec["weight"],
        "ready": ready["status"] == "True",
        "reason": ready["reason"],
        "message": ready["message"],
        "conditions": conditions.iter().map(shown).collect::<Vec<_>>(),
        "podCidrs": list(&status["cidrs"]["pods"]),
        "serviceCidrs": list(&status["cidrs"]["services"]),
        "services": status["counts"]["services"],
        "endpoints": status["counts"]["endpoints"],
        "mirrored": status["counts"]["mirrored"],
        "problems": list(&status["problems"]),
        "notes": list(&status["notes"]),
    })
}

/// The fields that every view has, of every member.
fn fields(member: &Value) -> BTreeMap<&str, &Value> {
    let all = as_map(member);
    // When it last answered moves on; UID and version are compared by what kubectl shows where they are.
    all.into_iter().filter(|(name, _)| !["lastSeen", "uid", "kubernetesVersion"].contains(name)).collect()
}

fn as_map(value: &Value) -> BTreeMap<&str, &Value> {
    value.as_object().expect("an object").iter().map(|(name, value)| (name.as_str(), value)).collect()
}

async fn members(args: &[&str]) -> BTreeMap<String, Value> {
    let output = run(&[args, &["-o", "json"]].concat()).await;
    let document: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
    let members = document["members"].as_array().expect("members");
    members.iter().map(|member| (member["id"].as_str().expect("an id").to_owned(), member.clone())).collect()
}

fn same(what: &str, expected: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) -> Result<(), String> {
    for (id, expected) in expected {
        let found = found.get(id).ok_or(format!("{what}: no {id}"))?;
        for (field, expected) in fields(expected) {
            if found.get(field) != Some(expected) {
                return Err(format!("{what}: {id}: {field}:\nexpected {expected}\nfound    {:?}", found.get(field)));
            }
        }
    }
    if expected.len() == found.len() { Ok(()) } else { Err(format!("{what}: members {:?}", found.keys())) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_view_says_the_same_of_the_same_federation() {
    let federation = Federation::joined(&["eu-1", "us-1"]).await;
    let controller = federation.controller().await;
    federation.all_ready().await;
    plant(&federation).await;

    let reported: Conditions = eventually("every state is reported", SOON, async || {
        let all = kubectl(&federation).await;
        let reported: Conditions =
            all.iter().map(|(name, o)| (name.clone(), conditions(&o["status"]["conditions"]))).collect();
        for (name, kind, status, reason) in STATES {
            let found = reported.get(name).and_then(|conditions| conditions.get(kind));
            if found != Some(&(status.to_owned(), reason.to_owned())) {
                return Err(format!("{name}: {kind}: expected {status} {reason}, found {found:?}"));
            }
        }
        Ok(reported)
    })
    .await;
    assert!(reported.len() >= 14, "{reported:?}");

    // kubectl, and `status` of the hub and of the controller.
    let hub = federation.hub_kubeconfig("isthmus-controller");
    let hub = format!("--hub-kubeconfig={}", hub.display());
    let admin = format!("--admin=http://{}", controller.admin());
    eventually("all views say the same", SOON, async || {
        let objects = kubectl(&federation).await;
        for (name, object) in &objects {
            for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
                if condition["observedGeneration"] != object["metadata"]["generation"] {
                    return Err(format!("{name}: {condition} is not about {}", object["metadata"]["generation"]));
                }
            }
        }
        let expected: BTreeMap<String, Value> = objects
            .iter()
            .filter(|(name, _)| !name.contains('/'))
            .map(|(name, object)| (name.clone(), as_view(object)))
            .collect();
        same("status of the hub", &expected, &members(&["status", &hub]).await)?;
        same("status of the controller", &expected, &members(&["status", &admin]).await)?;
        let page = controller.members().await;
        same("the page", &expected, &page)?;
        same("check", &expected, &members(&["check", &hub]).await)
    })
    .await;
    check_agrees(&federation, &hub).await;
    folder_agrees(&federation).await;
}

/// Each state that is not as it should be is a finding, and the whole has failed.
async fn check_agrees(federation: &Federation, hub: &str) {
    let output = run(&["check", hub, "-o", "json"]).await;
    let document: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((output.status.code(), &document["outcome"]), (Some(1), &"failed".into()), "{document:#}");
    let findings = document["findings"].as_array().expect("findings");
    let found = |severity: &str, object: &str, condition: &str| {
        findings.iter().any(|finding| {
            finding["severity"] == severity && finding["object"] == object && finding["condition"] == condition
        })
    };
    for (severity, object, condition) in [
        ("failure", "MemberCluster eu-1", "Admitted=True CIDRDrift"),
        ("failure", "MemberCluster clash-1", "Admitted=False CIDROverlap"),
        ("failure", "MemberCluster revoked-1", "Connected=False CredentialRefused"),
        ("failure", "MemberCluster plugin-1", "Connected=False KubeconfigInvalid"),
        ("failure", "MemberCluster nowhere-1", "Admitted=False UnknownRegion"),
        ("warning", "MemberCluster us-1", "Admitted=True EndpointsOutOfRange"),
        ("warning", "Region eu", "Accepted=True UnknownRegion"),
        ("warning", "FederationPolicy second", "Accepted=True Shadowed"),
        ("warning", "FederationPolicy weights", "Accepted=True UnknownCluster"),
    ] {
        assert!(found(severity, object, condition), "{severity} {object} {condition}: {findings:#?}");
    }
    let is_found = |what: &str| findings.iter().any(|finding| finding["message"].as_str().unwrap().contains(what));
    let in_eu = format!("endpoint {} lies in a range of member eu-1: not served", federation.member("eu-1").pod(9));
    assert!(is_found(&in_eu), "{findings:#?}");
    assert!(is_found("pod range 172.30.0.0/24 of its Nodes is not in spec.cidrs.pods"), "{findings:#?}");
    assert!(is_found("isthmus.dev/federate is \"True\", which marks nothing"), "{findings:#?}");
}

/// The same objects in a folder: what a folder can know of its members is what the hub reports of them.
async fn folder_agrees(federation: &Federation) {
    let world = tempfile::tempdir().expect("make a folder");
    let dump = federation.hub.kubectl(&["get", "regions,memberclusters,federationpolicies", "-o", "yaml"]).await;
    std::fs::write(world.path().join("hub.yaml"), dump).expect("write");
    for id in ["eu-1", "us-1"] {
        let folder = world.path().join("clusters").join(id);
        std::fs::create_dir_all(&folder).expect("make a folder");
        let kinds = "namespaces,services,endpointslices,nodes,servicecidrs";
        let dump = federation.member(id).cluster.kubectl(&["get", kinds, "-A", "-o", "yaml"]).await;
        std::fs::write(folder.join("dump.yaml"), dump).expect("write");
    }
    let found = members(&["status", "--world", world.path().to_str().expect("a path")]).await;
    let objects = kubectl(federation).await;
    assert_eq!(found.len(), objects.keys().filter(|name| !name.contains('/')).count());
    for (id, found) in &found {
        let expected = as_view(&objects[id]);
        let (expected, found) = (as_map(&expected), as_map(found));
        let reached = ["eu-1", "us-1"].contains(&id.as_str());
        // Where a folder has nothing of a member, it cannot know why the hub does not reach it.
        let fields: &[&str] = if reached {
            &[
                "region",
                "network",
                "traffic",
                "weight",
                "ready",
                "reason",
                "podCidrs",
                "serviceCidrs",
                "services",
                "endpoints",
                "notes",
            ]
        } else {
            &["region", "network", "traffic", "weight", "podCidrs", "serviceCidrs"]
        };
        for field in fields {
            assert_eq!(found[field], expected[field], "{id}: {field}");
        }
        let admitted =
            |view: &Value| view.as_array().and_then(|all| all.iter().find(|c| c["type"] == "Admitted").cloned());
        // A twin is known by its UID, which a folder without the member does not have.
        if id != "twin-1" {
            assert_eq!(admitted(found["conditions"]), admitted(expected["conditions"]), "{id}");
        }
        let place_aside = |lines: &Value| {
            let lines = lines.as_array().expect("a list").iter().filter_map(Value::as_str);
            lines
                .map(|line| {
                    line.rsplit(".yaml:")
                        .next()
                        .unwrap_or(line)
                        .trim_start_matches(|c: char| c.is_ascii_digit())
                        .trim_start_matches(": ")
                        .to_owned()
                })
                .collect::<Vec<_>>()
        };
        if reached {
            assert_eq!(place_aside(found["problems"]), place_aside(expected["problems"]), "{id}: problems");
        }
    }
}
