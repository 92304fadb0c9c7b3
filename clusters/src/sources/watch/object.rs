//! One object as it was sent, read and judged at once, so that its full form is held no longer than that.

use federation::change::Object;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource as _;
use serde::Deserialize;

use crate::client::answers::budget;
use crate::client::bounds::MAX_OBJECT_BYTES;
use crate::convert::{Converted, REJECTED, object_name};
use crate::problem::{ObjectName, Problem};
use crate::sources::watch::Reading;

/// What was made of one object.
pub(in crate::sources) struct Entry<R: Reading> {
    pub(in crate::sources) name: ObjectName,
    /// `None`: it cannot have one, and so never had a good state.
    pub(in crate::sources) key: Option<<R::Model as Object>::Key>,
    pub(in crate::sources) read: Converted<R::Model>,
    /// Its length as it was sent.
    pub(in crate::sources) bytes: usize,
}

/// The part that every object has.
#[derive(Default, Deserialize)]
pub(super) struct Named {
    #[serde(default)]
    pub(super) metadata: ObjectMeta,
}

impl<R: Reading> Entry<R> {
    pub(in crate::sources) fn of(wire: &R::Wire, bytes: usize) -> Self {
        let meta = wire.meta();
        Self { name: object_name(&R::kind(), meta), key: R::key(meta), read: R::read(wire), bytes }
    }

    /// Reads an object, and the version it has. One that does not fit its type is rejected alone.
    pub(super) fn read(text: &[u8]) -> (Self, Option<String>) {
        let fits = if text.len() > MAX_OBJECT_BYTES {
            Err(format!("an object of {} bytes", text.len()))
        } else {
            budget::read_or::<R::Wire>(text).map_err(|error| match error {
                None => "an object that would cost much more memory than its length".to_owned(),
                // The text quotes what was found, which must not be a Secret's content.
                Some(error) if R::kind() == "Secret" => format!("a mistake in column {}", error.column()),
                Some(error) => error.to_string(),
            })
        };
        match fits {
            Ok(wire) => (Self::of(&wire, text.len()), wire.meta().resource_version.clone()),
            Err(found) => Self::unfit(text, found),
        }
    }

    fn unfit(text: &[u8], found: String) -> (Self, Option<String>) {
        let Named { metadata } = budget::read_or(text).unwrap_or_default();
        let name = object_name(&R::kind(), &metadata);
        let expected = format!("an object of at most {MAX_OBJECT_BYTES} bytes that fits its definition");
        let problem = Problem::new(&name, "", found, expected).losing(REJECTED);
        let read = R::unfit(&metadata, vec![problem]);
        let entry = Self { name, key: R::key(&metadata), read, bytes: text.len() };
        (entry, metadata.resource_version)
    }
}
