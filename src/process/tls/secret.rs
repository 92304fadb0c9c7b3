//! The certificate as a Secret in Isthmus's own namespace, as cert-manager and `kubectl create secret tls` make it.

use std::sync::Arc;

use clusters::client::hub::HubClient;
use clusters::client::secret::SecretBytes;
use clusters::convert::Converted;
use clusters::problem::{ObjectName, ProblemBook, ProblemOrigin};
use clusters::sources::feed::FeedClosed;
use clusters::sources::watch::{Follow, Listener, Reading, Share, Sink, Trouble, follow_one};
use clusters::tables::SeenMark;
use federation::change::{Change, Delta, Object};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;

use super::keeper::Keeper;
use super::material::{Fields, Material, Unusable};

const FIELDS: Fields = Fields { cert: "data[tls.crt]", key: "data[tls.key]", client_ca: "data[ca.crt]" };
const CERT: &str = "tls.crt";
const KEY: &str = "tls.key";
const CLIENT_CA: &str = "ca.crt";

/// Not called a Secret: what the hub's own watch says of Secrets must not sweep this away.
pub(super) fn object(namespace: &str, name: &str) -> ObjectName {
    ObjectName { kind: "TLS Secret".to_owned(), namespace: Some(namespace.to_owned()), name: name.to_owned() }
}

/// Follows it forever. The hub being away changes nothing.
pub(super) async fn follow(hub: HubClient, namespace: String, name: String, keeper: Keeper) {
    let api: Api<Secret> = Api::namespaced(hub.client(), &namespace);
    let how = Follow {
        origin: ProblemOrigin::Hub,
        // Nothing is ever rejected on the way: the keeper judges.
        problems: ProblemBook::default(),
        seen: SeenMark::default(),
        listener: Quiet { hub, refused: false },
        remember: false,
        relist: None,
        optional: None,
        share: Share::of_hub(),
    };
    let FeedClosed = follow_one::<TlsSecrets, _>(api, &name, how, ToKeeper(keeper)).await;
}

/// The Secret as it was read.
#[derive(Clone, PartialEq)]
pub(super) struct TlsSecret {
    name: Arc<str>,
    content: Result<Material, Unusable>,
}

impl Object for TlsSecret {
    type Key = Arc<str>;
    fn key(&self) -> &Arc<str> {
        &self.name
    }
}

pub(super) struct TlsSecrets;

impl Reading for TlsSecrets {
    type Wire = Secret;
    type Model = TlsSecret;

    fn read(wire: &Secret) -> Converted<TlsSecret> {
        Ok(Self::key(&wire.metadata).map(|name| TlsSecret { name, content: content(wire) }).into())
    }

    fn key(meta: &ObjectMeta) -> Option<Arc<str>> {
        meta.name.as_deref().map(Arc::from)
    }
}

fn content(secret: &Secret) -> Result<Material, Unusable> {
    let value = |key: &str| secret.data.as_ref().and_then(|data| data.get(key)).map(|bytes| bytes.0.as_slice());
    let required = |key: &str, field: &'static str| {
        let expected = "a Secret of type kubernetes.io/tls, with tls.crt and tls.key";
        value(key).ok_or_else(|| Unusable { field, found: "nothing".to_owned(), expected })
    };
    Ok(Material {
        cert: required(CERT, FIELDS.cert)?.to_owned(),
        key: SecretBytes::new(required(KEY, FIELDS.key)?),
        client_ca: value(CLIENT_CA).map(<[u8]>::to_owned),
        fields: FIELDS,
    })
}

pub(super) struct ToKeeper(pub(super) Keeper);

impl Sink<TlsSecret> for ToKeeper {
    async fn take(&mut self, delta: Delta<TlsSecret>) -> Result<(), FeedClosed> {
        let missing = || {
            let expected = "a Secret of type kubernetes.io/tls of this name";
            Err(Unusable { field: "metadata.name", found: "nothing".to_owned(), expected })
        };
        let found = match delta {
            Delta::Full { objects, .. } => objects.into_iter().next().map_or_else(missing, |secret| secret.content),
            Delta::Partial(changes) => match changes.into_iter().next_back() {
                Some(Change::Put(secret)) => secret.content,
                Some(Change::Delete(_)) => missing(),
                None => return Ok(()),
            },
        };
        let _ = self.0.offer(found); // the problem is reported already
        Ok(())
    }
}

/// The watch of the members reports that the hub cannot be reached; only what concerns the Secret is reported here.
struct Quiet {
    hub: HubClient,
    refused: bool,
}

impl Listener for Quiet {
    fn trouble(&mut self, _: &str, trouble: Trouble) {
        let was_refused = std::mem::replace(&mut self.refused, matches!(trouble, Trouble::Refused(_)));
        if let (Trouble::Refused(error), false) = (trouble, was_refused) {
            tracing::warn!("--tls-secret: {}", self.hub.describe("watch this Secret", &error));
        }
    }
}
