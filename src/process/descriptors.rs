//! Open files. Each connection takes one, so what the machine allows decides how many proxies can be served.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for all but proxies: members' connections, pages, files, and what the runtime itself uses.
pub const RESERVE: usize = 1_024;

/// Raises the limit of open files to what the process may have at most, and says what it was and is. `connections`: how many
/// proxies may be connected at a time.
pub fn raise(connections: usize) {
    let Rlimit { current: was, maximum } = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: maximum, maximum };
    let now = if was != maximum && setrlimit(Resource::Nofile, wanted).is_ok() { maximum } else { was };
    let text = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let needed = connections.saturating_add(RESERVE) as u64;
    if now.is_some_and(|now| now < needed) {
        tracing::warn!(
            was = text(was),
            now = text(now),
            needed,
            "the limit of open files is too low for --max-connections; raise it (ulimit -n), or lower --max-connections"
        );
    } else {
        tracing::info!(was = text(was), now = text(now), "limit of open files");
    }
}
