//! Collects what is wrong with one object, so that its author sees all of it at once.

use std::fmt;
use std::net::IpAddr;

use federation::model::NameError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::accepted::{Accepted, Converted};
use super::name::object_name;
use crate::problem::{MAX_PROBLEMS_PER_OBJECT, ObjectName, Problem};

pub(super) struct Check {
    object: ObjectName,
    problems: Vec<Problem>,
    /// What is lost by what is reported now. `None`: the whole object.
    lost: Option<&'static str>,
    rejected: bool,
    reports: usize,
}

/// The end of what is reported of an object that cannot be used.
pub const REJECTED: &str = "the object is not used; its last good state, if it has one, stays";

impl Check {
    pub(super) fn new(kind: &str, meta: &ObjectMeta) -> Self {
        Self { object: object_name(kind, meta), problems: Vec::new(), lost: None, rejected: false, reports: 0 }
    }

    /// Whatever is reported by `judge` costs no more than this part of the object, which the caller leaves out.
    pub(super) fn losing<T>(&mut self, lost: &'static str, judge: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.lost.replace(lost);
        let judged = judge(self);
        self.lost = outer;
        judged
    }

    /// Judges parts of which there must be one. If none is left, what was reported of them is why the object is rejected.
    pub(super) fn some_of<T>(&mut self, judge: impl FnOnce(&mut Self) -> Vec<T>) -> Vec<T> {
        let (reports, kept) = (self.reports, self.problems.len());
        let parts = judge(self);
        if parts.is_empty() && self.reports > reports {
            self.rejected = true;
            // At least the last one, where no more of them are kept.
            let from = kept.min(self.problems.len().saturating_sub(1));
            self.problems.iter_mut().skip(from).for_each(|problem| REJECTED.clone_into(&mut problem.lost));
        }
        parts
    }

    /// Rejects the object, unless only a part of it is being lost: see [`Check::losing`].
    pub(super) fn report(&mut self, field: impl Into<String>, found: impl fmt::Display, expected: impl Into<String>) {
        self.reports += 1;
        let first_rejection = self.lost.is_none() && !self.rejected;
        self.rejected |= self.lost.is_none();
        if first_rejection && self.problems.len() >= MAX_PROBLEMS_PER_OBJECT {
            self.problems.pop(); // why it is not used at all is worth more than one more detail
        }
        if self.problems.len() < MAX_PROBLEMS_PER_OBJECT {
            let problem = Problem::new(&self.object, field, found, expected);
            self.problems.push(problem.losing(self.lost.unwrap_or(REJECTED)));
        }
    }

    /// A name of the model, or a problem.
    pub(super) fn name<T>(
        &mut self,
        field: impl Into<String>,
        text: &str,
        make: impl FnOnce(&str) -> Result<T, NameError>,
    ) -> Option<T> {
        let error = match make(text) {
            Ok(name) => return Some(name),
            Err(error) => error,
        };
        match error {
            NameError::Empty => self.report(field, "nothing", "a name such as \"eu-1\""),
            NameError::TooLong { found, max } => {
                self.report(field, format!("{found} bytes"), format!("at most {max} bytes"));
            }
            NameError::NotALabel { found } => self.report(
                field,
                format!("{found:?}"),
                "an RFC 1123 label: lower-case letters, digits and '-', starting and ending with a letter or digit",
            ),
        }
        None
    }

    /// An address that a client could dial. What Kubernetes refuses for endpoints is refused here too: it would lead
    /// clients to themselves or to any server that listens.
    pub(super) fn ip(&mut self, field: impl Into<String>, text: &str) -> Option<IpAddr> {
        let Ok(ip) = text.parse::<IpAddr>() else {
            self.report(field, format!("{text:?}"), "an IP address such as 10.8.0.1 or fd00::1");
            return None;
        };
        let unusable = match ip {
            IpAddr::V4(v4) => v4.is_unspecified() || v4.is_link_local() || v4.is_multicast() || v4.is_broadcast(),
            IpAddr::V6(v6) => {
                let mapped = v6.to_ipv4_mapped().is_some();
                v6.is_unspecified() || v6.is_unicast_link_local() || v6.is_multicast() || mapped
            }
        };
        if unusable {
            let expected = "a unicast address that other hosts can reach: not unspecified, link-local, multicast, \
                            broadcast or IPv4-mapped";
            self.report(field, text, expected);
            return None;
        }
        Some(ip)
    }

    /// A number that must be in a range.
    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        field: impl Into<String>,
        found: i64,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<T> {
        let number = range.contains(&found).then(|| T::try_from(found).ok()).flatten();
        if number.is_none() {
            self.report(field, found, format!("a number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// False, and a problem, if a list is longer than it may be.
    pub(super) fn at_most(&mut self, field: &str, found: usize, max: usize, what: &str) -> bool {
        if found > max {
            self.report(field, format!("{found} {what}"), format!("at most {max}"));
        }
        found <= max
    }

    /// The first `max` of a list; more of them are a problem.
    pub(super) fn first<'a, T>(&mut self, field: &str, list: &'a [T], max: usize, what: &str) -> &'a [T] {
        self.at_most(field, list.len(), max, what);
        list.get(..max).unwrap_or(list)
    }

    /// The verdict. `value` is only `None` when the object was rejected.
    pub(super) fn finish<T>(mut self, value: Option<T>) -> Converted<T> {
        let more = self.reports.saturating_sub(self.problems.len());
        self.problems.last_mut().into_iter().for_each(|last| last.more = more);
        if self.rejected { Err(self.problems) } else { Ok(Accepted { object: value, problems: self.problems }) }
    }
}
