//! Why nothing could be measured.

use std::io;
use std::time::Duration;

use super::bounds::{MAX_CLIENTS, MAX_ENDPOINTS};

#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    #[error(
        "--services {services} with --endpoints {endpoints} make more than {MAX_ENDPOINTS} endpoints; expected fewer of \
         either"
    )]
    TooManyEndpoints { services: usize, endpoints: usize },
    #[error(
        "--clusters {clusters}: such a federation needs {needed} addresses; expected at most 16777216, so fewer clusters, services or endpoints"
    )]
    NoAddresses { clusters: usize, needed: usize },
    #[error(
        "--classes is {found}; expected at most as many as there are zones: {clusters} clusters with {zones} zones each"
    )]
    TooManyClasses { found: usize, clusters: usize, zones: usize },
    #[error("--subscribe is {found}; expected at most the number of services: {services} services")]
    TooManyNames { found: usize, services: usize },
    #[error(
        "--subscribe with a number means clusters on demand, which only incremental xDS has; expected --variant delta"
    )]
    OnDemandNeedsDelta,
    #[error("--leds fetches endpoints one by one, which only incremental xDS can; expected --variant delta")]
    LedsNeedsDelta,
    #[error(
        "--clients {clients} need {needed} open files in this process and as many in the server's, and the limit is \
         {limit}; raise it with `ulimit -n {needed}` (at most {MAX_CLIENTS} clients)"
    )]
    TooFewFiles { clients: usize, limit: usize, needed: usize },
    #[error("cannot start the server's process: {0}")]
    Start(io::Error),
    #[error("the server's process ended, or gave an unexpected answer: {0}")]
    Server(String),
    #[error("the synthetic federation is not valid: {0}")]
    Federation(#[from] federation::model::NameError),
    #[error("{what}: {reached} of {expected} within {} s{detail}", waited.as_secs())]
    TooSlow { what: String, reached: usize, expected: usize, waited: Duration, detail: String },
    #[error("cannot read {path}: {source}")]
    Read { path: String, source: io::Error },
}
