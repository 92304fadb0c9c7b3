//! "What if this were applied as well?": files from elsewhere, laid over a folder or over what the hub holds.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use kube::ResourceExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::LoadedWorld;
use super::bytes;
use super::decode::{Outcome, strip_nulls};
use super::document::Body;
use super::follow::Follower;
use super::objects::Kind;
use super::origin::Origin;
use super::parse;
use super::passed_over::PassedOver;
use super::publish::Publisher;
use super::read;
use crate::problem::{Problem, ProblemBook};
use crate::sources::hub::HubObjects;

/// Reads a folder once, with the objects of some more files as if they had been applied to the hub.
/// An error means that the folder cannot be listed, or one of the files cannot be read.
pub fn load_with(dir: &Path, add: &[PathBuf]) -> io::Result<LoadedWorld> {
    let mut follower = Follower::new(dir);
    let batches = follower.first_step_with(add, Instant::now())?;
    let all = follower.problems();
    let unlisted = all.values().map(|excerpt| excerpt.unlisted).sum();
    let problems = all.into_values().flat_map(|excerpt| excerpt.problems).collect();
    let book = ProblemBook::default();
    Publisher::new(dir, book.clone()).publish(&follower, &Ok(()));
    let passed_over = follower.passed_over().cloned().collect();
    Ok(LoadedWorld { batches, problems, unlisted, book: book.snapshot(), passed_over })
}

/// Adds the objects of some files to those of a hub; one that is there already is replaced. What is wrong with the
/// files is returned, with the number of objects with problems that are not listed, and what was passed over; an object that is rejected changes
/// nothing.
pub fn add_to(objects: &mut HubObjects, add: &[PathBuf]) -> anyhow::Result<(Vec<Problem>, usize, Vec<PassedOver>)> {
    let (mut problems, mut unlisted, mut passed_over) = (Vec::new(), 0, Vec::new());
    for shown in add {
        let bytes = bytes::read(shown).with_context(|| format!("cannot read {}", shown.display()))?;
        let contents = match read::read(&bytes, &Origin::Hub, &Arc::from(shown.as_path()), shown) {
            Ok(contents) => contents,
            Err(problem) => {
                problems.push(*problem);
                continue;
            }
        };
        problems.extend(contents.excerpt.problems);
        unlisted += contents.excerpt.unlisted;
        passed_over.extend(contents.passed_over);
        let mut documents: Vec<Option<Body>> =
            parse::parse(&bytes)?.documents.into_iter().map(|document| Some(document.body)).collect();
        for entry in contents.entries.iter().filter(|entry| matches!(entry.outcome, Outcome::Taken(_))) {
            let Some(Body::Object(fields)) = documents.get_mut(entry.index).and_then(Option::take) else { continue };
            let mut value = Value::Object(fields);
            strip_nulls(&mut value);
            match entry.known.kind {
                Kind::Region => apply(&mut objects.regions, value, |_, _| {})?,
                Kind::Member => apply(&mut objects.members, value, |old, new| {
                    new.status = new.status.take().or_else(|| old.status.clone());
                })?,
                Kind::Policy => apply(&mut objects.policies, value, |_, _| {})?,
                // Kinds of members are rejected at the hub.
                _ => {}
            }
        }
    }
    Ok((problems, unlisted, passed_over))
}

/// What Kubernetes keeps of an object when it is applied again, is kept here too: its time of birth, and what `keep` says.
fn apply<T: kube::Resource + DeserializeOwned>(
    objects: &mut Vec<T>,
    value: Value,
    keep: fn(&T, &mut T),
) -> serde_json::Result<()> {
    let mut object: T = serde_json::from_value(value)?;
    match objects.iter_mut().find(|other| other.name_any() == object.name_any()) {
        Some(other) => {
            object.meta_mut().creation_timestamp = other.meta().creation_timestamp.clone();
            keep(other, &mut object);
            *other = object;
        }
        None => objects.push(object),
    }
    Ok(())
}
