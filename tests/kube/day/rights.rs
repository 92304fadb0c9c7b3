//! Every right in the printed roles was used in this day, and none was missing.

use std::collections::{BTreeMap, BTreeSet};

use super::audit::{AuditLog, Request, Right, TEST, granted};
use super::kubelet::Kubelet;
use crate::harness::run;

/// Rights that this day has no use for, and who has.
const ELSEWHERE: [(&str, &str, &str, &str); 3] = [
    ("isthmus-controller", "regions/status", "patch", "statuses of Regions"),
    ("isthmus-controller", "events", "patch", "an Event that repeats within minutes"),
    ("isthmus-member", "leases", "update", "kube::two_hubs: a member that is taken over"),
];

pub async fn are_those_that_are_used(audits: &[AuditLog; 4], kubelet: &Kubelet) {
    let [hub, members @ ..] = audits;
    let hub = hub.requests();
    // From loopback comes the test itself, with a token that it took.
    let members = members.iter().flat_map(AuditLog::requests).filter(|request| request.from != TEST);
    let members: Vec<Request> = members.collect();
    let refused: Vec<&Request> = hub.iter().chain(&members).filter(|request| request.code == 403).collect();
    assert!(refused.is_empty(), "a right is missing: {refused:?}");
    for (part, requests) in
        [(&["hub-rbac", "--secrets-namespace=isthmus-regions"][..], &hub), (&["member-rbac"], &members)]
    {
        let text = run(&[&["manifests"], part].concat()).await.stdout;
        let unused = unused(&granted(&String::from_utf8(text).unwrap()), requests);
        assert!(unused.is_empty(), "rights that were not used: {unused:?}");
    }

    // Who is who: the regions never saw what may write, neither in the hub nor in a member.
    let [controllers, regions] = ["isthmus-controller", "isthmus-region"].map(|account| kubelet.addresses(account));
    for request in &members {
        let by = match request.account.as_str() {
            "isthmus-member" => &controllers,
            "isthmus-member-reader" => &regions,
            other => panic!("an unknown account: {other}"),
        };
        assert!(by.contains(&request.from), "{request:?} should come from {by:?}");
    }
    let secrets = |account: &str| -> BTreeSet<&str> {
        let of = hub.iter().filter(|request| request.account == account && request.right.1 == "secrets");
        of.map(|request| request.namespace.as_str()).collect()
    };
    assert_eq!(secrets("isthmus-controller"), BTreeSet::from(["isthmus-system"]));
    assert_eq!(secrets("isthmus-region"), BTreeSet::from(["isthmus-regions"]));
}

fn unused(granted: &BTreeMap<String, BTreeSet<Right>>, requests: &[Request]) -> Vec<(String, Right)> {
    let used: BTreeSet<(&str, &Right)> =
        requests.iter().map(|request| (request.account.as_str(), &request.right)).collect();
    let elsewhere = |account: &str, right: &Right| {
        ELSEWHERE.iter().any(|(of, resource, verb, _)| *of == account && *resource == right.1 && *verb == right.2)
    };
    let all = granted.iter().flat_map(|(account, rights)| rights.iter().map(move |right| (account, right)));
    all.filter(|(account, right)| !used.contains(&(account.as_str(), *right)) && !elsewhere(account, right))
        .map(|(account, right)| (account.clone(), right.clone()))
        .collect()
}
