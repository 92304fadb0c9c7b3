//! Lists and watches one kind, page by page and line by line, as the events of the library's watcher: that one holds
//! whole pages of objects in their full form, has no bounds, and logs what it cannot read.
//!
//! ```text
//! Start ─► Listing ─► Listed ─► Watching
//!   ▲         │          ▲         │ it ended, or broke
//!   └─ error ─┘          └─────────┘          (410, or no version: Start)
//! ```

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::Stream;
use http_body_util::BodyExt as _;
use kube::api::{ListParams, WatchParams};
use kube::client::Body;
use kube::core::{Request, Status};
use kube::runtime::watcher::{Error, Event};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::client::answers::page::Page;
use crate::client::answers::{Fault, answer, budget};
use crate::client::bounds::{
    MAX_EMPTY_PAGES, MAX_PAGE_BYTES, MAX_TOKEN_BYTES, WHOLE_LIST_TIMEOUT, WHOLE_WATCH_TIMEOUT,
};
use crate::sources::watch::Reading;
use crate::sources::watch::object::{Entry, Named};

/// The API server ends a watch after this; a watch that stays silent a little longer is opened again.
const WATCH_TIMEOUT_S: u32 = 60;
const SILENT_TOO_LONG: Duration = Duration::from_secs(WATCH_TIMEOUT_S as u64 + 5);
/// Objects in one page of a list, and in one that was too long with so many.
const PAGE_SIZES: [u32; 4] = [500, 50, 5, 2];
/// Watches are not opened more often than this.
const OPEN_EVERY: Duration = Duration::from_millis(500);
/// Longer lines give their memory back.
const SMALL_LINE: usize = 64 << 10;
const WHAT: &str = "a watch event";

type Result<T> = std::result::Result<T, Error>;

/// What to list and watch.
pub(in crate::sources) struct Ask {
    pub(in crate::sources) client: kube::Client,
    /// Path of the collection.
    pub(in crate::sources) url: String,
    pub(in crate::sources) fields: Option<String>,
    /// Lists that share this take turns.
    pub(in crate::sources) turns: Option<Arc<Semaphore>>,
}

/// Events forever. After an error the next poll goes on from where it was, or lists again.
pub(in crate::sources) fn events<R: Reading>(ask: Ask) -> impl Stream<Item = Result<Event<Entry<R>>>> + Send {
    let source = Source { ask, opened: None, failed: false };
    futures::stream::unfold((source, State::Start), |(mut source, mut state)| async move {
        if std::mem::take(&mut source.failed) {
            // A caller that takes all that is ready gets the error before anything more is asked: it may have to wait, and a
            // list that is begun meanwhile would take another one's turn.
            tokio::task::yield_now().await;
        }
        loop {
            let (event, next) = source.step::<R>(state).await;
            state = next;
            if let Some(event) = event {
                source.failed = event.is_err();
                return Some((event, (source, state)));
            }
        }
    })
}

struct Source {
    ask: Ask,
    /// When the last watch was opened.
    opened: Option<Instant>,
    /// The last event was an error.
    failed: bool,
}

enum State {
    Start,
    Listing(Box<Listing>),
    Listed(String),
    Watching(Box<Watching>),
}

struct Listing {
    page: Option<Page>,
    token: Option<String>,
    since: Instant,
    size: usize,
    empty: u32,
    _turn: Option<OwnedSemaphorePermit>,
}

struct Watching {
    version: String,
    lines: Lines,
}

type Step<R> = (Option<Result<Event<Entry<R>>>>, State);

impl Source {
    async fn step<R: Reading>(&mut self, state: State) -> Step<R> {
        match state {
            State::Start => {
                let turn = match &self.ask.turns {
                    Some(turns) => Arc::clone(turns).acquire_owned().await.ok(),
                    None => None,
                };
                let (since, size) = (Instant::now(), 0);
                let listing = Listing { page: None, token: None, since, size, empty: 0, _turn: turn };
                (Some(Ok(Event::Init)), State::Listing(Box::new(listing)))
            }
            State::Listing(listing) => self.list::<R>(listing).await,
            State::Listed(version) => match self.watch(&version).await {
                Ok(lines) => (None, State::Watching(Box::new(Watching { version, lines }))),
                Err(error) => (Some(Err(Error::WatchStartFailed(error))), State::Listed(version)),
            },
            State::Watching(watching) => watched::<R>(watching).await,
        }
    }

    async fn list<R: Reading>(&self, mut listing: Box<Listing>) -> Step<R> {
        let failed = |fault: Fault| (Some(Err(Error::InitialListFailed(fault.into_kube()))), State::Start);
        if let Some(page) = &mut listing.page {
            match page.next() {
                Ok(Some(range)) => {
                    let (entry, _) = Entry::read(page.text(range));
                    return (Some(Ok(Event::InitApply(entry))), State::Listing(listing));
                }
                Ok(None) => {}
                Err(fault) => return failed(fault),
            }
        }
        if let Some(page) = listing.page.take() {
            listing.empty += u32::from(page.taken == 0);
            match (page.token, page.version) {
                (None, Some(version)) => return (Some(Ok(Event::InitDone)), State::Listed(version)),
                (None, None) => return (Some(Err(Error::NoResourceVersion)), State::Start),
                (token, _) if token == listing.token => {
                    return failed(Fault::Endless("it gives the same continue token again"));
                }
                (Some(_), _) if listing.empty > MAX_EMPTY_PAGES => {
                    return failed(Fault::Endless("too many of its pages have no object in them"));
                }
                (token, _) => listing.token = token,
            }
        }
        if listing.since.elapsed() > WHOLE_LIST_TIMEOUT {
            return failed(Fault::TooSlow { what: "the list", limit: WHOLE_LIST_TIMEOUT });
        }
        match self.page::<R>(listing.token.as_deref(), listing.size).await {
            Ok(page) => {
                listing.page = Some(page);
                (None, State::Listing(listing))
            }
            Err(error) => match Fault::of(&error) {
                Some(Fault::TooLong { limit: MAX_PAGE_BYTES, .. }) if listing.size + 1 < PAGE_SIZES.len() => {
                    listing.size += 1;
                    (None, State::Listing(listing))
                }
                _ => (Some(Err(Error::InitialListFailed(error))), State::Start),
            },
        }
    }

    async fn page<R: Reading>(&self, token: Option<&str>, size: usize) -> std::result::Result<Page, kube::Error> {
        let params = ListParams {
            field_selector: self.ask.fields.clone(),
            limit: PAGE_SIZES.get(size).copied(),
            continue_token: token.map(str::to_owned),
            ..ListParams::default()
        };
        let request = Request::new(self.ask.url.as_str()).list(&params).map_err(kube::Error::BuildRequest)?;
        let text = answer::collect(answer::open(&self.ask.client, request).await?, "the list").await?;
        Page::read(text, &R::kind()).map_err(Fault::into_kube)
    }

    async fn watch(&mut self, version: &str) -> std::result::Result<Lines, kube::Error> {
        if let Some(opened) = self.opened {
            tokio::time::sleep_until(opened + OPEN_EVERY).await;
        }
        self.opened = Some(Instant::now());
        let params = WatchParams {
            field_selector: self.ask.fields.clone(),
            timeout: Some(WATCH_TIMEOUT_S),
            ..WatchParams::default()
        };
        let request = Request::new(self.ask.url.as_str()).watch(&params, version).map_err(kube::Error::BuildRequest)?;
        let body = answer::open(&self.ask.client, request).await?;
        Ok(Lines { body, buffer: BytesMut::new(), scanned: 0, until: Instant::now() + WHOLE_WATCH_TIMEOUT })
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

async fn watched<R: Reading>(mut watching: Box<Watching>) -> Step<R> {
    match watching.lines.next().await {
        Ok(Some(line)) => event(&line, watching),
        Ok(None) => (None, State::Listed(watching.version)),
        Err(error) => (Some(Err(Error::WatchFailed(error))), State::Listed(watching.version)),
    }
}

/// What one line says.
fn event<R: Reading>(line: &[u8], mut watching: Box<Watching>) -> Step<R> {
    let failed = |fault: Fault| Some(Err(Error::WatchFailed(fault.into_kube())));
    if line.iter().all(u8::is_ascii_whitespace) {
        return (None, State::Watching(watching));
    }
    let Line { kind, object } = match serde_json::from_slice(line) {
        Ok(line) => line,
        Err(error) => {
            let fault = Fault::of_json(&error, WHAT, "a type and an object", line);
            return (failed(fault), State::Watching(watching));
        }
    };
    let object = object.get().as_bytes();
    let change: fn(Entry<R>) -> Event<Entry<R>> = match &*kind {
        "ADDED" | "MODIFIED" => Event::Apply,
        "DELETED" => Event::Delete,
        "BOOKMARK" => {
            let version = budget::read_or::<Named>(object).unwrap_or_default().metadata.resource_version;
            if let Some(version) = version.filter(|version| is_version(version)) {
                watching.version = version;
            }
            return (None, State::Watching(watching));
        }
        "ERROR" => {
            let status = budget::read_or::<Status>(object).unwrap_or_default();
            let next = if status.code == 410 { State::Start } else { State::Watching(watching) };
            return (Some(Err(Error::WatchError(status.boxed()))), next);
        }
        _ => {
            let fault = Fault::OtherKind { expected: "an event of a type that the Kubernetes API has".to_owned() };
            return (failed(fault), State::Watching(watching));
        }
    };
    let (entry, version) = Entry::read(object);
    match version.filter(|version| is_version(version)) {
        Some(version) => {
            watching.version = version;
            (Some(Ok(change(entry))), State::Watching(watching))
        }
        None => (Some(Err(Error::NoResourceVersion)), State::Start),
    }
}

fn is_version(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_TOKEN_BYTES
}

/// The lines of a watch. How long one may be is up to the body.
struct Lines {
    body: Body,
    buffer: BytesMut,
    /// So much of the buffer holds no end of a line.
    scanned: usize,
    until: Instant,
}

impl Lines {
    /// `None`: the API server ended the watch, or was silent or went on for longer than it may.
    async fn next(&mut self) -> std::result::Result<Option<BytesMut>, kube::Error> {
        loop {
            let fresh = self.buffer.get(self.scanned..).unwrap_or_default();
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.scanned + end + 1);
                self.scanned = 0;
                if self.buffer.is_empty() && line.len() > SMALL_LINE {
                    self.buffer = BytesMut::new();
                }
                return Ok(Some(line));
            }
            self.scanned = self.buffer.len();
            let silent = Instant::now() + SILENT_TOO_LONG;
            if Instant::now() > self.until {
                return Ok(None);
            }
            match tokio::time::timeout_at(silent.min(self.until), self.body.frame()).await {
                Err(_) | Ok(None) => return Ok(None),
                Ok(Some(frame)) => {
                    if let Some(data) = frame?.data_ref() {
                        self.buffer.extend_from_slice(data);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// Reads one line as a watch does; the memory it takes is what matters.
    pub fn line<R: Reading>(line: &[u8]) -> bool {
        let lines = Lines { body: Body::empty(), buffer: BytesMut::new(), scanned: 0, until: Instant::now() };
        let (event, _) = event::<R>(line, Box::new(Watching { version: "1".to_owned(), lines }));
        matches!(event, Some(Ok(_)))
    }

    /// Reads one page as a list does, object by object; says how many were taken.
    pub fn page<R: Reading>(text: Vec<u8>) -> std::result::Result<usize, Fault> {
        let mut page = Page::read(text, &R::kind())?;
        let mut good = 0;
        while let Some(range) = page.next()? {
            good += usize::from(Entry::<R>::read(page.text(range)).0.read.is_ok());
        }
        Ok(good)
    }
}
