//! What went wrong with an API server, in words for people. **Nothing the server wrote is repeated here**: it was sent
//! our token and could send it back.

use std::error::Error as StdError;
use std::fmt::Write;
use std::io;
use std::time::Duration;

use federation::change::LinkFailure;

use super::{ConnectError, NotAllowed};
use crate::clusters::wire::{Fault, find};

/// Deepest chain of causes followed.
const MAX_CAUSES: usize = 16;

/// Classes an error of a request: `what` completes "may not …" and "could not …".
pub fn describe(server: &http::Uri, what: &str, error: &kube::Error) -> ConnectError {
    match error {
        kube::Error::Api(status) => refused(server, what, status.code),
        // Not even the server's name: whatever else was said would tell who is there.
        other if find::<NotAllowed>(other).is_some() => {
            ConnectError::new(LinkFailure::KubeconfigInvalid, root_cause(other))
        }
        other => {
            let cause = root_cause(other);
            ConnectError::new(LinkFailure::Unreachable, format!("{server}: {cause} (could not {what})"))
        }
    }
}

fn refused(server: &http::Uri, what: &str, code: u16) -> ConnectError {
    match code {
        401 => ConnectError::new(
            LinkFailure::CredentialRefused,
            format!(
                "{server} does not accept the credential (401): it is wrong, expired or revoked; put a new one into the Secret"
            ),
        ),
        403 => ConnectError::new(
            LinkFailure::CredentialRefused,
            format!("{server} accepts the credential, but it may not {what} (403); grant what `isthmus join` prints"),
        ),
        code => ConnectError::new(LinkFailure::Unreachable, format!("{server} answered {code} when asked to {what}")),
    }
}

/// No answer in time.
pub(super) fn late(server: &str, what: &str, limit: Duration) -> ConnectError {
    let mut message = String::new();
    let _ =
        write!(message, "{server}{}no answer within {} s", if server.is_empty() { "" } else { ": " }, limit.as_secs());
    let _ = write!(message, " (could not {what})");
    ConnectError::new(LinkFailure::Unreachable, message)
}

/// The root of a chain of causes, where it is of a kind we know; the type of failure otherwise.
pub fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    let mut best = String::from("the connection failed");
    for _ in 0..MAX_CAUSES {
        let Some(error) = at else { break };
        if let Some(text) = known(error) {
            best = text;
        }
        // An io::Error that wraps another error does not name it as its source.
        at = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    best
}

fn known(error: &(dyn StdError + 'static)) -> Option<String> {
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return Some(fault.to_string());
    }
    if let Some(refused) = error.downcast_ref::<NotAllowed>() {
        return Some(refused.to_string());
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(certificate(tls));
    }
    let io = error.downcast_ref::<io::Error>()?;
    Some(match io.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "connection reset".to_owned(),
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no route to it".to_owned(),
        io::ErrorKind::UnexpectedEof => "it closed the connection".to_owned(),
        _ if io.to_string().starts_with("failed to lookup address") => "its name cannot be resolved".to_owned(),
        _ => return None,
    })
}

fn certificate(error: &rustls::Error) -> String {
    use rustls::CertificateError as C;
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            C::UnknownIssuer => {
                "its certificate is not signed by the kubeconfig's certificate-authority-data".to_owned()
            }
            C::Expired | C::ExpiredContext { .. } => "its certificate has expired".to_owned(),
            C::NotValidYet | C::NotValidYetContext { .. } => "its certificate is not valid yet".to_owned(),
            C::NotValidForName | C::NotValidForNameContext { .. } => {
                "its certificate is for other names; set tls-server-name to one of them".to_owned()
            }
            _ => "its certificate cannot be trusted".to_owned(),
        },
        rustls::Error::AlertReceived(_) => {
            "it ended the TLS handshake; a client certificate may be wrong or expired".to_owned()
        }
        _ => "it does not speak TLS as expected".to_owned(),
    }
}
