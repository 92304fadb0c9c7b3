//! An HTTP/1 message as its reader understands it, so that what differs in framing only is equal.

use std::fmt;

/// Belong to one connection, not to the message (RFC 9110 §7.6.1); Envoy frames each hop by itself.
const HOP_BY_HOP: [&str; 6] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "content-length", "te"];

#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Start line, headers in order of their names, body, trailers. Interim responses come before.
    Http { interim: Vec<String>, start: String, headers: Vec<(String, String)>, body: Vec<u8>, trailers: Vec<String> },
    /// Nothing that looks like HTTP.
    Raw(Vec<u8>),
}

impl Message {
    /// `bodiless`: the answer to `HEAD`.
    pub fn parse(bytes: &[u8], bodiless: bool) -> Self {
        let Some((head, rest)) = split(bytes) else { return Self::Raw(bytes.to_vec()) };
        let text = String::from_utf8_lossy(head).into_owned();
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        if !start.contains("HTTP/1") {
            return Self::Raw(bytes.to_vec());
        }
        let status = status(&start);
        if status.is_some_and(|status| (100..200).contains(&status) && status != 101) {
            let Self::Http { mut interim, start: last, headers, body, trailers } = Self::parse(rest, bodiless) else {
                return Self::Raw(bytes.to_vec());
            };
            interim.insert(0, text);
            return Self::Http { interim, start: last, headers, body, trailers };
        }
        let pairs: Vec<(String, String)> = lines.filter_map(header).collect();
        let chunked = pairs.iter().any(|(name, value)| is(name, "transfer-encoding") && value.contains("chunked"));
        let (body, trailers) = if bodiless || status == Some(304) || status == Some(204) {
            (Vec::new(), Vec::new())
        } else if chunked {
            dechunk(rest).unwrap_or_else(|| (rest.to_vec(), vec!["cut off".to_owned()]))
        } else {
            (rest.to_vec(), Vec::new())
        };
        let mut headers: Vec<_> =
            pairs.into_iter().filter(|(name, _)| !HOP_BY_HOP.iter().any(|hop| is(name, hop))).collect();
        headers.sort();
        Self::Http { interim: Vec::new(), start, headers, body, trailers }
    }

    /// Without this header, if `only_if` has none: what a proxy may add (RFC 9110 §6.6.1 has it add `Date`).
    pub fn without_added(mut self, name: &str, only_if: &Self) -> Self {
        let has = |message: &Self| match message {
            Self::Http { headers, .. } => headers.iter().any(|(found, _)| is(found, name)),
            Self::Raw(_) => false,
        };
        if !has(only_if)
            && let Self::Http { headers, .. } = &mut self
        {
            headers.retain(|(found, _)| !is(found, name));
        }
        self
    }

    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Http { start, .. } => status(start),
            Self::Raw(_) => None,
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes.get(..200).unwrap_or(bytes)).into_owned();
            format!("{text:?} ({} bytes)", bytes.len())
        };
        match self {
            Self::Raw(bytes) => write!(f, "raw {}", short(bytes)),
            Self::Http { interim, start, headers, body, trailers } => {
                let shown: Vec<String> = headers.iter().take(20).map(|(n, v)| format!("{n}: {v:.80}")).collect();
                write!(f, "{interim:?} {start:.100?} {shown:?} ({}) {} {trailers:?}", headers.len(), short(body))
            }
        }
    }
}

/// Whether a request is there to its end. Unknown where only the end of the connection would tell.
pub fn is_whole_request(bytes: &[u8]) -> bool {
    is_whole(bytes, false)
}

/// Whether a message is there to its end; `bodiless` for the answer to `HEAD`.
pub fn is_whole(bytes: &[u8], bodiless: bool) -> bool {
    let Some((head, rest)) = split(bytes) else { return false };
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = status(&text);
    if status.is_some_and(|status| (100..200).contains(&status)) {
        return status != Some(101) && is_whole(rest, bodiless);
    }
    if bodiless || matches!(status, Some(204 | 304)) {
        return true;
    }
    let value = |name: &str| text.split("\r\n").filter_map(header).find(|(found, _)| is(found, name)).map(|(_, v)| v);
    if value("upgrade").is_some() || text.contains("expect: 100-continue") {
        return value("content-length").is_none_or(|length| length == "0");
    }
    if value("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        return dechunk(rest).is_some();
    }
    match value("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => rest.len() >= length,
        // A request without a length has no body; a response without one ends with its connection.
        None => status.is_none() && text.contains(" http/1"),
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some((bytes.get(..end)?, bytes.get(end + 4..)?))
}

fn status(start: &str) -> Option<u16> {
    let start = start.to_ascii_lowercase();
    start.strip_prefix("http/1.")?.split(' ').nth(1)?.get(..3)?.parse().ok()
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    Some((name.to_owned(), value.trim().to_owned()))
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

/// The body and the trailers, which Envoy spells in lower case.
fn dechunk(mut rest: &[u8]) -> Option<(Vec<u8>, Vec<String>)> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = String::from_utf8_lossy(rest.get(..line)?).into_owned();
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            let trailers = String::from_utf8_lossy(rest.get(line + 2..)?).into_owned();
            let (trailers, _) =
                trailers.split_once("\r\n\r\n").or_else(|| trailers.strip_prefix("\r\n").map(|r| ("", r)))?;
            let lines = trailers.split("\r\n").filter(|line| !line.is_empty());
            return Some((body, lines.map(str::to_ascii_lowercase).collect()));
        }
        body.extend_from_slice(rest.get(line + 2..line + 2 + size)?);
        rest = rest.get(line + 4 + size..)?;
    }
}
