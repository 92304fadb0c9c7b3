#![allow(clippy::unwrap_used)]

use federation::change::{Change, Delta};
use federation::model::{ClusterId, Member, Network, RegionId, Time, Traffic};
use std::sync::Arc;

use super::entries::{MemberEntry, SecretEntry};
use super::roster::Roster;
use crate::client::secret::{Access, Credential, SecretRef};

fn entry(name: &str, secret: Option<(&str, &str)>) -> MemberEntry {
    let member = Member {
        id: ClusterId::new(name).unwrap(),
        region: RegionId::new("eu").unwrap(),
        network: Network::default_network(),
        pods: None,
        services: None,
        exports: None,
        traffic: Traffic::Active,
        weight: None,
        created: Time::default(),
        generation: 1,
        recorded: None,
    };
    MemberEntry { member, secret: secret.map(place), read_secret: None, take_over: None }
}

fn place((name, key): (&str, &str)) -> SecretRef {
    SecretRef { name: Arc::from(name), key: Arc::from(key) }
}

fn roster(access: Access) -> Roster {
    Roster::new("isthmus-system".to_owned(), access)
}

fn shown(roster: &Roster) -> Vec<String> {
    let one = |(id, credential): (&ClusterId, Credential)| match credential {
        Credential::Unknown => format!("{id}: unknown"),
        Credential::Missing(why) => format!("{id}: {why}"),
        Credential::Present { place, kubeconfig } => {
            format!("{id}: {place} = {}", String::from_utf8_lossy(kubeconfig.expose()))
        }
    };
    roster.credentials().map(one).collect()
}

#[test]
fn credentials_follow_members_and_secrets() {
    let mut roster = roster(Access::Write);
    let refs = [entry("eu-1", Some(("eu-1", "kubeconfig"))), entry("eu-2", None), entry("us-1", Some(("us", "other")))];
    roster.members(Delta::full(refs.to_vec()));
    assert_eq!(shown(&roster), ["eu-1: unknown", "eu-2: unknown", "us-1: unknown"], "before Secrets are listed");

    roster.secrets(Delta::full(vec![SecretEntry::new("us", &[("kubeconfig", "x")])]));
    assert_eq!(
        shown(&roster),
        [
            "eu-1: Secret isthmus-system/eu-1 does not exist; create it with the kubeconfig under \"kubeconfig\" (spec.kubeconfigSecretRef)",
            "eu-2: spec.kubeconfigSecretRef is not set; expected a Secret in namespace isthmus-system with a kubeconfig",
            "us-1: Secret isthmus-system/us has no key \"other\"; put the kubeconfig under it (spec.kubeconfigSecretRef)",
        ]
    );

    roster.secrets(Delta::Partial(vec![Change::Put(SecretEntry::new("us", &[("other", "one")]))]));
    roster.members(Delta::Partial(vec![Change::Delete(ClusterId::new("eu-2").unwrap())]));
    roster.members(Delta::Full { objects: vec![refs[2].clone()], rejected: vec![refs[0].member.id.clone()] });
    assert_eq!(
        shown(&roster).last().unwrap(),
        "us-1: Secret isthmus-system/us, key \"other\" = one",
        "and a rejected member keeps its last good form: {:?}",
        shown(&roster)
    );
    assert_eq!(shown(&roster).len(), 2);
}

/// Each process uses its own credential, says which field it goes by, and follows that Secret alone.
#[test]
fn regions_use_the_credential_that_may_only_read() {
    let both = |name, read: (&str, &str)| {
        let entry = entry(name, Some((name, "kubeconfig")));
        MemberEntry { read_secret: Some(place(read)), ..entry }
    };
    let only_read = MemberEntry { read_secret: Some(place(("c-reader", "kubeconfig"))), ..entry("c", None) };
    let members =
        [both("a", ("a-reader", "kubeconfig")), entry("b", Some(("b", "kubeconfig"))), only_read, entry("d", None)];
    let at = |access| {
        let mut roster = roster(access);
        roster.members(Delta::full(members.to_vec()));
        roster.secrets(Delta::full(vec![]));
        roster
    };
    let (mut writing, mut reading) = (at(Access::Write), at(Access::Read));
    let lacks = |name: &str, field: &str| {
        format!(
            "{}: Secret isthmus-system/{name} does not exist; create it with the kubeconfig under \"kubeconfig\" ({field})",
            &name[..1]
        )
    };
    let nowhere = |id: &str, field: &str| {
        format!("{id}: {field}; expected a Secret in namespace isthmus-system with a kubeconfig")
    };
    assert_eq!(
        shown(&writing),
        [
            lacks("a", "spec.kubeconfigSecretRef"),
            lacks("b", "spec.kubeconfigSecretRef"),
            nowhere("c", "spec.kubeconfigSecretRef is not set"),
            nowhere("d", "spec.kubeconfigSecretRef is not set"),
        ]
    );
    assert_eq!(
        shown(&reading),
        [
            lacks("a-reader", "spec.readKubeconfigSecretRef"),
            lacks("b", "spec.kubeconfigSecretRef, as spec.readKubeconfigSecretRef is not set"),
            lacks("c-reader", "spec.readKubeconfigSecretRef"),
            nowhere("d", "neither spec.readKubeconfigSecretRef nor spec.kubeconfigSecretRef is set"),
        ]
    );

    for roster in [&mut writing, &mut reading] {
        for (name, content) in [("a", "old"), ("a-reader", "reads"), ("a", "writes")] {
            roster.secrets(Delta::Partial(vec![Change::Put(SecretEntry::new(name, &[("kubeconfig", content)]))]));
        }
    }
    let first = |roster: &Roster| shown(roster).swap_remove(0);
    assert_eq!(first(&writing), "a: Secret isthmus-system/a, key \"kubeconfig\" = writes");
    assert_eq!(first(&reading), "a: Secret isthmus-system/a-reader, key \"kubeconfig\" = reads");
    // The reference itself is followed too: another Secret, another key, none.
    reading.members(Delta::Partial(vec![Change::Put(both("a", ("a", "kubeconfig")))]));
    assert_eq!(first(&reading), "a: Secret isthmus-system/a, key \"kubeconfig\" = writes");
    reading.members(Delta::Partial(vec![Change::Put(both("a", ("a-reader", "other")))]));
    assert!(first(&reading).contains("a-reader has no key \"other\""));
    reading.members(Delta::Partial(vec![Change::Put(entry("a", Some(("a", "kubeconfig"))))]));
    assert_eq!(first(&reading), "a: Secret isthmus-system/a, key \"kubeconfig\" = writes");
}

#[test]
fn secrets_cannot_be_printed() {
    let mut roster = roster(Access::Write);
    roster.members(Delta::full(vec![entry("eu-1", Some(("eu-1", "kubeconfig")))]));
    roster.secrets(Delta::full(vec![SecretEntry::new("eu-1", &[("kubeconfig", "topsecret")])]));
    let credentials: Vec<_> = roster.credentials().collect();
    assert!(!format!("{roster:?} {credentials:?}").contains("topsecret"));
}

#[test]
fn take_overs_follow_the_annotations() {
    let mut roster = roster(Access::Write);
    let with = |name, text: Option<&str>| MemberEntry { take_over: text.map(Arc::from), ..entry(name, None) };
    roster.members(Delta::full(vec![with("a", Some("h1/0")), with("b", None)]));
    let shown = |roster: &Roster| {
        roster.take_overs().iter().map(|(id, text)| format!("{id}={text}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(&roster), "a=h1/0");
    roster.members(Delta::Partial(vec![Change::Put(with("b", Some("h2/1"))), Change::Put(with("a", None))]));
    assert_eq!(shown(&roster), "b=h2/1");
}
