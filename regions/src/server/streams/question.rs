//! Asking a stream what its client has. A stream is polled by its connection alone, inside the body of its response, so a
//! question is queued for it, and it is woken as for a new snapshot.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::oneshot;

use super::lock::lock;
use crate::interest::Interest;
use crate::session::{Inspection, Session};

/// A stream that does not answer by then has a client that does not read.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Questions that may wait for one stream.
const MAX_WAITING: usize = 8;

/// Why a stream did not answer what its client has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    #[error("the stream has ended")]
    Ended,
    #[error("the stream gave no answer within {} s: its client does not read what it is sent", PATIENCE.as_secs())]
    Silent,
    #[error("{MAX_WAITING} questions wait for this stream already")]
    TooMany,
}

/// Questions that wait for one stream.
pub(super) struct Questions {
    waiting: Mutex<Vec<oneshot::Sender<Inspection>>>,
    interest: Arc<Interest>,
}

impl Questions {
    pub(super) fn new(interest: Arc<Interest>) -> Self {
        Self { waiting: Mutex::default(), interest }
    }

    pub(super) fn put(&self) -> Result<oneshot::Receiver<Inspection>, Unanswered> {
        let (answer, answered) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        // Earlier callers may have stopped waiting.
        waiting.retain(|answer| !answer.is_closed());
        if waiting.len() >= MAX_WAITING {
            return Err(Unanswered::TooMany);
        }
        waiting.push(answer);
        drop(waiting);
        self.interest.wake();
        Ok(answered)
    }

    /// Answers what was asked. Nothing is computed unless a caller asks.
    pub(super) fn answer(&self, session: &Session) {
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        for answer in waiting {
            let _ = answer.send(session.inspect()); // the caller may be gone
        }
    }

    /// The stream has ended: there will be no answer.
    pub(super) fn close(&self) {
        lock(&self.waiting).clear();
    }
}

pub(super) async fn wait(answered: oneshot::Receiver<Inspection>) -> Result<Inspection, Unanswered> {
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(answer) => answer.map_err(|_| Unanswered::Ended),
        Err(_) => Err(Unanswered::Silent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Variant;

    #[tokio::test(start_paused = true)]
    async fn questions_are_bounded_and_no_caller_waits_forever() {
        let session = Session::new(Variant::Delta);
        let questions = Questions::new(session.interest().clone());
        let asked = (0..MAX_WAITING).map(|_| questions.put().expect("room")).collect::<Vec<_>>();
        assert_eq!(questions.put().err(), Some(Unanswered::TooMany));
        drop(asked);
        let silent = questions.put().expect("room again: no caller waits for the others");
        assert_eq!(wait(silent).await.err(), Some(Unanswered::Silent));
        let answered = questions.put().expect("room");
        questions.answer(&session);
        assert!(wait(answered).await.is_ok());
        let late = questions.put().expect("room");
        questions.close();
        assert_eq!(wait(late).await.err(), Some(Unanswered::Ended));
    }
}
