//! Names, addresses, connections and HTTP: what the operating system and the HTTP library say.

use std::io;
use std::time::Duration;

use super::step::Step;
use super::text::seconds;
use super::types::Cause;

/// What to do about a server that says nothing.
pub(super) const SILENT: &str = "see whether it is overloaded, and whether the way to it is open";
const ADDRESS: &str = "check address and port in the kubeconfig's `server`";
const ROUTE: &str = "see to routes and firewalls between Isthmus and it";
const PORT: &str = "check the port in the kubeconfig's `server`, and whether the API server runs";

/// A connection that was not there in time.
pub(super) fn late(step: Step, limit: Duration) -> Cause {
    let limit = seconds(limit);
    match step {
        Step::Lookup => Cause::new(
            format!("its name was not resolved within {limit}: no answer from DNS"),
            "see to the name servers where Isthmus runs",
        ),
        Step::Dial => {
            let remedy = format!("{ADDRESS}; {ROUTE}");
            Cause::new(format!("no answer to the TCP connection within {limit}"), remedy)
        }
        Step::Handshake => {
            let remedy = "see whether it is overloaded, and whether the port in the kubeconfig's `server` serves TLS";
            Cause::new(format!("no answer in the TLS handshake within {limit}"), remedy)
        }
    }
}

pub(super) fn http(error: &hyper::Error) -> Option<Cause> {
    if error.is_parse() {
        let remedy = "check scheme and port in the kubeconfig's `server`: a TLS port needs https://";
        return Some(Cause::new("what it answers is not HTTP", remedy));
    }
    error.is_incomplete_message().then(|| Cause::new("it closed the connection without an answer", SILENT))
}

pub(super) fn io(step: Option<Step>, error: &io::Error) -> Option<Cause> {
    if let Some(cause) = lookup(error).or_else(|| of_this_machine(error)) {
        return Some(cause);
    }
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => Cause::new("connection refused", PORT),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => match step {
            Some(Step::Handshake) => Cause::new("connection reset in the TLS handshake", NO_TLS),
            _ => Cause::new("connection reset", ROUTE),
        },
        io::ErrorKind::TimedOut => Cause::new("no answer in time", SILENT),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Cause::new("no route to it", format!("{ADDRESS}; {ROUTE}"))
        }
        io::ErrorKind::UnexpectedEof => match step {
            Some(Step::Handshake) => Cause::new("it closed the connection in the TLS handshake", NO_TLS),
            _ => Cause::new("it closed the connection", SILENT),
        },
        _ => return None,
    })
}

const NO_TLS: &str =
    "check the port in the kubeconfig's `server`: it may not serve TLS, or let in other addresses only";

/// Names. The library gives the system's own text, in the words of glibc or musl.
fn lookup(error: &io::Error) -> Option<Cause> {
    let text = error.to_string();
    let why = text.strip_prefix("failed to lookup address information")?;
    Some(if ["Temporary failure", "Try again", "System error"].iter().any(|sign| why.contains(sign)) {
        let remedy = "see to the name servers where Isthmus runs, and check the name in the kubeconfig's `server`";
        Cause::new("its name cannot be resolved: no name server answers", remedy)
    } else {
        let remedy = "check the name in the kubeconfig's `server`, and DNS where Isthmus runs";
        Cause::new("its name cannot be resolved: there is no such name", remedy)
    })
}

/// What has nothing to do with the server.
fn of_this_machine(error: &io::Error) -> Option<Cause> {
    let number = rustix::io::Errno::from_raw_os_error(error.raw_os_error()?);
    match number {
        rustix::io::Errno::MFILE | rustix::io::Errno::NFILE => {
            Some(Cause::new("too many open files in this process or on its machine", "raise the limit (ulimit -n)"))
        }
        rustix::io::Errno::ADDRNOTAVAIL => {
            Some(Cause::new("no local address or port is free for the connection", "see what uses them up"))
        }
        rustix::io::Errno::PERM | rustix::io::Errno::ACCESS => {
            Some(Cause::new("this machine does not permit the connection", "see to its firewall and sandbox rules"))
        }
        _ => None,
    }
}
