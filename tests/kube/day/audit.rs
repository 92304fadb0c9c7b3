//! What an API server wrote about Isthmus's accounts into its audit log, beside what the printed roles grant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Everything that accounts of Isthmus's namespace ask for.
const POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n- level: Metadata\n  \
                      userGroups: ['system:serviceaccounts:isthmus-system']\n- level: None\n";
/// Where the test itself asks from.
pub const TEST: &str = "127.0.0.1";
const ACCOUNT: &str = "system:serviceaccount:isthmus-system:";

/// API group, resource with subresource, verb.
pub type Right = (String, String, String);

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub account: String,
    pub right: Right,
    pub namespace: String,
    pub code: u64,
    pub from: String,
}

/// The log of one API server.
pub struct AuditLog(PathBuf);

impl AuditLog {
    /// The flags that make an API server write it into this folder.
    pub fn into(folder: &Path, name: &str) -> (Self, Vec<String>) {
        let policy = folder.join("audit-policy.yaml");
        std::fs::write(&policy, POLICY).unwrap();
        let log = folder.join(format!("{name}-audit.log"));
        let flags =
            vec![format!("--audit-policy-file={}", policy.display()), format!("--audit-log-path={}", log.display())];
        (Self(log), flags)
    }

    /// How much there is of it.
    pub fn len(&self) -> usize {
        std::fs::read(&self.0).unwrap().len()
    }

    /// Accounts that asked for anything, resource or not, and were answered, since the log was so long.
    pub fn answered_since(&self, length: usize) -> BTreeSet<String> {
        let text = std::fs::read(&self.0).unwrap();
        // The last line may be half written.
        let lines = String::from_utf8_lossy(&text[length..]).into_owned();
        let events = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let answered = events.filter(|event| event["responseStatus"]["code"] == 200 && event["sourceIPs"][0] != TEST);
        answered
            .filter_map(|event| Some(event["user"]["username"].as_str()?.strip_prefix(ACCOUNT)?.to_owned()))
            .collect()
    }

    /// Requests for resources, by accounts of ours.
    pub fn requests(&self) -> Vec<Request> {
        let text = std::fs::read_to_string(&self.0).unwrap();
        let requests: Vec<Request> =
            text.lines().filter_map(|line| request(&serde_json::from_str(line).unwrap())).collect();
        assert!(!requests.is_empty(), "an audit log without a word about us: {}", self.0.display());
        requests
    }
}

fn request(event: &Value) -> Option<Request> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let account = event["user"]["username"].as_str()?.strip_prefix(ACCOUNT)?.to_owned();
    let object = event["objectRef"].as_object()?;
    let part = |name: &str| object.get(name).map(text).unwrap_or_default();
    let resource = match part("subresource") {
        none if none.is_empty() => part("resource"),
        sub => format!("{}/{sub}", part("resource")),
    };
    Some(Request {
        account,
        right: (part("apiGroup"), resource, text(&event["verb"])),
        namespace: part("namespace"),
        code: event["responseStatus"]["code"].as_u64().unwrap_or(0),
        from: text(&event["sourceIPs"][0]),
    })
}

/// What each account may do, by the roles in a manifest that are bound to it.
pub fn granted(manifest: &str) -> BTreeMap<String, BTreeSet<Right>> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(manifest).unwrap();
    let mut all: BTreeMap<String, BTreeSet<Right>> = BTreeMap::new();
    let bindings =
        objects.iter().filter(|object| matches!(object["kind"].as_str(), Some("ClusterRoleBinding" | "RoleBinding")));
    for binding in bindings {
        let role = objects
            .iter()
            .find(|object| {
                object["kind"] == binding["roleRef"]["kind"] && object["metadata"]["name"] == binding["roleRef"]["name"]
            })
            .expect("the role of a binding");
        for subject in binding["subjects"].as_array().unwrap() {
            let rights = all.entry(subject["name"].as_str().unwrap().to_owned()).or_default();
            for rule in role["rules"].as_array().unwrap() {
                rights.extend(of_rule(rule));
            }
        }
    }
    all
}

fn of_rule(rule: &Value) -> Vec<Right> {
    let words = |key: &str| -> Vec<String> {
        rule[key].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let mut rights = Vec::new();
    for group in words("apiGroups") {
        for resource in words("resources") {
            rights.extend(words("verbs").into_iter().map(|verb| (group.clone(), resource.clone(), verb)));
        }
    }
    rights
}
