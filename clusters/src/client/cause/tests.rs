//! Every kind of failure has a cause in plain words and something to do about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, Error as TlsError, OtherError};

use super::*;

/// A text that a server could have chosen.
const THEIRS: &str = "c2VjcmV0LXRva2Vu";

fn nested(step: Step, source: impl Into<tower::BoxError>) -> kube::Error {
    let failure = ConnectFailure { step, late: None, source: Some(source.into()) };
    kube::Error::Service(Box::new(failure))
}

fn late_at(step: Step) -> kube::Error {
    let limit = Some(Duration::from_millis(3_500));
    kube::Error::Service(Box::new(ConnectFailure { step, late: limit, source: None }))
}

/// As hyper-rustls hands it on: inside of two `io::Error`s.
fn tls(error: TlsError) -> kube::Error {
    let inner = io::Error::new(io::ErrorKind::InvalidData, error);
    nested(Step::Handshake, io::Error::other(inner))
}

fn certificate(error: CertificateError) -> kube::Error {
    tls(TlsError::InvalidCertificate(error))
}

#[derive(Debug)]
struct Named(&'static str);

/// Prints as webpki's errors do.
#[derive(Clone, Copy)]
enum Webpki {
    CaUsedAsEndEntity,
    EndEntityUsedAsCa,
    Unknown,
}

impl fmt::Debug for Webpki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CaUsedAsEndEntity => "CaUsedAsEndEntity",
            Self::EndEntityUsedAsCa => "EndEntityUsedAsCa",
            Self::Unknown => "SomethingNew { of: \"c2VjcmV0LXRva2Vu\" }",
        })
    }
}

impl fmt::Display for Webpki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl StdError for Webpki {}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for Named {}

fn other(kind: Webpki) -> kube::Error {
    certificate(CertificateError::Other(OtherError(Arc::new(kind))))
}

fn system(number: rustix::io::Errno) -> kube::Error {
    nested(Step::Dial, io::Error::from_raw_os_error(number.raw_os_error()))
}

fn lookup(why: &str) -> kube::Error {
    nested(Step::Lookup, io::Error::other(format!("failed to lookup address information: {why}")))
}

fn certificates() -> Vec<(kube::Error, &'static str)> {
    let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let names = |name: &str| ServerName::try_from(name.to_owned()).expect("a name");
    vec![
        (
            certificate(CertificateError::UnknownIssuer),
            "its certificate is not signed by a CA that the kubeconfig trusts",
        ),
        (certificate(CertificateError::BadSignature), "the signature of its certificate is not that of the CA"),
        (certificate(CertificateError::Expired), "its certificate has expired"),
        (
            certificate(CertificateError::ExpiredContext { time: time(9), not_after: time(86_400) }),
            "its certificate has expired: it ended at 1970-01-02T00:00:00Z",
        ),
        (
            certificate(CertificateError::NotValidYetContext { time: time(9), not_before: time(86_400) }),
            "its certificate is not valid yet: it begins at 1970-01-02T00:00:00Z",
        ),
        (
            certificate(CertificateError::NotValidForNameContext {
                expected: names("api.example"),
                presented: vec![THEIRS.to_owned()],
            }),
            "its certificate is for other names than api.example",
        ),
        (certificate(CertificateError::NotValidForName), "its certificate is for other names"),
        (certificate(CertificateError::InvalidPurpose), "its certificate is not one for servers"),
        (certificate(CertificateError::BadEncoding), "its certificate cannot be read"),
        (certificate(CertificateError::Revoked), "its certificate was revoked"),
        (certificate(CertificateError::UnhandledCriticalExtension), "its certificate has a critical extension"),
        (certificate(CertificateError::ApplicationVerificationFailure), "its certificate cannot be trusted"),
        (other(Webpki::CaUsedAsEndEntity), "its certificate is a CA's own and not a server's (CaUsedAsEndEntity)"),
        (other(Webpki::EndEntityUsedAsCa), "its certificate is signed by a certificate that is no CA's"),
        (other(Webpki::Unknown), "its certificate cannot be trusted (SomethingNew)"),
    ]
}

fn handshakes() -> Vec<(kube::Error, &'static str)> {
    let alert = |alert| tls(TlsError::AlertReceived(alert));
    vec![
        (
            alert(AlertDescription::CertificateRequired),
            "it does not accept our client certificate (alert CertificateRequired)",
        ),
        (alert(AlertDescription::UnknownCA), "it does not accept our client certificate (alert UnknownCA)"),
        (alert(AlertDescription::BadCertificate), "it does not accept our client certificate (alert BadCertificate)"),
        (alert(AlertDescription::UnrecognisedName), "it does not know the name that it is called by in TLS"),
        (alert(AlertDescription::ProtocolVersion), "it ended the TLS handshake (alert ProtocolVersion)"),
        (tls(TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType)), "it does not use TLS at this port"),
        (tls(TlsError::NoCertificatesPresented), "it shows no certificate"),
        (tls(TlsError::General(THEIRS.to_owned())), "it does not use TLS as expected"),
        (
            nested(Step::Handshake, io::Error::from(io::ErrorKind::UnexpectedEof)),
            "it closed the connection in the TLS handshake",
        ),
        (
            nested(Step::Handshake, io::Error::from(io::ErrorKind::ConnectionReset)),
            "connection reset in the TLS handshake",
        ),
    ]
}

fn networks() -> Vec<(kube::Error, &'static str)> {
    use rustix::io::Errno;
    vec![
        (lookup("Name or service not known"), "its name cannot be resolved: there is no such name"),
        (lookup("Name does not resolve"), "its name cannot be resolved: there is no such name"),
        (lookup("Temporary failure in name resolution"), "its name cannot be resolved: no name server answers"),
        (lookup("Try again"), "its name cannot be resolved: no name server answers"),
        (late_at(Step::Lookup), "its name was not resolved within 3.5 s"),
        (late_at(Step::Dial), "no answer to the TCP connection within 3.5 s"),
        (late_at(Step::Handshake), "no answer in the TLS handshake within 3.5 s"),
        (system(Errno::CONNREFUSED), "connection refused"),
        (system(Errno::CONNRESET), "connection reset"),
        (system(Errno::HOSTUNREACH), "no route to it"),
        (system(Errno::NETUNREACH), "no route to it"),
        (system(Errno::TIMEDOUT), "no answer in time"),
        (system(Errno::MFILE), "too many open files"),
        (system(Errno::ADDRNOTAVAIL), "no local address or port is free"),
        (system(Errno::PERM), "this machine does not permit the connection"),
        (kube::Error::Service(Box::new(Named(THEIRS))), "the connection failed"),
    ]
}

fn answers() -> Vec<(kube::Error, &'static str)> {
    let code = |code| kube::Error::Api(kube::core::Status::failure(THEIRS, THEIRS).with_code(code).boxed());
    let fault = |fault: Fault| kube::Error::Service(Box::new(fault));
    vec![
        (code(400), "it answered 400"),
        (code(401), "it does not accept the credential (401)"),
        (code(403), "it accepts the credential, but it may not"),
        (code(404), "it answered 404"),
        (code(407), "a proxy answered 407"),
        (code(429), "it answered 429"),
        (code(500), "it answered 500"),
        (code(503), "it answered 503"),
        (fault(Fault::Html { what: "the answer" }), "the answer is HTML and not JSON"),
        (fault(Fault::Status(302)), "it answered 302"),
    ]
}

#[test]
fn every_failure_has_a_cause_and_a_remedy_and_repeats_nothing() {
    for (error, says) in [certificates(), handshakes(), networks(), answers()].into_iter().flatten() {
        let cause = of(Side::Member, &error);
        assert!(cause.found.starts_with(says), "{says:?}: {cause:?}");
        assert!(!cause.remedy.is_empty(), "{cause:?}");
        let text = sentence(Side::Member, "https://api.example:6443", "read its version", &error);
        assert!(text.starts_with(&format!("https://api.example:6443: {says}")), "{text}");
        let what = [" (could not read its version); ", " may not read its version (403); "];
        assert!(what.into_iter().any(|what| text.contains(what)), "{text}");
        assert!(!text.contains(THEIRS), "{text}");
        let hub = of(Side::Hub, &error);
        assert!(hub.found.starts_with(says), "the same words for the hub: {hub:?}");
    }
}

#[test]
fn the_names_in_the_hubs_certificate_are_shown() {
    let presented = (0..10).map(|i| format!("DnsName(\"hub-{i}\")")).collect();
    let expected = ServerName::try_from("api.example").expect("a name");
    let error = certificate(CertificateError::NotValidForNameContext { expected, presented });
    let cause = of(Side::Hub, &error);
    let text = "its certificate is for other names than api.example: hub-0, hub-1, ";
    assert!(cause.found.starts_with(text), "{cause:?}");
    assert!(cause.found.ends_with(", hub-7 and 2 more"), "{cause:?}");
}

#[test]
fn a_plugin_that_fails_is_named_with_its_error_and_without_its_output() {
    use std::os::unix::process::ExitStatusExt as _;
    let out = std::process::Output {
        status: std::process::ExitStatus::from_raw(3 << 8),
        stdout: THEIRS.as_bytes().to_vec(),
        stderr: b"please log in\nfirst".to_vec(),
    };
    let error = AuthError::AuthExecRun { cmd: format!("X={THEIRS} \"get-token\""), out: Box::new(out) };
    let text = plugin("get-token", &error).to_string();
    assert!(text.starts_with(
        "the credential plugin `get-token` of the kubeconfig failed (exit status: 3): please log in first; "
    ));
    assert!(!text.contains(THEIRS), "{text}");
    // What is behind it is not taken for the connection's own failure.
    let error = kube::Error::Auth(AuthError::AuthExecStart(io::Error::from_raw_os_error(13)));
    assert!(
        of(Side::Hub, &error).found.contains("cannot be started: Permission denied"),
        "{:?}",
        of(Side::Hub, &error)
    );
}
