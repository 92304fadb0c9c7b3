//! What the rest of the process may do with a running engine: read its published state, and ask it questions.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use federation::Engine;
use tokio::sync::{mpsc, oneshot, watch};

use super::published::Published;

/// Questions that may wait for the engine's thread; further callers wait for room, up to their deadline.
pub const QUESTION_CAPACITY: usize = 16;
/// How long a caller waits for its answer, the time in the queue included.
pub const ASK_DEADLINE: Duration = Duration::from_secs(10);

/// The readers' side of a running engine. Clones are cheap and read the same engine.
#[derive(Clone, Debug)]
pub struct EngineHandle {
    pub published: watch::Receiver<Arc<Published>>,
    questions: mpsc::Sender<Question>,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("the engine has ended, because the process is shutting down")]
    Ended,
    #[error("the engine did not answer within {} s, because it is busy; try again", .0.as_secs_f64())]
    Deadline(Duration),
    #[error("the question panicked; its message is on standard error, and the engine continues")]
    Panicked,
}

impl EngineHandle {
    pub(super) fn new(published: watch::Receiver<Arc<Published>>) -> (Self, Questions) {
        let (questions, receiver) = mpsc::channel(QUESTION_CAPACITY);
        (Self { published, questions }, Questions(receiver))
    }

    /// Runs `question` on the engine's thread, between two rounds, and returns its result. No batch is applied while it runs, so
    /// it should take milliseconds. It is not run if the caller is gone by then: its deadline passed, or its future was dropped.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, AskError> {
        self.ask_within(ASK_DEADLINE, question).await
    }

    /// As [`EngineHandle::ask`], with another deadline.
    pub async fn ask_within<T: Send + 'static>(
        &self,
        deadline: Duration,
        question: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> Result<T, AskError> {
        let (answer, receive) = oneshot::channel();
        let run = move |engine: &Engine| {
            if answer.is_closed() {
                return; // the caller is gone
            }
            // The engine cannot be left half changed: the closure has a shared reference, and the engine no interior mutability.
            let result = catch_unwind(AssertUnwindSafe(|| question(engine)));
            let _ = answer.send(result.map_err(|_| AskError::Panicked)); // the caller may have gone meanwhile
        };
        let answered = async {
            self.questions.send(Question(Box::new(run))).await.map_err(|_| AskError::Ended)?;
            receive.await.unwrap_or(Err(AskError::Ended))
        };
        tokio::time::timeout(deadline, answered).await.unwrap_or(Err(AskError::Deadline(deadline)))
    }
}

/// The engine's side of the queue.
pub(super) struct Questions(mpsc::Receiver<Question>);

impl Questions {
    /// `None`: no handle exists any more.
    pub(super) async fn next(&mut self) -> Option<Question> {
        self.0.recv().await
    }

    /// Runs one question if one waits. Called after each round, so that batches without a pause do not starve the callers.
    pub(super) fn run_waiting(&mut self, engine: &Engine) {
        if let Ok(question) = self.0.try_recv() {
            question.run(engine);
        }
    }
}

/// A closure with the way back to its caller.
pub(super) struct Question(Box<dyn FnOnce(&Engine) + Send>);

impl Question {
    pub(super) fn run(self, engine: &Engine) {
        (self.0)(engine);
    }
}
