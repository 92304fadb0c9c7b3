//! One page of a list: its objects are found one after the other in the text, and only the one at hand is read.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Fault;
use crate::client::bounds::MAX_TOKEN_BYTES;

const WHAT: &str = "the list";

pub struct Page {
    /// Set if there are more pages.
    pub token: Option<String>,
    pub version: Option<String>,
    text: Vec<u8>,
    at: usize,
    end: usize,
    /// How many objects were taken.
    pub taken: usize,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(borrow, default)]
    items: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(rename = "continue")]
    token: Option<String>,
    resource_version: Option<String>,
}

impl Page {
    /// `kind`: of the objects in it.
    pub fn read(text: Vec<u8>, kind: &str) -> Result<Self, Fault> {
        let expected = format!("a {kind}List");
        let list: List<'_> =
            serde_json::from_slice(&text).map_err(|error| Fault::of_json(&error, WHAT, &expected, &text))?;
        let fits = match &list.kind {
            Some(found) => **found == format!("{kind}List") || **found == *"List",
            None => list.items.is_some(),
        };
        if !fits {
            return Err(Fault::OtherKind { expected });
        }
        let Metadata { token, resource_version: version } = list.metadata.unwrap_or_default();
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (token, version) = (given(token), given(version));
        if token.iter().chain(&version).any(|text| text.len() > MAX_TOKEN_BYTES) {
            return Err(Fault::TooLong { what: "a continue token or a version", limit: MAX_TOKEN_BYTES });
        }
        let (at, end) = match list.items.map(RawValue::get) {
            // The text of the items is a part of the whole text.
            Some(items) if items.starts_with('[') => {
                let at = (items.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
                (at + 1, at + items.len())
            }
            Some(_) => return Err(Fault::OtherKind { expected }),
            None => (0, 0),
        };
        Ok(Self { token, version, text, at, end, taken: 0 })
    }

    /// Where the next object is; see [`Page::text`].
    pub(crate) fn next(&mut self) -> Result<Option<Range<usize>>, Fault> {
        let rest = self.text.get(self.at..self.end).unwrap_or_default();
        let skipped = rest.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == b',').count();
        let begin = self.at + skipped;
        let rest = self.text.get(begin..self.end).unwrap_or_default();
        if matches!(rest.first(), None | Some(b']')) {
            return Ok(None);
        }
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<&RawValue>();
        match values.next() {
            Some(Ok(_)) => {
                self.at = begin + values.byte_offset();
                self.taken += 1;
                Ok(Some(begin..self.at))
            }
            Some(Err(error)) => Err(Fault::of_json(&error, WHAT, "objects", rest)),
            None => Ok(None),
        }
    }

    pub fn text(&self, range: Range<usize>) -> &[u8] {
        self.text.get(range).unwrap_or_default()
    }
}
