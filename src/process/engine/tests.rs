use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as blocking;
use std::time::Duration;

use clusters::sources::feed::Feed;
use federation::change::{Delta, HubChanges};
use federation::model::{ClusterId, Namespace, Time};
use federation::report::{LinkState, MemberReport, Refusal, Verdict};
use federation::testing::report::unreached;
use federation::{Authority, Awaits};

use super::*;
use crate::process::telemetry::LogFormat;
use crate::process::telemetry::capture::logged;

/// Of a member in region `eu` that was never reached.
pub(super) fn report(id: &str, missing: bool, link: LinkState) -> (ClusterId, Arc<MemberReport>) {
    let known = !missing;
    let report = MemberReport { link, known, missing, generation: 7, ..unreached(id) };
    (report.id.clone(), Arc::new(report))
}

/// An engine that runs until the trigger is fired or dropped.
fn running() -> (EngineHandle, Feed, clusters::shutdown::ShutdownTrigger) {
    let (feed, batches) = Feed::new();
    let own_namespace = Namespace::new("isthmus-system").unwrap();
    let deadlines = Deadlines::NONE;
    let config = Config { authority: Authority::Own, own_namespace, awaits: Awaits::NotRefused, deadlines, hub: None };
    let wiring = Wiring { config, region: None, feed: batches, catalog: None, followers: Vec::new() };
    let (trigger, shutdown) = Shutdown::new();
    (start(wiring, shutdown).unwrap(), feed, trigger)
}

/// Makes the engine's thread wait in a question until the returned sender is dropped.
async fn occupied(engine: &EngineHandle) -> blocking::Sender<()> {
    let (release, wait) = blocking::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let engine = engine.clone();
    tokio::spawn(async move {
        let question = move |_: &Engine| {
            let _ = begun.send(());
            let _ = wait.recv();
        };
        engine.ask(question).await
    });
    has_begun.await.unwrap();
    release
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_questions_than_the_queue_holds_are_all_answered() {
    let (engine, _feed, _trigger) = running();
    let release = occupied(&engine).await;
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..3 * QUESTION_CAPACITY {
        let engine = engine.clone();
        asking.spawn(async move { engine.ask(move |engine| (number, engine.merged().len())).await });
    }
    drop(release);
    let mut answers: Vec<_> = asking.join_all().await.into_iter().map(Result::unwrap).collect();
    answers.sort_unstable();
    assert_eq!(answers, (0..3 * QUESTION_CAPACITY).map(|number| (number, 0)).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_whose_deadline_passes_gets_an_error_and_its_question_is_not_run() {
    let (engine, _feed, _trigger) = running();
    let release = occupied(&engine).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let short = Duration::from_millis(20);
    // More than the queue holds: some wait in the queue, and some for room in it.
    for _ in 0..QUESTION_CAPACITY + 2 {
        let counter = Arc::clone(&runs);
        let answer = engine.ask_within(short, move |_| counter.fetch_add(1, Ordering::Relaxed)).await;
        assert_eq!(answer, Err(AskError::Deadline(short)));
    }
    drop(release);
    assert_eq!(engine.ask(|_| "answered").await, Ok("answered"));
    assert_eq!(runs.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_ended_engine_answers_with_an_error() {
    let (engine, _feed, trigger) = running();
    assert_eq!(engine.ask(|_| ()).await, Ok(()));
    trigger.fire();
    // The thread ends a moment later; until then it may still answer.
    while engine.ask(|_| ()).await.is_ok() {}
    assert_eq!(engine.ask(services).await, Err(AskError::Ended));
}

#[tokio::test]
async fn a_question_that_panics_does_not_end_the_engine() {
    let (engine, _feed, _trigger) = running();
    let answer = engine.ask(|_| -> usize { panic!("on purpose, by a test") }).await;
    assert_eq!(answer, Err(AskError::Panicked));
    assert_eq!(engine.ask(|engine| engine.merged().len()).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_without_a_pause_do_not_starve_questions() {
    let (engine, feed, _trigger) = running();
    let sending = tokio::spawn(async move {
        let empty = || Batch::Hub(HubChanges::Regions(Delta::Partial(Vec::new())));
        while feed.send(empty()).await.is_ok() {}
    });
    for _ in 0..50 {
        engine.ask(|_| ()).await.unwrap();
    }
    sending.abort();
}

#[test]
fn each_change_of_an_admission_is_one_line() {
    let (id, pending) = report("us-1", true, LinkState::Pending);
    let with = |admission| Arc::new(MemberReport { admission, ..(*pending).clone() });
    let admitted = with(Verdict::Admitted);
    let refused = with(Verdict::Refused(Refusal::DuplicateCluster { of: ClusterId::new("eu-1").unwrap() }));
    let log = |format, before: Option<&Arc<MemberReport>>, after: Option<&Arc<MemberReport>>| {
        let (before, after) = (before.map(Arc::as_ref), after.map(Arc::as_ref));
        logged(format, || changes::log(&id, before, after, Time::default()))
    };
    let human = |before, after| log(LogFormat::Human, before, after);
    assert_eq!(human(None, Some(&pending)), "", "nothing was decided");
    assert_eq!(human(Some(&admitted), Some(&admitted)), "");
    let line = human(Some(&pending), Some(&admitted));
    assert!(line.contains("INFO admission changed: ") && line.lines().count() == 1, "{line}");
    assert!(line.ends_with("cluster=us-1 region=eu admitted=\"True\" reason=\"Admitted\"\n"), "{line}");
    let line = human(Some(&admitted), Some(&refused));
    assert!(line.ends_with("admitted=\"False\" reason=\"DuplicateCluster\"\n") && line.contains("eu-1"), "{line}");
    assert!(human(Some(&refused), None).ends_with("INFO no longer a member cluster=us-1\n"));
    let line = log(LogFormat::Json, Some(&pending), Some(&refused));
    assert!(
        line.contains(r#""cluster":"us-1","region":"eu","admitted":"False","reason":"DuplicateCluster""#),
        "{line}"
    );
}
