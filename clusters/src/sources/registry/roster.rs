//! Who is a member, and what its credential is now. No IO.

use std::collections::BTreeMap;
use std::sync::Arc;

use federation::change::{Change, Delta, Object};
use federation::model::ClusterId;

use super::entries::{MemberEntry, SecretEntry, Value};
use crate::client::kubeconfig::MAX_KUBECONFIG_BYTES;
use crate::client::secret::{Access, Credential, SecretRef};

#[derive(Debug)]
pub(super) struct Roster {
    /// Where the Secrets are.
    namespace: String,
    access: Access,
    members: BTreeMap<ClusterId, Row>,
    /// `None` until Secrets were listed once: before that, a missing Secret means nothing.
    secrets: Option<BTreeMap<Arc<str>, SecretEntry>>,
}

/// What is kept of a member.
#[derive(Debug)]
struct Row {
    secret: Option<SecretRef>,
    read_secret: Option<SecretRef>,
    take_over: Option<Arc<str>>,
}

impl Roster {
    pub(super) fn new(namespace: String, access: Access) -> Self {
        Self { namespace, access, members: BTreeMap::new(), secrets: None }
    }

    pub(super) fn members(&mut self, delta: Delta<MemberEntry>) {
        apply(&mut self.members, delta, |MemberEntry { secret, read_secret, take_over, .. }| Row {
            secret,
            read_secret,
            take_over,
        });
    }

    pub(super) fn secrets(&mut self, delta: Delta<SecretEntry>) {
        apply(self.secrets.get_or_insert_default(), delta, |entry| entry);
    }

    pub(super) fn contains(&self, id: &ClusterId) -> bool {
        self.members.contains_key(id)
    }

    pub(super) fn credentials(&self) -> impl Iterator<Item = (&ClusterId, Credential)> {
        self.members.iter().map(|(id, row)| (id, self.credential(row)))
    }

    /// What each member's annotation says about who holds it.
    pub(super) fn take_overs(&self) -> BTreeMap<ClusterId, Arc<str>> {
        self.members.iter().filter_map(|(id, row)| Some((id.clone(), row.take_over.clone()?))).collect()
    }

    fn credential(&self, row: &Row) -> Credential {
        let missing = |text: String| Credential::Missing(Arc::from(text));
        let Some(secrets) = &self.secrets else { return Credential::Unknown };
        let namespace = &self.namespace;
        let (field, secret) = self.wanted(row);
        let Some(SecretRef { name, key }) = secret else {
            return missing(format!("{field}; expected a Secret in namespace {namespace} with a kubeconfig"));
        };
        let Some(entry) = secrets.get(name) else {
            return missing(format!(
                "Secret {namespace}/{name} does not exist; create it with the kubeconfig under {key:?} ({field})"
            ));
        };
        match entry.keys.get(key) {
            Some(Value::Here(kubeconfig)) => Credential::Present {
                place: Arc::from(format!("Secret {namespace}/{name}, key {key:?}")),
                kubeconfig: kubeconfig.clone(),
            },
            Some(Value::TooLarge(found)) => missing(format!(
                "Secret {namespace}/{name}, key {key:?} has {found} bytes; expected a kubeconfig of at most \
                 {MAX_KUBECONFIG_BYTES} bytes ({field})"
            )),
            None => {
                missing(format!("Secret {namespace}/{name} has no key {key:?}; put the kubeconfig under it ({field})"))
            }
        }
    }

    /// Which Secret this process uses for the member, and the field that says so or is missing.
    fn wanted<'a>(&self, row: &'a Row) -> (&'static str, Option<&'a SecretRef>) {
        let Row { secret, read_secret, .. } = row;
        match (self.access, read_secret, secret) {
            (Access::Read, Some(read), _) => ("spec.readKubeconfigSecretRef", Some(read)),
            (Access::Read, None, Some(secret)) => {
                ("spec.kubeconfigSecretRef, as spec.readKubeconfigSecretRef is not set", Some(secret))
            }
            (Access::Read, None, None) => {
                ("neither spec.readKubeconfigSecretRef nor spec.kubeconfigSecretRef is set", None)
            }
            (Access::Write, _, Some(secret)) => ("spec.kubeconfigSecretRef", Some(secret)),
            (Access::Write, _, None) => ("spec.kubeconfigSecretRef is not set", None),
        }
    }
}

fn apply<T: Object, V>(table: &mut BTreeMap<T::Key, V>, delta: Delta<T>, value: impl Fn(T) -> V) {
    match delta {
        Delta::Full { objects, rejected } => {
            let mut before = std::mem::take(table);
            *table = objects.into_iter().map(|object| (object.key().clone(), value(object))).collect();
            for key in rejected {
                if let Some(last) = before.remove(&key) {
                    table.entry(key).or_insert(last);
                }
            }
        }
        Delta::Partial(changes) => {
            for change in changes {
                match change {
                    Change::Put(object) => table.insert(object.key().clone(), value(object)),
                    Change::Delete(key) => table.remove(&key),
                };
            }
        }
    }
}
