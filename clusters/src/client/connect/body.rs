//! Bodies within bounds: whatever a caller does with an answer, it ends. Each client of an API server, the hub's too,
//! receives its answers through this.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::{Method, Request, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tower::BoxError;

use crate::client::answers::Fault;
use crate::client::bounds::{
    ANSWER_TIMEOUT, EVENT_TIMEOUT, LIST_TIMEOUT, MAX_ANSWER_BYTES, MAX_ANSWER_VALUES, MAX_OBJECT_BYTES, MAX_PAGE_BYTES,
};

/// What a request is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Anything but the two others.
    Answer,
    Page,
    Watch,
}

impl Shape {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        if pairs.clone().any(|(key, value)| key == "watch" && matches!(value, "1" | "true")) {
            return Self::Watch;
        }
        let limit = pairs.find(|(key, _)| *key == "limit").map(|(_, value)| value);
        let page = request.method() == Method::GET
            && match limit {
                Some(limit) => limit != "1",
                None => is_collection(request.uri().path()),
            };
        if page { Self::Page } else { Self::Answer }
    }

    /// A refusal is short, whatever was asked.
    pub(super) fn answered(self, status: StatusCode) -> Self {
        if status.is_success() { self } else { Self::Answer }
    }

    /// From the request to the first byte of the answer, and but for watches to its last.
    pub(super) fn deadline(self) -> Duration {
        match self {
            Self::Answer => ANSWER_TIMEOUT,
            Self::Page | Self::Watch => LIST_TIMEOUT,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Answer => "an answer",
            Self::Page => "a page of a list",
            Self::Watch => "a watch event",
        }
    }
}

/// `/api/v1/services`, `/apis/GROUP/VERSION/namespaces/NAME/RESOURCE`: without the name of one object at the end.
fn is_collection(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let before = match parts.next() {
        Some("api") => 1,
        Some("apis") => 2,
        _ => return false,
    };
    parts.skip(before).count() % 2 == 1
}

/// A body of which each part may be so long and take so long.
pub(super) struct Bounded<B> {
    inner: Pin<Box<B>>,
    shape: Shape,
    meter: Meter,
    /// For a watch: of the event that has begun; `None` between two events.
    until: Option<Pin<Box<Sleep>>>,
    failed: bool,
}

/// What has come of the part that is counted.
#[derive(Default)]
struct Meter {
    bytes: usize,
    values: usize,
    in_text: bool,
    escaped: bool,
}

impl<B> Bounded<B> {
    /// `asked`: when the request was sent.
    pub(super) fn new(body: B, shape: Shape, asked: Instant) -> Self {
        let until = (shape != Shape::Watch).then(|| Box::pin(tokio::time::sleep_until(asked + shape.deadline())));
        Self { inner: Box::pin(body), shape, meter: Meter::default(), until, failed: false }
    }

    fn take(&mut self, data: &[u8]) -> Result<(), Fault> {
        match self.shape {
            Shape::Watch => {
                let begun = self.meter.bytes > 0;
                let ends = self.meter.lines(data)?;
                if self.meter.bytes == 0 {
                    self.until = None;
                } else if ends || !begun {
                    self.until = Some(Box::pin(tokio::time::sleep(EVENT_TIMEOUT)));
                }
                Ok(())
            }
            Shape::Page => self.meter.count(data, MAX_PAGE_BYTES, self.shape.what()),
            Shape::Answer => {
                self.meter.count(data, MAX_ANSWER_BYTES, self.shape.what())?;
                self.meter.values(data)
            }
        }
    }
}

impl Meter {
    fn count(&mut self, data: &[u8], limit: usize, what: &'static str) -> Result<(), Fault> {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > limit { Err(Fault::TooLong { what, limit }) } else { Ok(()) }
    }

    /// Counts from the last end of a line; says whether there was one.
    fn lines(&mut self, data: &[u8]) -> Result<bool, Fault> {
        let mut ends = false;
        for line in data.split_inclusive(|byte| *byte == b'\n') {
            self.count(line, MAX_OBJECT_BYTES, Shape::Watch.what())?;
            if line.ends_with(b"\n") {
                self.bytes = 0;
                ends = true;
            }
        }
        Ok(ends)
    }

    /// An element of a list that is two bytes long may cost hundreds once it is read.
    fn values(&mut self, data: &[u8]) -> Result<(), Fault> {
        for byte in data {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                b',' | b'{' | b'[' if !self.in_text => self.values += 1,
                _ => {}
            }
        }
        let (what, limit) = (Shape::Answer.what(), MAX_ANSWER_VALUES);
        if self.values > limit { Err(Fault::TooMany { what, limit }) } else { Ok(()) }
    }
}

impl<B> Body for Bounded<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.failed {
            return Poll::Ready(None);
        }
        let late = this.until.as_mut().is_some_and(|until| until.as_mut().poll(cx).is_ready());
        let result = if late {
            let limit = if this.shape == Shape::Watch { EVENT_TIMEOUT } else { this.shape.deadline() };
            Err(Fault::TooSlow { what: this.shape.what(), limit }.into())
        } else {
            match ready!(this.inner.as_mut().poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => Err(error.into()),
                Some(Ok(frame)) => match frame.data_ref().map(|data| this.take(data.chunk())) {
                    Some(Err(fault)) => Err(fault.into()),
                    Some(Ok(())) | None => Ok(frame),
                },
            }
        };
        this.failed = result.is_err();
        Poll::Ready(Some(result))
    }

    fn is_end_stream(&self) -> bool {
        self.failed || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(method: &str, uri: &str) -> Shape {
        let request = Request::builder().method(method).uri(uri).body(()).expect("a request");
        Shape::of(&request)
    }

    #[test]
    fn what_is_asked_decides_how_long_the_answer_may_be() {
        use Shape::{Answer, Page, Watch};
        let cases = [
            ("GET", "/livez", Answer),
            ("GET", "/version", Answer),
            ("GET", "/apis", Answer),
            ("GET", "/apis/multicluster.x-k8s.io/v1beta1", Answer),
            ("GET", "/api/v1/namespaces/kube-system", Answer),
            ("PATCH", "/api/v1/namespaces/shop/services/web?fieldManager=isthmus", Answer),
            ("POST", "/api/v1/namespaces/shop/services", Answer),
            ("GET", "/api/v1/services?limit=1", Answer),
            ("GET", "/api/v1/services?limit=500&continue=x", Page),
            ("GET", "/apis/isthmus.dev/v1alpha1/memberclusters?", Page),
            ("GET", "/api/v1/namespaces/isthmus-system/secrets?fieldSelector=x", Page),
            ("GET", "/api/v1/services?watch=true&resourceVersion=1", Watch),
            ("GET", "/api/v1/services?resourceVersion=1&watch=1", Watch),
        ];
        for (method, uri, expected) in cases {
            assert_eq!(shape(method, uri), expected, "{method} {uri}");
        }
        assert_eq!(Watch.answered(StatusCode::FORBIDDEN), Answer, "a refusal is short");
    }

    #[test]
    fn a_watch_is_measured_from_the_last_end_of_a_line() {
        let mut meter = Meter::default();
        let half = vec![b'x'; MAX_OBJECT_BYTES / 2];
        for _ in 0..8 {
            assert_eq!(meter.lines(&half), Ok(false));
            assert_eq!(meter.lines(b"x\n"), Ok(true));
        }
        assert_eq!(meter.bytes, 0);
        assert_eq!(
            meter.lines(&[&half[..], &half, b"xx"].concat()).map_err(|fault| fault.to_string()),
            Err(format!("it sent a watch event of more than {MAX_OBJECT_BYTES} bytes"))
        );
    }

    /// Sends these parts, and nothing after them.
    fn body(shape: Shape, parts: &[&'static str]) -> Bounded<impl Body<Data = Bytes, Error = BoxError>> {
        use futures::{StreamExt as _, stream};
        let parts: Vec<_> = parts.iter().map(|part| Ok::<_, BoxError>(Frame::data(Bytes::from(*part)))).collect();
        let parts = stream::iter(parts).chain(stream::pending());
        Bounded::new(http_body_util::StreamBody::new(parts), shape, Instant::now())
    }

    /// What it comes to within an hour, and after how many seconds.
    async fn end(shape: Shape, parts: &[&'static str]) -> (Option<Fault>, u64) {
        use http_body_util::BodyExt as _;
        let (begun, mut body) = (Instant::now(), body(shape, parts));
        let read = async {
            loop {
                match body.frame().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Fault::of(&*error).cloned(),
                    None => return None,
                }
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(3600), read).await;
        (ended.unwrap_or_default(), begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_too_slowly_is_given_up() {
        for (shape, parts, after) in [
            (Shape::Answer, &["{"][..], ANSWER_TIMEOUT),
            (Shape::Page, &[], LIST_TIMEOUT),
            (Shape::Watch, &["{}\n{", "\"type"], EVENT_TIMEOUT),
        ] {
            let (fault, seconds) = end(shape, parts).await;
            assert_eq!(fault, Some(Fault::TooSlow { what: shape.what(), limit: after }), "{shape:?}");
            assert_eq!(seconds, after.as_secs(), "{shape:?}");
        }
        let (fault, seconds) = end(Shape::Watch, &["{}\n", "{", "}\n"]).await;
        assert_eq!((fault, seconds), (None, 3600), "a watch may be silent between two events");
    }

    #[test]
    fn values_are_counted_outside_of_texts() {
        let mut meter = Meter::default();
        meter.values(br#"{"a": ["[[[,,,\"{{{", 1"#).expect("few");
        meter.values(b"]}").expect("few");
        assert_eq!(meter.values, 3);
        let many = vec![b','; MAX_ANSWER_VALUES];
        assert!(matches!(meter.values(&many), Err(Fault::TooMany { .. })));
    }
}
