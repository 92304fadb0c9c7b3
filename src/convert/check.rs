//! Collects what is wrong with one object, so that its author hears all of it at once.

use std::fmt;
use std::net::IpAddr;

use federation::model::NameError;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::Converted;
use crate::problem::{MAX_PROBLEMS_PER_OBJECT, ObjectName, Problem};

pub(super) struct Check {
    object: ObjectName,
    problems: Vec<Problem>,
}

impl Check {
    pub(super) fn new(kind: &str, meta: &ObjectMeta) -> Self {
        Self { object: super::object_name(kind, meta), problems: Vec::new() }
    }

    pub(super) fn report(&mut self, field: impl Into<String>, found: impl fmt::Display, expected: impl Into<String>) {
        if self.problems.len() < MAX_PROBLEMS_PER_OBJECT {
            self.problems.push(Problem::new(&self.object, field, found, expected));
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
    /// clients to themselves or to whoever listens.
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

    /// The verdict. `value` is only `None` when something was reported.
    pub(super) fn finish<T>(self, value: Option<T>) -> Converted<T> {
        if self.problems.is_empty() { Ok(value) } else { Err(self.problems) }
    }
}
