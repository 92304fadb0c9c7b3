//! Liveness, readiness, and what there is to look into, as JSON.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use clusters::clock::now;
use clusters::conditions::json::MemberJson;
use clusters::conditions::known::Known;
use clusters::foreign::visible;
use clusters::problem::{ObjectName, Problem, ProblemOrigin};
use clusters::tables::HubTroubles;
use federation::report::MemberReport;

use super::page::json;
use super::sources::Sources;
use crate::admin::json::{ServiceJson, StreamJson};
use crate::process::engine::{self, AskError, KnowledgeJson, Phase};

/// Problems of the hub's files that readiness names; `/debug/problems` has all.
const MAX_PROBLEMS: usize = 3;

/// The process answers, so it lives.
pub async fn livez() -> &'static str {
    "ok\n"
}

/// Ready once it is known what there is, or the deadline for finding out about members has passed.
pub async fn readyz(State(sources): State<Sources>) -> impl IntoResponse {
    if sources.proxies.iter().flat_map(|proxies| &proxies.certificate).any(|status| status.not_after_s().is_none()) {
        let text = "waiting for a certificate that can be used: see /debug/problems\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
    }
    let KnowledgeJson { ready, message, .. } = known(&sources);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, format!("{}\n", visible(&message)))
}

/// Of a controller that does not lead: ready to take over unless the hub cannot be reached.
pub async fn standby_readyz(State(troubles): State<HubTroubles>) -> impl IntoResponse {
    match troubles.texts().as_slice() {
        [] => (StatusCode::OK, "ok, standing by\n".to_owned()),
        texts => {
            let text = format!("waiting for the hub: {}", texts.join("; "));
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", visible(&text)))
        }
    }
}

/// What is known and what is missing: what `/readyz` says, in parts.
pub async fn knowledge(State(sources): State<Sources>) -> Response {
    json(&known(&sources))
}

fn known(sources: &Sources) -> KnowledgeJson {
    let published = sources.engine.published.borrow().clone();
    let mut troubles = sources.hub.texts();
    // Of a folder: what is wrong with its files.
    if published.knowledge.phase == Phase::WaitingForHub {
        let problems = sources.problems.snapshot();
        let hub = problems.get(&ProblemOrigin::Hub).into_iter().flat_map(|page| page.problems());
        troubles.extend(hub.take(MAX_PROBLEMS).map(ToString::to_string));
    }
    let notes = published.region_note.iter().map(ToString::to_string).collect();
    KnowledgeJson {
        services: published.services,
        notes,
        ..engine::knowledge_json(&published.knowledge, &published.members, &troubles)
    }
}

pub async fn members(State(sources): State<Sources>) -> Response {
    let problems = sources.problems.snapshot();
    let published = sources.engine.published.borrow().clone();
    let mirrors = sources.mirrors.as_ref().map(|mirrors| mirrors.borrow().clone()).unwrap_or_default();
    let view = |report: &MemberReport| {
        let note = sources.notes.get(&report.id);
        let (seen, mirrors) = (sources.seen.get(&report.id), mirrors.get(&report.id));
        MemberJson::new(report, &Known { note: note.as_ref(), seen, mirrors, ..Known::new(&problems, now()) })
    };
    json(&clusters::conditions::json::members(published.members.values(), &problems, view))
}

pub async fn services(State(sources): State<Sources>) -> Response {
    match sources.engine.ask(engine::services).await {
        Ok(services) => json(&services.into_iter().map(ServiceJson::from).collect::<Vec<_>>()),
        Err(error) => unanswered(error),
    }
}

/// The answer when the engine gave none.
pub(super) fn unanswered(error: AskError) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}

/// All problems that are listed. After those of one origin that has more, one that says how many.
pub async fn problems(State(sources): State<Sources>) -> Response {
    let mut all = Vec::new();
    for (origin, page) in sources.problems.snapshot() {
        all.extend(page.problems().cloned());
        let object = match &origin {
            ProblemOrigin::Hub => ObjectName::new("Hub", None, ""),
            ProblemOrigin::Member(id) => ObjectName::new("MemberCluster", None, id),
        };
        let rest = |text| Problem::new(&object, "", text, "objects in which nothing is wrong");
        all.extend(page.rest().map(rest));
    }
    json(&all)
}

/// Connected proxies: who, which protocol, what was acknowledged and what was rejected.
pub async fn streams(State(sources): State<Sources>) -> Response {
    let streams = sources.proxies.map(|proxies| proxies.streams.list()).unwrap_or_default();
    json(&streams.iter().map(StreamJson::new).collect::<Vec<_>>())
}
