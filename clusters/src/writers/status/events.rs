//! Kubernetes Events, best effort: what changed, and which objects were rejected. One task writes them; what it cannot
//! keep up with is dropped, because conditions hold the truth.

use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;

use super::row::Transition;
use crate::api::{API_VERSION, FIELD_MANAGER};
use crate::client::cause::{self, Side};
use crate::conditions::READY;
use crate::conditions::text;
use crate::tables::observed::Identity;

/// Events that may wait to be written.
const QUEUE: usize = 256;
/// Longest note, in characters; the API's bound is 1,024 bytes.
const MAX_NOTE_LEN: usize = 250;
const WRITE_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Clone, Debug)]
pub(super) struct Events {
    sender: mpsc::Sender<(Event, ObjectReference)>,
}

impl Events {
    /// The handle, and the task that writes; the task ends with the last handle.
    pub(super) fn new(client: kube::Client) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, mut receiver) = mpsc::channel::<(Event, ObjectReference)>(QUEUE);
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance: None };
        let recorder = Recorder::new(client, reporter);
        let task = async move {
            while let Some((event, about)) = receiver.recv().await {
                match tokio::time::timeout(WRITE_TIMEOUT, recorder.publish(&event, &about)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => {
                        let cause = cause::of(Side::Hub, &error);
                        tracing::warn!(reason = event.reason, "an Event was not written: the hub: {cause}");
                    }
                    Err(_) => tracing::warn!(reason = event.reason, "an Event was not written: no answer in time"),
                }
            }
        };
        (Self { sender }, task)
    }

    pub(super) fn send(&self, kind: &str, about: &Identity, good: bool, reason: &str, note: &str) {
        let event = Event {
            type_: if good { EventType::Normal } else { EventType::Warning },
            reason: text::bounded(reason, MAX_NOTE_LEN),
            note: Some(text::bounded(note, MAX_NOTE_LEN)),
            action: "Reconcile".to_owned(),
            secondary: None,
        };
        let about = ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(kind.to_owned()),
            name: Some(about.name.to_string()),
            uid: (!about.uid.is_empty()).then(|| about.uid.to_string()),
            ..ObjectReference::default()
        };
        // Full: the hub is slow or away, and old news is no news.
        let _ = self.sender.try_send((event, about));
    }

    /// One Event for each condition that changed, or is false for a new reason.
    pub(super) fn transition(&self, kind: &str, about: &Identity, (before, after): &Transition) {
        for condition in after.iter().filter(|condition| changed(before, condition)) {
            let note = format!("{} is {}: {}", condition.type_, condition.status, condition.message);
            self.send(kind, about, is_usual(condition), &condition.reason, &note);
        }
    }
}

/// `Ready` repeats the others, except for what only it says.
fn changed(before: &[Condition], after: &Condition) -> bool {
    if after.type_ == READY && after.reason != "InvalidSpec" {
        return false;
    }
    if is_passing(after) {
        return false;
    }
    match before.iter().find(|old| old.type_ == after.type_) {
        Some(old) => old.status != after.status || (after.status != "Unknown" && old.reason != after.reason),
        None => after.status != "Unknown" && !is_usual(after),
    }
}

/// True, and for no other reason than that nothing is wrong: that reason is called like the condition.
fn is_usual(condition: &Condition) -> bool {
    condition.status == "True" && condition.reason == condition.type_
}

/// What every member goes through when it joins, and what another condition says already.
fn is_passing(condition: &Condition) -> bool {
    match (condition.status.as_str(), condition.reason.as_str()) {
        ("False", "Listing" | "NotAdmitted" | "Stale") => true,
        ("False", "MirrorsPending") => !condition.message.contains(text::LAST_FAILURE),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{Status, Wanted, with_history};
    use federation::model::Time;

    #[test]
    fn only_what_turns_is_news() {
        let condition = |kind, status, reason| Wanted { kind, status, reason, message: String::new() };
        let make = |wanted| with_history(&[], &[wanted], None, Time::default());
        let up = make(condition("Connected", Status::True, "Connected"));
        let down = make(condition("Connected", Status::False, "Unreachable"));
        let refused = make(condition("Connected", Status::False, "CredentialRefused"));
        let ready = make(condition("Ready", Status::False, "Unreachable"));
        let missing = make(condition("Connected", Status::True, "SecretMissing"));
        let connecting = make(condition("Synced", Status::Unknown, "Connecting"));
        let listing = make(condition("Synced", Status::False, "Listing"));
        let writing = make(condition("Synced", Status::False, "MirrorsPending"));
        let synced = make(condition("Synced", Status::True, "Synced"));
        let message = text::mirrors_pending(1, Some("403"));
        let failing = make(Wanted { message, ..condition("Synced", Status::False, "MirrorsPending") });
        for (before, after, news) in [
            (&vec![], &up, false),
            (&vec![], &down, true),
            (&up, &up, false),
            (&up, &down, true),
            (&down, &down, false),
            (&down, &refused, true),
            (&down, &up, true),
            (&vec![], &ready, false),
            // A member that joins: nothing is wrong with it.
            (&connecting, &listing, false),
            (&listing, &writing, false),
            (&writing, &synced, true),
            (&listing, &failing, true),
            (&synced, &failing, true),
            // True, but not for the usual reason.
            (&up, &missing, true),
            (&missing, &up, true),
            (&vec![], &missing, true),
        ] {
            assert_eq!(after.iter().any(|condition| changed(before, condition)), news, "{before:?} → {after:?}");
        }
    }
}
