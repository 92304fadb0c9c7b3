//! From a kubeconfig to a client that is known to work: who answers, which version, and whether it lets us read what
//! we must. Every call that is not a watch has a deadline; connections that died silently are noticed by TCP itself.

mod address;
mod body;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use federation::change::LinkFailure;
use federation::model::ClusterUid;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::TokioExecutor;
use k8s_openapi::api::core::v1::{Namespace, Node, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;
use kube::client::{Body, ClientBuilder, ConfigExt};
use serde::Deserialize;
use tokio::time::Instant;
use tower::{BoxError, ServiceBuilder};

use super::kubeconfig::Access;
use super::secret::Credential;
use crate::client::answers;
use crate::client::bounds::{CALL_TIMEOUT, CONNECT_TIMEOUT};
use crate::client::cause::{self, Side};
use crate::client::member::MemberClient;
use crate::foreign::cut;
use address::{Checked, Gate};
use body::{Bounded, Shape};
use steps::Stepped;

pub use address::{Allowed, NotAllowed};

/// Silence on an idle connection before TCP asks whether the other side is still there.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may stay unacknowledged before the connection counts as dead.
const UNACKNOWLEDGED_AFTER: Duration = Duration::from_secs(10);
/// Idle connections kept for one member besides its watches.
const IDLE_CONNECTIONS: usize = 8;
/// Longest version text or UID taken over from an API server, in bytes.
const MAX_IDENTITY_LEN: usize = 64;

/// Longest message about a failure, in bytes.
pub const MAX_MESSAGE_LEN: usize = 2 << 10;

/// Why a member cannot be used. The message is for people, bounded, and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConnectError {
    pub reason: LinkFailure,
    pub message: Arc<str>,
}

impl ConnectError {
    pub fn new(reason: LinkFailure, message: impl Into<Arc<str>>) -> Self {
        let message: Arc<str> = message.into();
        // It names the server's URL, and a Secret may hold a long one.
        let message =
            if message.len() <= MAX_MESSAGE_LEN { message } else { Arc::from(cut(&message, MAX_MESSAGE_LEN)) };
        Self { reason, message }
    }
}

/// A connection that was tried out.
#[derive(Clone, Debug)]
pub struct Link {
    pub client: MemberClient,
    /// The API server's URL, for messages.
    pub server: http::Uri,
    pub version: Arc<str>,
    /// The first kind that may not be listed, if there is one: the others are followed without it.
    pub denied: Option<ConnectError>,
}

/// The same for a credential that is to replace one that works: it must have all rights.
pub async fn open_fully(credential: &Credential, allowed: &Allowed) -> Result<Link, ConnectError> {
    let link = open(credential, allowed).await?;
    match link.denied.clone() {
        Some(denied) => Err(denied),
        None => Ok(link),
    }
}

/// Opens and tries a member's credential: reads the kubeconfig, asks who is there, and whether we may read there.
pub async fn open(credential: &Credential, allowed: &Allowed) -> Result<Link, ConnectError> {
    let (place, bytes) = match credential {
        Credential::Unknown => {
            return Err(ConnectError::new(LinkFailure::SecretMissing, "the hub's Secrets are not listed yet"));
        }
        Credential::Missing(message) => return Err(ConnectError::new(LinkFailure::SecretMissing, message.clone())),
        Credential::Present { place, kubeconfig } => (place, kubeconfig),
    };
    let invalid =
        |why: &dyn std::fmt::Display| ConnectError::new(LinkFailure::KubeconfigInvalid, format!("{place}: {why}"));
    let access = Access::parse(bytes.expose()).map_err(|error| invalid(&error))?;
    // The library's own text is not used: it may describe key material.
    let client = client_through(access.config(), GaiResolver::new(), allowed.clone())
        .map_err(|_| invalid(&"its certificates and key do not fit together, or are of a kind TLS does not know"))?;
    identify(&client, &access).await
}

/// A client of the hub: its address is the operator's own, and may be anywhere. Without the library's own retries (they
/// can take a quarter of an hour), with dead-peer detection, and with bounds on every answer.
pub fn client(config: kube::Config) -> Result<kube::Client, kube::Error> {
    client_through(config, GaiResolver::new(), Allowed::everywhere())
}

/// The same for an address that the operator did not choose. It follows no redirects and uses no proxy.
fn client_through<R>(config: kube::Config, resolver: R, allowed: Allowed) -> Result<kube::Client, kube::Error>
where
    R: tower::Service<Name, Future: Send> + Clone + Send + Sync + 'static,
    R::Response: Iterator<Item = std::net::SocketAddr> + 'static,
    R::Error: Into<BoxError> + 'static,
{
    let mut tcp = HttpConnector::new_with_resolver(Checked::new(resolver, allowed.clone()));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(KEEPALIVE_AFTER));
    tcp.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    tcp.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED_AFTER));
    let tls = config.rustls_https_connector_with_connector(Gate::new(tcp, allowed))?;
    let connector = Stepped::new(tls, CONNECT_TIMEOUT);
    let http: HttpClient<_, Body> =
        HttpClient::builder(TokioExecutor::new()).pool_max_idle_per_host(IDLE_CONNECTIONS).build(connector);
    let bounded = tower::service_fn(move |request: http::Request<Body>| {
        let (shape, asked) = (Shape::of(&request), Instant::now());
        let answer = http.request(request);
        async move {
            let answer = tokio::time::timeout_at(asked + shape.deadline(), answer).await;
            let answer = answer.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
            if is_page_for_people(&answer) {
                return Err(answers::Fault::Html { what: "the answer" }.into());
            }
            let shape = shape.answered(answer.status());
            Ok::<_, BoxError>(answer.map(|body| Bounded::new(body, shape, asked)))
        }
    });
    // Not the library's stack: that one logs every failed probe of a lost member as an error of ours.
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(bounded);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}

/// A refusal in HTML comes from something else than an API server, and its code means nothing.
fn is_page_for_people<B>(answer: &http::Response<B>) -> bool {
    let html = |value: &http::HeaderValue| value.as_bytes().starts_with(b"text/html");
    !answer.status().is_success() && answer.headers().get(http::header::CONTENT_TYPE).is_some_and(html)
}

/// The answer of `/version`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
}

/// What identifies a cluster.
#[derive(Deserialize)]
struct System {
    metadata: SystemMetadata,
}

#[derive(Deserialize)]
struct SystemMetadata {
    uid: Option<String>,
}

/// What an API server says it is; only one answers this.
pub async fn version(client: &kube::Client) -> Result<String, kube::Error> {
    Ok(answers::get::<Version>(client, "/version", "its version", "a version").await?.git_version)
}

async fn identify(client: &kube::Client, access: &Access) -> Result<Link, ConnectError> {
    let server = access.server();
    let version = call("read its version", server, version(client)).await?;
    let path = "/api/v1/namespaces/kube-system";
    let asked = answers::get::<System>(client, path, "the namespace kube-system", "a Namespace");
    let system = call("get the namespace kube-system", server, asked).await?;
    // Both are shown in the status: a server must not have the token shown there.
    let secrets = access.secrets();
    let plain = |text| plain(text).filter(|text| !secrets.are_in(text));
    let uid = system.metadata.uid.as_deref().and_then(plain).ok_or_else(|| {
        ConnectError::new(
            LinkFailure::Unreachable,
            format!("{server} answers, but its kube-system namespace has no UID"),
        )
    })?;
    let denied = [
        may_list::<Namespace>(client, server, "namespaces").await?,
        may_list::<Service>(client, server, "services").await?,
        may_list::<EndpointSlice>(client, server, "endpointslices").await?,
        may_list::<Node>(client, server, "nodes").await?,
    ];
    // What cannot be read at all is no use; what can be read in part is followed in part.
    let [namespaces, services, slices, _] = &denied;
    if let (Some(_), Some(denied), Some(_)) = (namespaces, services, slices) {
        return Err(denied.clone());
    }
    let denied = denied.into_iter().flatten().next();
    let version = plain(&version).unwrap_or("unknown");
    let client = MemberClient::new(client.clone(), ClusterUid(Arc::from(uid)), secrets.clone());
    Ok(Link { client, server: server.clone(), version: Arc::from(version), denied })
}

/// A short text of harmless characters, or nothing.
fn plain(text: &str) -> Option<&str> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+".contains(&byte);
    (!text.is_empty() && text.len() <= MAX_IDENTITY_LEN && text.bytes().all(legal)).then_some(text)
}

/// Asks before the link is called up: a credential that may not read anything would otherwise connect and keep failing.
/// `Some`: this kind may not be listed.
async fn may_list<K>(
    client: &kube::Client,
    server: &http::Uri,
    kind: &str,
) -> Result<Option<ConnectError>, ConnectError>
where
    K: kube::Resource<DynamicType = ()>,
{
    let api: Api<K> = Api::all(client.clone());
    let what = format!("list {kind}");
    // Whether it is refused is all that matters; what is listed is read when the kind is followed.
    let path = format!("{}?limit=1", api.resource_url());
    match tokio::time::timeout(CALL_TIMEOUT, answers::get_text(client, &path, "the list")).await {
        Ok(Ok(_)) => Ok(None),
        Ok(Err(error)) if is_forbidden(&error) => Ok(Some(describe(server, &what, &error))),
        Ok(Err(error)) => Err(describe(server, &what, &error)),
        Err(_) => Err(late(server, &what)),
    }
}

/// Classes an error of a request to a member: `what` completes "could not …".
pub fn describe(server: &http::Uri, what: &str, error: &kube::Error) -> ConnectError {
    // Not even the server's name: any other text would show what is at that address.
    if answers::find::<NotAllowed>(error).is_some() {
        return ConnectError::new(LinkFailure::KubeconfigInvalid, cause::of(Side::Member, error).to_string());
    }
    let reason = match error {
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => LinkFailure::CredentialRefused,
        _ => LinkFailure::Unreachable,
    };
    ConnectError::new(reason, cause::sentence(Side::Member, &server.to_string(), what, error))
}

/// No answer within [`CALL_TIMEOUT`].
pub fn late(server: &http::Uri, what: &str) -> ConnectError {
    ConnectError::new(LinkFailure::Unreachable, cause::late(&server.to_string(), what, CALL_TIMEOUT))
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

async fn call<T>(
    what: &str,
    server: &http::Uri,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ConnectError> {
    match tokio::time::timeout(CALL_TIMEOUT, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(describe(server, what, &error)),
        Err(_) => Err(late(server, what)),
    }
}
