//! Ways in: kubeconfigs and service accounts.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Cluster;
use crate::testbed::wait::eventually;

/// The namespace of the service accounts made here.
const NAMESPACE: &str = "default";
const TOKEN_SECONDS: i64 = 3600;
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const RBAC_LIMIT: Duration = Duration::from_secs(20);

/// A service account of one cluster and how to be it.
#[derive(Clone)]
pub struct AccountAccess {
    pub namespace: String,
    pub name: String,
    pub token: String,
    /// CA and token inline.
    pub kubeconfig: String,
}

/// A rule of a ClusterRole; all resource names, all namespaces.
pub fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().copied().map(str::to_owned).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(owned(groups)),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

impl Cluster {
    /// Kubeconfig of a new service account that may do what `rules` say, and
    /// nothing else.
    pub async fn service_account_kubeconfig(&self, rules: Vec<PolicyRule>) -> String {
        self.service_account(rules).await.kubeconfig
    }

    /// The same with its names, for tests that take rights away again: its
    /// ClusterRole and ClusterRoleBinding have the account's name.
    pub async fn service_account(&self, rules: Vec<PolicyRule>) -> AccountAccess {
        static COUNTER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test-{}", COUNTER.fetch_add(1, Ordering::Relaxed));
        let client = self.client();
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), NAMESPACE);
        create(&accounts, ServiceAccount { metadata: metadata.clone(), ..ServiceAccount::default() }).await;
        let role = ClusterRole { metadata: metadata.clone(), rules: Some(rules.clone()), ..ClusterRole::default() };
        create(&Api::all(client.clone()), role).await;
        let binding = ClusterRoleBinding {
            metadata,
            role_ref: RoleRef {
                api_group: Some(ClusterRole::group(&()).into_owned()),
                kind: "ClusterRole".into(),
                name: name.clone(),
            },
            subjects: Some(vec![Subject {
                kind: "ServiceAccount".into(),
                name: name.clone(),
                namespace: Some(NAMESPACE.into()),
                ..Subject::default()
            }]),
        };
        create(&Api::all(client), binding).await;

        let token = self.token_of(NAMESPACE, &name).await;
        let kubeconfig = self.kubeconfig_with(&name, &token);
        let account = AccountAccess { namespace: NAMESPACE.into(), name, token, kubeconfig };
        wait_for_rights(&account, &rules).await;
        account
    }

    /// A fresh token of a service account that is there already.
    pub async fn token_of(&self, namespace: &str, account: &str) -> String {
        let accounts = Api::<ServiceAccount>::namespaced(self.client(), namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await;
        answer.expect("a token request").status.and_then(|status| status.token).expect("a token")
    }

    /// A kubeconfig for this cluster with that token, CA inline.
    pub fn kubeconfig_with(&self, user: &str, token: &str) -> String {
        kubeconfig(&self.name, &self.plane.server_url, &self.plane.ca, user, token)
    }
}

/// The authoriser learns of new bindings through its own watch, a moment later.
async fn wait_for_rights(account: &AccountAccess, rules: &[PolicyRule]) {
    let first = |words: &Option<Vec<String>>| words.as_ref().and_then(|words| words.first()).cloned();
    let Some(rule) = rules.iter().find(|rule| first(&rule.resources).is_some()) else { return };
    let client = client_of(&account.kubeconfig).await;
    let (resource, subresource) = match first(&rule.resources).as_deref().and_then(|path| path.split_once('/')) {
        Some((resource, subresource)) => (Some(resource.to_owned()), Some(subresource.to_owned())),
        None => (first(&rule.resources), None),
    };
    let attributes = ResourceAttributes {
        group: first(&rule.api_groups),
        resource,
        subresource,
        name: first(&rule.resource_names),
        verb: rule.verbs.first().cloned(),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    eventually("the service account has its rights", RBAC_LIMIT, async || {
        let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await;
        let status = answer.map_err(|error| error.to_string())?.status.unwrap_or_default();
        if status.allowed { Ok(()) } else { Err(format!("denied: {:?}", status.reason)) }
    })
    .await;
}

async fn create<K>(api: &Api<K>, object: K)
where
    K: Resource<DynamicType = ()> + Clone + Serialize + DeserializeOwned + std::fmt::Debug,
{
    let kind = K::kind(&());
    api.create(&PostParams::default(), &object).await.unwrap_or_else(|error| panic!("create a {kind}: {error}"));
}

/// A client that goes by one of the kubeconfigs made here. It belongs to the
/// current runtime.
pub async fn client_of(kubeconfig: &str) -> Client {
    Client::try_from(config_of(kubeconfig).await).expect("a client from our own kubeconfig")
}

/// The configuration of such a client.
#[expect(clippy::disallowed_methods, reason = "the text is our own: it has no exec entries and nothing to hide")]
pub async fn config_of(kubeconfig: &str) -> Config {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("our own kubeconfig parses");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.expect("our own kubeconfig is whole");
    config.connect_timeout = Some(CONNECT_LIMIT);
    // Fifteen retries would turn a clear error into a timeout.
    config.default_retry = false;
    config
}

/// A self-contained kubeconfig: it names no file, so it can go into a Secret.
pub(super) fn kubeconfig(cluster: &str, server: &str, ca_pem: &str, user: &str, token: &str) -> String {
    let ca = serde_json::to_string(&ByteString(ca_pem.as_bytes().to_vec())).expect("base64 is JSON");
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {cluster}\n\
         clusters:\n- name: {cluster}\n  cluster:\n    server: {server}\n    certificate-authority-data: {ca}\n\
         users:\n- name: {user}\n  user:\n    token: {token}\n\
         contexts:\n- name: {cluster}\n  context:\n    cluster: {cluster}\n    user: {user}\n"
    )
}
