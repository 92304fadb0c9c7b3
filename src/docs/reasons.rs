//! docs/conditions.md has each reason that a condition or an Event may have.

use std::collections::BTreeSet;
use std::path::Path;

use clusters::conditions::reasons::{CONDITIONS, OF_EVENTS, OF_MEMBERS, OF_POLICIES};

use super::{assert_same, first_column, owned, read, section, sources};

/// Texts of the form of a reason that are something else: kinds, statuses, what an Event's `action` is.
const OTHERS: [&str; 8] =
    ["True", "False", "Unknown", "MemberCluster", "FederationPolicy", "Region", "Reconcile", "Hub"];

/// Words in the form of a reason.
fn is_reason(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().skip(1).any(|c| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_alphabetic())
}

#[test]
fn the_list_of_reasons_is_that_of_the_code() {
    let in_status = sources::files().into_iter().filter(|file| {
        let path = file.to_string_lossy();
        (path.contains("src/conditions") || path.contains("src/writers/status/")) && !path.ends_with("reasons.rs")
            || path.ends_with("src/sources/hub.rs")
            || path.ends_with("src/conditions/json.rs")
    });
    let mut used = BTreeSet::new();
    for file in in_status {
        used.extend(sources::literals(&sources::code(&file)).into_iter().filter(|text| is_reason(text)));
    }
    let known: BTreeSet<String> =
        [&owned(&OF_MEMBERS), &owned(&OF_POLICIES), &owned(&OF_EVENTS)].into_iter().flatten().cloned().collect();
    let used: BTreeSet<String> = used.into_iter().filter(|text| !OTHERS.contains(&text.as_str())).collect();
    let new: Vec<_> = used.difference(&known).collect();
    assert!(new.is_empty(), "not in clusters/src/conditions/reasons.rs: {new:?}");
    let gone: Vec<_> = known.difference(&used).collect();
    assert!(gone.is_empty(), "in clusters/src/conditions/reasons.rs, and used nowhere: {gone:?}");
    assert!(CONDITIONS.iter().all(|kind| used.contains(*kind)), "{used:?}");
}

#[test]
fn every_reason_is_documented_and_no_other() {
    let page = read(Path::new("docs/conditions.md"));
    let members = first_column(section(&page, "## Reasons of a MemberCluster"));
    assert_same("docs/conditions.md, members", &owned(&OF_MEMBERS), &members);
    let policies = first_column(section(&page, "## Reasons of a Region or FederationPolicy"));
    assert_same("docs/conditions.md, policies", &owned(&OF_POLICIES), &policies);
    let events = first_column(section(&page, "## Events"));
    assert_same("docs/conditions.md, Events", &owned(&OF_EVENTS), &events);
    let conditions = first_column(section(&page, "# What a member's status says"));
    assert_same("docs/conditions.md, conditions", &owned(&CONDITIONS), &conditions);
}
