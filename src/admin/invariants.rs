//! `/debug/invariants`: whether the engine's state equals one that is computed from scratch.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use federation::invariants::{self, InvariantCheck};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::page::json;
use super::pages::unanswered;
use super::sources::Sources;

/// How long a caller waits for a check.
pub const CHECK_DEADLINE: Duration = Duration::from_secs(60);

/// One check runs at a time: it costs O(everything), on the engine's thread.
static CHECKING: Semaphore = Semaphore::const_new(1);

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InvariantsJson {
    /// False as long as the hub's lists are not complete: then nothing is decided, and nothing is checked.
    checked: bool,
    /// Whether all that was checked holds.
    holds: bool,
    checks: Vec<CheckJson>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckJson {
    name: &'static str,
    compared: usize,
    violations: usize,
    /// The first violations.
    examples: Vec<String>,
}

/// 429 while another check runs; 503 if the engine does not answer in time.
pub async fn invariants(State(sources): State<Sources>) -> Response {
    let Ok(running) = CHECKING.try_acquire() else {
        return (StatusCode::TOO_MANY_REQUESTS, "the invariants are being checked already; try again later\n")
            .into_response();
    };
    // The permit is part of the question, so that a check whose caller is gone still counts until it ends.
    let question = move |engine: &federation::Engine| {
        let checks = invariants::check(engine);
        drop(running);
        checks
    };
    match sources.engine.ask_within(CHECK_DEADLINE, question).await {
        Ok(checks) => json(&InvariantsJson::from(checks)),
        Err(error) => unanswered(error),
    }
}

impl From<Vec<InvariantCheck>> for InvariantsJson {
    fn from(checks: Vec<InvariantCheck>) -> Self {
        let of_one = |InvariantCheck { name, compared, violations, examples }| CheckJson {
            name,
            compared,
            violations,
            examples,
        };
        Self {
            checked: !checks.is_empty(),
            holds: checks.iter().all(|check| check.violations == 0),
            checks: checks.into_iter().map(of_one).collect(),
        }
    }
}
