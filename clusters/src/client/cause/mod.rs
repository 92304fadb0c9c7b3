//! Why a request to an API server failed, and what to do about it, in words: the same for the hub and for members, in
//! the log, in conditions, on pages and in commands. **Nothing a member's server wrote is repeated here**: it was sent
//! our token and could send it back.

mod answer;
mod network;
mod step;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod types;

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use kube::client::AuthError;

use crate::client::answers::Fault;
use crate::client::connect::NotAllowed;

use text::seconds;

pub use answer::plugin;
pub use step::{ConnectFailure, Step};
pub use types::{Cause, Side};

/// Deepest chain of causes followed.
const MAX_CAUSES: usize = 16;
/// The whole sentence: server, cause, what could not be done, what to do. `what` completes "could not …" and "may not …".
pub fn sentence(side: Side, server: &str, what: &str, error: &kube::Error) -> String {
    let Cause { found, remedy } = of(side, error);
    let server = server.trim_end_matches('/');
    if matches!(error, kube::Error::Api(status) if status.code == 403) {
        return format!("{server}: it accepts the credential, but it may not {what} (403); {remedy}");
    }
    let end = if remedy.is_empty() { String::new() } else { format!("; {remedy}") };
    format!("{server}: {found} (could not {what}){end}")
}

/// The same when nothing came within a limit that was set from outside of the connection.
pub fn late(server: &str, what: &str, limit: Duration) -> String {
    let server = server.trim_end_matches('/');
    format!("{server}: no answer within {} (could not {what}); {}", seconds(limit), network::SILENT)
}

/// The last cause of an error, as far as it is of a kind that is known.
pub fn of(side: Side, error: &(dyn StdError + 'static)) -> Cause {
    let mut at: Option<&(dyn StdError + 'static)> = Some(error);
    let (mut best, mut step) = (None, None);
    for _ in 0..MAX_CAUSES {
        let Some(error) = at else { break };
        if let Some(failed) = error.downcast_ref::<ConnectFailure>() {
            step = Some(failed.step);
        }
        if let Some(cause) = known(side, step, error) {
            best = Some(cause);
        }
        // What is behind a plugin's failure has nothing to do with the connection.
        at = if error.is::<AuthError>() { None } else { next(error) };
    }
    best.unwrap_or_else(|| Cause::new("the connection failed", "see whether it can be reached from where Isthmus runs"))
}

/// The error behind an error. An `io::Error` that wraps another one does not name it as its source.
fn next<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

fn known(side: Side, step: Option<Step>, error: &(dyn StdError + 'static)) -> Option<Cause> {
    if let Some(kube::Error::Api(status)) = error.downcast_ref::<kube::Error>() {
        return Some(answer::refused(side, status));
    }
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return Some(answer::fault(fault));
    }
    if let Some(refused) = error.downcast_ref::<NotAllowed>() {
        return Some(Cause::new(refused.to_string(), ""));
    }
    if let Some(failed) = error.downcast_ref::<AuthError>() {
        return Some(answer::plugin("", failed));
    }
    if let Some(failed) = error.downcast_ref::<ConnectFailure>() {
        return failed.late.map(|limit| network::late(failed.step, limit));
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls::cause(side, tls));
    }
    if let Some(http) = error.downcast_ref::<hyper::Error>() {
        return network::http(http);
    }
    network::io(step, error.downcast_ref::<io::Error>()?)
}
