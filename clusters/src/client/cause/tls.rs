//! Certificates and handshakes.

use std::fmt::Write as _;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::text::quoted;
use super::types::{Cause, Side};

const RENEW: &str = "give the API server a certificate that can be checked";
const AUTHORITY: &str = "put the CA that signed it into the kubeconfig's certificate-authority-data";
/// Names of a certificate that are shown.
const MAX_NAMES: usize = 8;

pub(super) fn cause(side: Side, error: &Error) -> Cause {
    match error {
        Error::InvalidCertificate(why) => certificate(side, why),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => Cause::new(
            "it does not use TLS at this port: what it answers is plain text, such as HTTP",
            "check scheme and port in the kubeconfig's `server`",
        ),
        Error::PeerIncompatible(_) => Cause::new(
            "no TLS version or algorithm in common",
            "let it offer TLS 1.2 or 1.3 with ECDHE and AES-GCM or ChaCha20",
        ),
        Error::NoCertificatesPresented => Cause::new("it shows no certificate", RENEW),
        _ => Cause::new("it does not use TLS as expected", "check the port in the kubeconfig's `server`"),
    }
}

fn certificate(side: Side, why: &CertificateError) -> Cause {
    use CertificateError as C;
    match why {
        C::UnknownIssuer => Cause::new("its certificate is not signed by a CA that the kubeconfig trusts", AUTHORITY),
        C::BadSignature => {
            let found = "the signature of its certificate is not that of the CA of this name in the kubeconfig";
            Cause::new(found, AUTHORITY)
        }
        C::Expired => expired(None),
        C::ExpiredContext { not_after, .. } => expired(Some(*not_after)),
        C::NotValidYet => not_yet(None),
        C::NotValidYetContext { not_before, .. } => not_yet(Some(*not_before)),
        C::NotValidForName => wrong_name("", &[], side),
        C::NotValidForNameContext { expected, presented } => wrong_name(&expected.to_str(), presented, side),
        C::InvalidPurpose | C::InvalidPurposeContext { .. } => Cause::new(
            "its certificate is not one for servers",
            "give the API server a certificate with the extended key usage serverAuth",
        ),
        C::BadEncoding => Cause::new("its certificate cannot be read", RENEW),
        C::Revoked => Cause::new("its certificate was revoked", RENEW),
        C::UnhandledCriticalExtension => {
            Cause::new("its certificate has a critical extension that is not understood", RENEW)
        }
        C::UnsupportedSignatureAlgorithmContext { .. } | C::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            Cause::new("its certificate is signed in a way that is not accepted", "renew it with SHA-256 or better")
        }
        C::Other(other) => other_kind(&format!("{:?}", other.0)),
        other => other_kind(&format!("{other:?}")),
    }
}

/// Kinds that only the library below knows. Their names are a closed set; what follows a name may be the server's.
fn other_kind(debug: &str) -> Cause {
    let name: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
    match &*name {
        "CaUsedAsEndEntity" => Cause::new(
            "its certificate is a CA's own and not a server's (CaUsedAsEndEntity)",
            "give the API server a certificate that a CA signed for it, without CA:TRUE, and put that CA into the \
             kubeconfig's certificate-authority-data",
        ),
        "EndEntityUsedAsCa" => Cause::new(
            "its certificate is signed by a certificate that is no CA's (EndEntityUsedAsCa)",
            "sign it with a certificate that has CA:TRUE",
        ),
        "UnsupportedCertVersion" => Cause::new(
            "its certificate is not of X.509 version 3 (UnsupportedCertVersion)",
            "renew it as version 3, with a subjectAltName",
        ),
        _ => Cause::new(format!("its certificate cannot be trusted ({name})"), RENEW),
    }
}

fn expired(at: Option<UnixTime>) -> Cause {
    let at = at.and_then(time).map_or_else(String::new, |at| format!(": it ended at {at}"));
    Cause::new(format!("its certificate has expired{at}"), "renew it, or set the clock right where Isthmus runs")
}

fn not_yet(from: Option<UnixTime>) -> Cause {
    let from = from.and_then(time).map_or_else(String::new, |from| format!(": it begins at {from}"));
    let remedy = "set the clocks right, where Isthmus runs and where it was made";
    Cause::new(format!("its certificate is not valid yet{from}"), remedy)
}

fn time(at: UnixTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::UNIX_EPOCH.checked_add(Duration::from_secs(at.as_secs())).ok()
}

/// The names in a certificate are its owner's words, and so shown for the hub only.
fn wrong_name(expected: &str, presented: &[String], side: Side) -> Cause {
    let mut found = "its certificate is for other names".to_owned();
    if !expected.is_empty() {
        let _ = write!(found, " than {expected}"); // a String takes all
    }
    if side == Side::Hub && !presented.is_empty() {
        let shown: Vec<String> = presented.iter().take(MAX_NAMES).map(|name| quoted(bare(name))).collect();
        let rest = presented.len().saturating_sub(MAX_NAMES);
        let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
        let _ = write!(found, ": {}{rest}", shown.join(", "));
    }
    Cause::new(found, "set tls-server-name in the kubeconfig to one of them")
}

/// A name without the kind that the library puts around it: `DnsName("api.example")`, `IpAddress(10.0.0.1)`.
fn bare(name: &str) -> &str {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.map_or(name, |inner| inner.trim_matches('"'))
}

fn alerted(alert: AlertDescription) -> Cause {
    use AlertDescription as A;
    match alert {
        A::CertificateRequired
        | A::UnknownCA
        | A::BadCertificate
        | A::CertificateUnknown
        | A::AccessDenied
        | A::CertificateExpired
        | A::CertificateRevoked
        | A::UnsupportedCertificate
        | A::DecryptError => Cause::new(
            format!("it does not accept our client certificate ({})", name(alert)),
            "put a client certificate and key into the kubeconfig that are valid and signed by the CA it trusts for clients",
        ),
        A::UnrecognisedName => Cause::new(
            "it does not know the name that it is called by in TLS",
            "check tls-server-name and `server` in the kubeconfig",
        ),
        _ => Cause::new(
            format!("it ended the TLS handshake ({})", name(alert)),
            "check the port in the kubeconfig's `server`, and the TLS versions and algorithms that it offers",
        ),
    }
}

/// Of the alerts that TLS defines, their name; else a number.
fn name(alert: AlertDescription) -> String {
    format!("alert {alert:?}")
}
