//! Servers that answered, but not as an API server that lets us in; and plugins that give no credential.

use kube::client::AuthError;
use kube::core::Status;

use super::text::quoted;
use super::types::{Cause, Side};
use crate::client::answers::Fault;

const NOT_AN_API_SERVER: &str =
    "something other than a Kubernetes API server may answer there: check the kubeconfig's `server`";

/// An error answer. Of the code only, not of what the server wrote.
pub(super) fn refused(side: Side, status: &Status) -> Cause {
    let (credential, rights) = match side {
        Side::Hub => (
            "give Isthmus a new one: the kubeconfig of --hub-kubeconfig, or the service account that it runs as",
            "apply what `isthmus manifests hub-rbac` prints in the hub",
        ),
        Side::Member => {
            ("put a new one into the Secret", "apply what `isthmus manifests member-rbac` prints in the member")
        }
    };
    match status.code {
        401 => Cause::new("it does not accept the credential (401): it is wrong, expired or revoked", credential),
        403 => Cause::new("it accepts the credential, but it may not do this (403)", rights),
        400 => Cause::new(
            "it answered 400 (bad request)",
            "check scheme and port in the kubeconfig's `server`: a TLS port needs https://",
        ),
        404 => Cause::new("it answered 404 (not found)", NOT_AN_API_SERVER),
        407 => Cause::new(
            "a proxy answered 407 (it wants a credential of its own)",
            "give the address of the API server itself in the kubeconfig's `server`",
        ),
        429 => Cause::new("it answered 429 (too many requests)", "nothing: it is tried again"),
        code @ 502..=504 => Cause::new(
            format!(
                "it answered {code}: a load balancer before it has no API server to hand the request to, or it is not ready"
            ),
            "see to the API server",
        ),
        code @ 500..=599 => Cause::new(format!("it answered {code} (an error of its own)"), "see the API server's log"),
        code => Cause::new(format!("it answered {code}"), NOT_AN_API_SERVER),
    }
}

/// An answer that cannot be read.
pub(super) fn fault(fault: &Fault) -> Cause {
    let remedy = match fault {
        Fault::Html { .. } | Fault::NotJson { .. } | Fault::NotText { .. } | Fault::Status(_) => {
            "check the kubeconfig's `server`: it must be the API server's own address"
        }
        _ => "",
    };
    Cause::new(fault.to_string(), remedy)
}

/// A credential plugin that gave none. `command`: its name in the kubeconfig, if it is known. What it printed on
/// standard output may hold a token and is not shown.
pub fn plugin(command: &str, error: &AuthError) -> Cause {
    let name = if command.is_empty() { String::new() } else { format!(" `{}`", quoted(command)) };
    let of = format!("the credential plugin{name} of the kubeconfig");
    let remedy = "run it by hand as Isthmus does, or put a credential of another kind into the kubeconfig";
    match error {
        AuthError::AuthExecStart(why) => Cause::new(
            format!("{of} cannot be started: {why}"),
            "install it where Isthmus runs, or put a credential of another kind into the kubeconfig",
        ),
        AuthError::AuthExecRun { out, .. } => {
            let text = quoted(&String::from_utf8_lossy(&out.stderr));
            let text = if text.is_empty() { String::new() } else { format!(": {text}") };
            Cause::new(format!("{of} failed ({}){text}", out.status), remedy)
        }
        AuthError::AuthExecParse(_) => Cause::new(format!("{of} printed something that is no ExecCredential"), remedy),
        AuthError::ExecPluginFailed => Cause::new(format!("{of} printed an ExecCredential without a status"), remedy),
        AuthError::MissingCommand => {
            Cause::new("the kubeconfig's exec entry has no command", "give it the plugin's command")
        }
        AuthError::ReadTokenFile(why, path) => Cause::new(
            format!("the kubeconfig's token file {} cannot be read: {why}", path.display()),
            "give it a file that Isthmus can read",
        ),
        AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => Cause::new(
            "the credential holds characters that cannot be sent",
            "put a token of one line of printable ASCII into the kubeconfig",
        ),
        _ => Cause::new(format!("{of} gave no credential that can be used"), remedy),
    }
}
