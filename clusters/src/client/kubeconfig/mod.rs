//! Kubeconfigs from Secrets are hostile input. We read the few fields that are plain data, refuse whatever could run a
//! command, read a file of ours or impersonate another user, and never hand the document itself to a Kubernetes library
//! (which would run an `exec` entry as soon as a client is built). **No text of the document ever leaves this module in
//! an error**: parsers quote the lines they choke on, and those lines hold the token.

mod error;
mod fields;
#[cfg(test)]
mod fuzz;
mod identity;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::AuthInfo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use secrecy::ExposeSecret;
use serde_json::Value;

use error::{MAX_YAML_DEPTH, MAX_YAML_NODES, invalid};
use fields::{Fields, named};
use identity::{Certificate, Identity, certificates, decode, identity};

pub use error::{KubeconfigError, MAX_KUBECONFIG_BYTES};

use crate::foreign::Secrets;

/// What is needed to talk to one API server, and nothing else. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Access {
    server: http::Uri,
    tls_server_name: Option<String>,
    /// DER certificates; `None`: the machine's own trust store decides.
    roots: Option<Vec<Vec<u8>>>,
    identity: Identity,
}

impl Access {
    /// Reads a kubeconfig as it is in a Secret.
    pub fn parse(bytes: &[u8]) -> Result<Self, KubeconfigError> {
        let document = read(bytes)?;
        let root = Fields::of(&document, "document")?;
        let contexts = root.list("contexts")?;
        let clusters = root.list("clusters")?;
        let users = root.list("users")?;
        // Everything in the document is checked, not only what the current context names: an `exec` entry has no
        // business in a Secret, and a later edit of `current-context` must not activate it.
        let clusters = clusters.iter().map(|entry| check_cluster(entry)).collect::<Result<Vec<_>, _>>()?;
        let users = users.iter().map(|entry| check_user(entry)).collect::<Result<Vec<_>, _>>()?;

        if root.text("kind")?.is_some_and(|kind| kind != "Config") {
            return Err(invalid("kind", "Config, as kubectl writes it"));
        }
        let context = match (root.text("current-context")?, contexts.as_slice()) {
            (Some(name), _) => {
                named(&contexts, name)?.ok_or_else(|| invalid("current-context", "the name of one of its contexts"))?
            }
            (None, [only]) => only.clone(),
            (None, _) => {
                return Err(invalid(
                    "current-context",
                    "the name of one of its contexts, because there is not exactly one",
                ));
            }
        };
        let context = context.object("context")?;
        let cluster = context.text("cluster")?.unwrap_or_default();
        let cluster = named(&clusters, cluster)?
            .ok_or_else(|| invalid(context.path("cluster"), "the name of one of its clusters"))?;
        let user = context.text("user")?.unwrap_or_default();
        let user = named(&users, user)?.ok_or_else(|| {
            invalid(
                context.path("user"),
                "the name of one of its users: Isthmus connects to no member without a credential",
            )
        })?;
        let cluster = cluster.object("cluster")?;
        Ok(Self {
            server: server(&cluster)?,
            tls_server_name: tls_server_name(&cluster)?,
            roots: roots(&cluster)?,
            identity: identity(&user.object_or_empty("user")?)?,
        })
    }

    /// The API server's URL. It holds no credentials (those are refused).
    pub fn server(&self) -> &http::Uri {
        &self.server
    }

    /// Configuration for a client, built field by field.
    pub fn config(&self) -> kube::Config {
        let mut config = kube::Config::new(self.server.clone());
        config.root_cert = self.roots.clone();
        config.tls_server_name = self.tls_server_name.clone();
        let Identity { token, certificate } = &self.identity;
        config.auth_info = AuthInfo {
            token: token.clone(),
            client_certificate_data: certificate.as_ref().map(|certificate| certificate.chain.clone()),
            client_key_data: certificate.as_ref().map(|certificate| certificate.key.clone()),
            ..AuthInfo::default()
        };
        config
    }

    /// Recognises the token or key, for taking it out of texts that a server sends back. (Passwords are refused: see
    /// `check_user`.)
    pub fn secrets(&self) -> Secrets {
        let Identity { token, certificate } = &self.identity;
        let mut secrets: Vec<Vec<u8>> = token.iter().map(|token| token.expose_secret().as_bytes().to_vec()).collect();
        if let Some(Certificate { key, .. }) = certificate {
            // As the kubeconfig holds it, as the PEM that this is, and as the bytes in that.
            let pem = decode(key.expose_secret()).unwrap_or_default();
            let der = PrivateKeyDer::from_pem_slice(&pem);
            let der = der.as_ref().map(PrivateKeyDer::secret_der).unwrap_or_default();
            secrets.extend([key.expose_secret().as_bytes().to_vec(), STANDARD.encode(der).into_bytes(), der.to_vec()]);
        }
        Secrets::new(secrets.iter().map(Vec::as_slice))
    }
}

fn read(bytes: &[u8]) -> Result<Value, KubeconfigError> {
    if bytes.len() > MAX_KUBECONFIG_BYTES {
        return Err(KubeconfigError::TooLarge { found: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| KubeconfigError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_nodes: MAX_YAML_NODES,
            max_events: 2 * MAX_YAML_NODES,
            max_depth: MAX_YAML_DEPTH,
            max_documents: 1,
            // References make small documents large and let a field appear where no reader expects it.
            max_anchors: 0,
            max_aliases: 0,
            max_merge_keys: 0,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        use serde_saphyr::Error;
        let line_column = error.location().map(|place| (place.line(), place.column()));
        match error.without_snippet() {
            Error::DuplicateMappingKey { .. } => KubeconfigError::Twice { line_column },
            Error::Budget { .. } | Error::MultipleDocuments { .. } => KubeconfigError::Beyond { line_column },
            _ => KubeconfigError::NotYaml { line_column },
        }
    })
}

const FILE: &str =
    "a file path must not come from a Secret; put the content into the matching \"-data\" field, and remove this one";

fn check_cluster<'a>(entry: &Fields<'a>) -> Result<Fields<'a>, KubeconfigError> {
    entry.object_or_empty("cluster")?.allow(
        &["server", "certificate-authority-data", "tls-server-name", "insecure-skip-tls-verify", "disable-compression", "extensions"],
        &[
            ("certificate-authority", FILE),
            ("proxy-url", "a proxy named in a Secret would see all traffic to the member; give the address that Isthmus can reach"),
        ],
    )?;
    Ok(entry.clone())
}

fn check_user<'a>(entry: &Fields<'a>) -> Result<Fields<'a>, KubeconfigError> {
    const COMMAND: &str = "it would run a command inside Isthmus; use a token or a client certificate";
    const ACT_AS: &str = "Isthmus does not impersonate other users; give its own ServiceAccount the rights it needs";
    const PASSWORD: &str =
        "API servers have not accepted passwords since Kubernetes 1.19; use a token or a client certificate";
    entry.object_or_empty("user")?.allow(
        &["token", "client-certificate-data", "client-key-data", "extensions"],
        &[
            ("exec", COMMAND),
            ("auth-provider", COMMAND),
            (
                "tokenFile",
                "a file path must not come from a Secret; put the token itself into \"token\", and remove this one",
            ),
            ("client-certificate", FILE),
            ("client-key", FILE),
            ("username", PASSWORD),
            ("password", PASSWORD),
            ("as", ACT_AS),
            ("as-uid", ACT_AS),
            ("as-groups", ACT_AS),
            ("as-user-extra", ACT_AS),
        ],
    )?;
    Ok(entry.clone())
}

fn server(cluster: &Fields<'_>) -> Result<http::Uri, KubeconfigError> {
    const EXPECTED: &str = "an https:// URL without user, password or query";
    let error = || invalid(cluster.path("server"), EXPECTED);
    let uri: http::Uri = cluster.text("server")?.ok_or_else(error)?.parse().map_err(|_| error())?;
    let plain =
        uri.authority().is_some_and(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    if uri.scheme_str() == Some("https") && plain && uri.query().is_none() { Ok(uri) } else { Err(error()) }
}

fn tls_server_name(cluster: &Fields<'_>) -> Result<Option<String>, KubeconfigError> {
    // Without verification any server at the address is sent the token, and is believed.
    if cluster.flag("insecure-skip-tls-verify")? {
        return Err(KubeconfigError::Refused {
            field: cluster.path("insecure-skip-tls-verify"),
            why: "the API server must prove who it is; remove this, and give its certificate-authority-data",
        });
    }
    let Some(name) = cluster.text("tls-server-name")? else { return Ok(None) };
    ServerName::try_from(name).map_err(|_| invalid(cluster.path("tls-server-name"), "a DNS name or an IP address"))?;
    Ok(Some(name.to_owned()))
}

fn roots(cluster: &Fields<'_>) -> Result<Option<Vec<Vec<u8>>>, KubeconfigError> {
    const FIELD: &str = "certificate-authority-data";
    let Some(data) = cluster.text(FIELD)? else { return Ok(None) };
    let error = || invalid(cluster.path(FIELD), "base64 of PEM certificates");
    let pem = decode(data).ok_or_else(error)?;
    let roots = certificates(&pem).ok_or_else(error)?;
    Ok(Some(roots.into_iter().map(|certificate| certificate.to_vec()).collect()))
}
