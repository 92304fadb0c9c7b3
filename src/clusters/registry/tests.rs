#![allow(clippy::unwrap_used)]

use federation::change::{Change, Delta};
use federation::model::{ClusterId, Member, Network, RegionId, Time, Traffic};
use std::sync::Arc;

use super::entries::{MemberEntry, SecretEntry};
use super::roster::Roster;
use crate::clusters::secret::{Credential, SecretRef};

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
    let secret = secret.map(|(name, key)| SecretRef { name: Arc::from(name), key: Arc::from(key) });
    MemberEntry { member, secret, take_over: None }
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
    let mut roster = Roster::new("isthmus-system".to_owned());
    let refs = [entry("eu-1", Some(("eu-1", "kubeconfig"))), entry("eu-2", None), entry("us-1", Some(("us", "other")))];
    roster.members(Delta::full(refs.to_vec()));
    assert_eq!(shown(&roster), ["eu-1: unknown", "eu-2: unknown", "us-1: unknown"], "before Secrets are listed");

    roster.secrets(Delta::full(vec![SecretEntry::new("us", &[("kubeconfig", "x")])]));
    assert_eq!(
        shown(&roster),
        [
            "eu-1: Secret isthmus-system/eu-1 does not exist; create it with the kubeconfig under \"kubeconfig\"",
            "eu-2: spec.kubeconfigSecretRef is not set; expected a Secret in namespace isthmus-system with a kubeconfig",
            "us-1: Secret isthmus-system/us has no key \"other\"; put the kubeconfig under it",
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

#[test]
fn secrets_cannot_be_printed() {
    let mut roster = Roster::new("isthmus-system".to_owned());
    roster.members(Delta::full(vec![entry("eu-1", Some(("eu-1", "kubeconfig")))]));
    roster.secrets(Delta::full(vec![SecretEntry::new("eu-1", &[("kubeconfig", "topsecret")])]));
    let credentials: Vec<_> = roster.credentials().collect();
    assert!(!format!("{roster:?} {credentials:?}").contains("topsecret"));
}

#[test]
fn take_overs_follow_the_annotations() {
    let mut roster = Roster::new("isthmus-system".to_owned());
    let with = |name, text: Option<&str>| MemberEntry { take_over: text.map(Arc::from), ..entry(name, None) };
    roster.members(Delta::full(vec![with("a", Some("h1/0")), with("b", None)]));
    let shown = |roster: &Roster| {
        roster.take_overs().iter().map(|(id, text)| format!("{id}={text}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(&roster), "a=h1/0");
    roster.members(Delta::Partial(vec![Change::Put(with("b", Some("h2/1"))), Change::Put(with("a", None))]));
    assert_eq!(shown(&roster), "b=h2/1");
}
